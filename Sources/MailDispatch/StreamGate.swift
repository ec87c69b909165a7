import MailModel

/// Whether anybody may publish, and what is known of the stream. A value: it decides, others act.
struct StreamGate: Sendable {
    /// What the dispatcher has to do after something happened.
    enum Action: Sendable, Hashable {
        case nothing
        /// Ask the stream's state after so long, unless a later probe was wanted meanwhile.
        case probe(afterMilliseconds: Int64, ticket: Int)
    }

    /// What a look at the stream showed.
    enum Finding: Sendable, Hashable {
        /// The first look since the start.
        case first
        case asExpected
        /// Another stream, or it has lost messages: with the explanation.
        case wentBack(String)
        /// The answer is about an earlier connection.
        case outdated
    }

    private(set) var state: DispatchMetrics.State = .disconnected
    private(set) var connection = 0
    /// What turns are given; nil while nobody may publish.
    var pass: StreamPass? { state == .open ? found : nil }
    private var found: StreamPass?
    /// The newest description of the stream, with the highest sequence known to have been acknowledged.
    private var known: StreamState?
    private var serial = 0
    private var ticket = 0
    private var failures = 0
    private var troubles = 0

    mutating func connected(_ connection: Int) -> Action {
        self.connection = connection
        guard connection > 0 else { return .nothing }
        failures = 0
        state = .paused("looking at the stream")
        return probe(0)
    }

    /// The stream's state was read.
    ///
    /// - Parameter acknowledged: the highest stream sequence that was acknowledged so far.
    mutating func probed(_ stream: StreamState, on connection: Int, acknowledged: UInt64) -> Finding {
        guard connection == self.connection else { return .outdated }
        if case .halted = state { return .outdated }
        failures = 0
        state = .open
        serial += 1
        let finding = compare(stream, acknowledged: acknowledged)
        // Within one connection the first description stays: the stream as it was before we published.
        let baseline = found.flatMap { $0.connection == connection && finding == .asExpected ? $0.stream : nil }
        found = StreamPass(connection: connection, stream: baseline ?? stream, serial: serial)
        known = stream
        return finding
    }

    mutating func probeFailed(_ reason: String, jitter: Double) -> Action {
        failures += 1
        state = .paused(reason)
        return probe(Backoff.milliseconds(attempts: failures, jitter: jitter))
    }

    /// A turn that was given `pass` met something that makes the stream suspect.
    mutating func suspect(_ pass: StreamPass, _ reason: String) -> Action {
        guard pass.serial == serial, state == .open else { return .nothing }
        state = .paused(reason)
        return probe(0)
    }

    /// A turn that was given `pass` was told that the stream cannot take messages now.
    mutating func trouble(_ pass: StreamPass, _ reason: String, jitter: Double) -> Action {
        guard pass.serial == serial, state == .open else { return .nothing }
        troubles += 1
        state = .paused(reason)
        return probe(Backoff.milliseconds(attempts: troubles, jitter: jitter))
    }

    /// Publishing is not permitted: nobody publishes until another connection is made.
    mutating func forbidden(_ pass: StreamPass, _ reason: String) {
        if pass.connection == connection { state = .halted(reason) }
    }

    /// Something was stored: the stream is well.
    mutating func stored() { troubles = 0 }

    /// True for the ticket of the last probe that was wanted.
    func isCurrent(_ ticket: Int) -> Bool { ticket == self.ticket }

    private mutating func probe(_ milliseconds: Int64) -> Action {
        ticket += 1
        return .probe(afterMilliseconds: milliseconds, ticket: ticket)
    }

    private func compare(_ stream: StreamState, acknowledged: UInt64) -> Finding {
        guard let known else { return .first }
        if known.created != stream.created {
            return .wentBack("the stream is another one than before (created \(stream.created), not \(known.created))")
        }
        let expected = max(known.lastSequence, acknowledged)
        if stream.lastSequence < expected {
            return .wentBack("the stream ends at \(stream.lastSequence), but \(expected) was acknowledged")
        }
        return .asExpected
    }
}
