import MailModel
import Synchronization

/// A message or request on its way to the server; its continuation gets exactly one answer.
struct Outgoing: Sendable {
    var subject: String
    var messageID: String?
    var payload: [UInt8]
    /// False when nobody is asked to answer: being handed to the connection is the answer then, with no bytes.
    var asksForReply = true
    var answer: CheckedContinuation<Answer, Never>
}

/// What callers and the publisher's thread share.
final class PublisherState: Sendable {
    private struct State {
        var waiting: [Outgoing] = []
        var refusals: [String] = []
        var connected = false
        var stopping = false
        var ended = false
        var epoch = 0
        var facts: NatsServerFacts?
        var lastFailure: NatsFailure?
        var watchers: [Int: AsyncStream<Int>.Continuation] = [:]
        var nextWatcher = 0
    }

    /// What the thread takes each time it looks.
    struct Work {
        var outgoing: ArraySlice<Outgoing>
        var refusals: [String]
        var stopping: Bool
    }

    let waker: Waker
    /// How the first attempt to connect ended; nil is success.
    let firstAttempt = Promise<NatsFailure?>()
    /// Kept when the thread is done.
    let end = Promise<Void>()
    private let state = Mutex(State())

    init(waker: Waker) { self.waker = waker }

    var epoch: Int { state.withLock { $0.epoch } }
    var isConnected: Bool { state.withLock { $0.connected } }
    var facts: NatsServerFacts? { state.withLock { $0.facts } }
    var lastFailure: NatsFailure? { state.withLock { $0.lastFailure } }
    var isStopping: Bool { state.withLock { $0.stopping } }

    /// Sends and waits for the answer.
    ///
    /// - Parameter connection: the only one over which it may be sent; nil: any. It is enough to check it here: what
    ///   waits when a connection ends is never sent over the next one.
    func exchange(
        _ subject: String, messageID: String? = nil, payload: [UInt8], connection: Int? = nil,
        asksForReply: Bool = true
    ) async -> Answer {
        await withCheckedContinuation { answer in
            let outgoing = Outgoing(
                subject: subject, messageID: messageID, payload: payload, asksForReply: asksForReply, answer: answer)
            let refused: Answer? = state.withLock { state in
                if state.stopping || state.ended { return .closed }
                guard state.connected, connection ?? state.epoch == state.epoch else { return .notConnected }
                state.waiting.append(outgoing)
                return nil
            }
            if let refused { answer.resume(returning: refused) } else { waker.wake() }
        }
    }

    /// The next things to send, at most `max`.
    func take(max: Int) -> Work {
        state.withLock { state in
            let taken = state.waiting.prefix(max)
            state.waiting.removeFirst(taken.count)
            defer { state.refusals = [] }
            return Work(outgoing: taken, refusals: state.refusals, stopping: state.stopping && state.waiting.isEmpty)
        }
    }

    /// The server denied a subject.
    func refuse(_ text: String) {
        state.withLock { $0.refusals.append(text) }
        waker.wake()
    }

    /// From here on messages are accepted.
    func connected(_ facts: NatsServerFacts) {
        let (epoch, watchers) = state.withLock { state in
            state.connected = true
            state.facts = facts
            state.lastFailure = nil
            state.epoch += 1
            return (state.epoch, Array(state.watchers.values))
        }
        for watcher in watchers { watcher.yield(epoch) }
        firstAttempt.keep(nil)
    }

    /// From here on messages are refused; returns what was accepted and not yet sent.
    func disconnected(_ failure: NatsFailure?) -> [Outgoing] {
        let left = state.withLock { state in
            state.connected = false
            state.lastFailure = failure ?? state.lastFailure
            defer { state.waiting = [] }
            return state.waiting
        }
        firstAttempt.keep(failure)
        return left
    }

    func stop() {
        state.withLock { $0.stopping = true }
        waker.wake()
    }

    func ended() {
        let watchers = state.withLock { state in
            state.ended = true
            defer { state.watchers = [:] }
            return Array(state.watchers.values)
        }
        for watcher in watchers { watcher.finish() }
        end.keep(())
    }

    func connections() -> AsyncStream<Int> {
        AsyncStream { watcher in
            let (id, ended) = state.withLock { state in
                state.nextWatcher += 1
                watcher.yield(state.epoch)
                if !state.ended { state.watchers[state.nextWatcher] = watcher }
                return (state.nextWatcher, state.ended)
            }
            if ended { watcher.finish() }
            watcher.onTermination = { [weak self] _ in
                self?.state.withLock { $0.watchers[id] = nil }
            }
        }
    }
}
