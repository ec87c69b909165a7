import Foundation
import Logging
import MailModel

/// Publishes events to one JetStream stream and looks up what it holds. Reconnects for ever by itself; on every
/// connection it sees to it that the stream exists as configured before it announces the connection.
public final class JetStreamPublisher: EventPublisher {
    private let state: PublisherState
    private let stream: StreamConfiguration

    private init(_ state: PublisherState, _ stream: StreamConfiguration) {
        self.state = state
        self.stream = stream
    }

    /// Starts the publisher. Returns when the first attempt to connect ended: connected, or NATS is away and is
    /// tried again in the background (``connectionEpoch`` is 0 until then).
    ///
    /// - Throws: ``NatsFailure`` when only an operator can help: bad settings, refused credentials, TLS with a
    ///   libnats whose TLS is not safe, a stream of that name that is not ours, more replicas than servers.
    public static func connect(
        _ configuration: NatsConfiguration, stream: StreamConfiguration, logger: Logger
    ) async throws(NatsFailure) -> JetStreamPublisher {
        try configuration.validate()
        try stream.validate()
        let state = PublisherState(waker: try Waker())
        let thread = Thread { PublisherLoop(configuration, stream: stream, state: state, logger: logger).run() }
        thread.name = "nats-publisher"
        thread.start()
        let publisher = JetStreamPublisher(state, stream)
        if let failure = await state.firstAttempt.value(), failure.needsOperator {
            await publisher.close()
            throw failure
        }
        return publisher
    }

    public var connectionEpoch: Int { state.epoch }

    /// True between a connection and its loss.
    public var isConnected: Bool { state.isConnected }

    /// The server of the last connection; nil before the first.
    public var server: NatsServerFacts? { state.facts }

    /// Why there is no connection now; nil while there is one.
    public var lastFailure: NatsFailure? { state.lastFailure }

    public func connections() -> AsyncStream<Int> { state.connections() }

    public func publish(_ message: OutboundMessage) async -> PublishOutcome {
        let answer = await state.exchange(
            message.subject, messageID: message.id, payload: message.payload, connection: message.connection)
        return PublishOutcome(answer, stream: stream.name)
    }

    /// Asks the stream's leader, never a replica.
    public func lastStored(of user: UserID) async throws -> StoredMessage? {
        let body = JSONValue.object(["last_by_subj": .string(EventSubject.wildcard(user: user))]).json
        return try LookedUpMessage(try await request("$JS.API.STREAM.MSG.GET.\(stream.name)", body))?.stored()
    }

    public func firstStored(of user: UserID) async throws -> StoredMessage? {
        try await lookUp(user, from: 1)?.stored()
    }

    fileprivate func lookUp(_ user: UserID, from sequence: UInt64) async throws -> LookedUpMessage? {
        let body: JSONValue = .object([
            "seq": .integer(Int64(clamping: max(1, sequence))),
            "next_by_subj": .string(EventSubject.wildcard(user: user)),
        ])
        return try LookedUpMessage(try await request("$JS.API.STREAM.MSG.GET.\(stream.name)", body.json))
    }

    public func streamState() async throws -> StreamState {
        try StreamState(info: try await request("$JS.API.STREAM.INFO.\(stream.name)", []))
    }

    /// Waits until everything in flight has its outcome (at most the answer time-out), then closes the connection.
    public func close() async {
        state.stop()
        await state.end.value()
    }

    fileprivate func request(_ subject: String, _ body: [UInt8]) async throws(PublisherUnavailable) -> [UInt8] {
        switch await state.exchange(subject, payload: body) {
        case .reply(let bytes): return bytes
        case .noResponders: throw PublisherUnavailable(reason: "JetStream does not answer")
        case .timedOut: throw PublisherUnavailable(reason: "\(subject) was not answered in time")
        case .disconnected: throw PublisherUnavailable(reason: "the connection was lost")
        case .notConnected: throw PublisherUnavailable(reason: "not connected")
        case .closed: throw PublisherUnavailable(reason: "the publisher is closed")
        case .notPermitted(let text), .tooLarge(let text): throw PublisherUnavailable(reason: text)
        }
    }
}

extension JetStreamPublisher: EventArchive {
    public func message(of user: UserID, from streamSequence: UInt64) async throws -> ArchivedMessage? {
        try await lookUp(user, from: streamSequence)?.archived()
    }

    public func erase(streamSequence: UInt64) async throws {
        let body: JSONValue = .object(["seq": .integer(Int64(clamping: streamSequence)), "no_erase": false])
        let answer = try await request("$JS.API.STREAM.MSG.DELETE.\(stream.name)", body.json)
        try Deletion.check(answer, streamSequence)
    }
}
