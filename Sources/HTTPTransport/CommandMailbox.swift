import Synchronization

/// A checked request on its way to the loop. `answer` is resumed exactly once, by whoever holds the submission.
struct Submission: Sendable {
    let id: UInt64
    let request: HTTPRequest
    let url: AllowedURL
    let answer: CheckedContinuation<HTTPResponse, any Error>
}

/// What callers tell the loop's thread, in order.
final class CommandMailbox: Sendable {
    enum Command: Sendable {
        case start(Submission)
        case cancel(UInt64)
    }

    private struct State {
        var lastID: UInt64 = 0
        var commands: [Command] = []
        /// Submitted and not yet answered.
        var open = 0
        var isClosed = false
        var hasEnded = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let requestsMax: Int
    private let multi: MultiHandle
    private let state = Mutex(State())

    init(requestsMax: Int, multi: MultiHandle) {
        self.requestsMax = requestsMax
        self.multi = multi
    }

    func nextID() -> UInt64 {
        state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
    }

    /// Takes the submission over, or says why not.
    func submit(_ submission: Submission) -> TransportError? {
        let refusal = state.withLock { state -> TransportError? in
            if state.isClosed { return .shutDown }
            if state.open >= requestsMax { return .connection("\(requestsMax) requests are under way, the limit") }
            state.open += 1
            state.commands.append(.start(submission))
            return nil
        }
        if refusal == nil { multi.wakeUp() }
        return refusal
    }

    /// Has no effect when the request is not, or no longer, there.
    func cancel(_ id: UInt64) {
        state.withLock { state in
            if !state.isClosed { state.commands.append(.cancel(id)) }
        }
        multi.wakeUp()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        multi.wakeUp()
    }

    func waitUntilEnded() async {
        await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.waiters.append(waiter) }
                return state.hasEnded
            }
            if hasEnded { waiter.resume() }
        }
    }

    // MARK: the loop's side

    func take() -> (commands: [Command], isClosed: Bool) {
        state.withLock { state in
            defer { state.commands.removeAll(keepingCapacity: true) }
            return (state.commands, state.isClosed)
        }
    }

    func answered() { state.withLock { $0.open -= 1 } }

    func end() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
