import MailModel
import Synchronization

/// A stream in memory that fails when a test says so.
final class ScriptedPublisher: EventPublisher {
    struct Call: Sendable, Hashable {
        var user: String
        var seq: Int64
    }

    struct State: Sendable {
        var epoch = 1
        var stored: [OutboundMessage] = []
        var calls: [Call] = []
        var lookups: [String] = []
        var inFlight: Set<UserID> = []
        var overlapped = false
        var available = true
        var created = "A"
        /// Called for every publish; nil stores the message.
        var script: @Sendable (OutboundMessage, Int) -> PublishOutcome? = { _, _ in nil }
        var watchers: [AsyncStream<Int>.Continuation] = []
        var waiters: [(count: Int, resume: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    func update<R: Sendable>(_ body: (inout State) -> R) -> R { state.withLock { body(&$0) } }
    var stored: [Call] { update { $0.stored.map { Call(user: $0.user.encoded, seq: $0.seq) } } }
    var calls: [Call] { update { $0.calls } }

    func publish(_ message: OutboundMessage) async -> PublishOutcome {
        update { state in
            if !state.inFlight.insert(message.user).inserted { state.overlapped = true }
        }
        await Task.yield()
        let (outcome, ready) = update { state in
            state.inFlight.remove(message.user)
            state.calls.append(Call(user: message.user.encoded, seq: message.seq))
            return (state.outcome(message), state.takeWaiters())
        }
        for waiter in ready { waiter.resume() }
        return outcome
    }

    func lastStored(of user: UserID) async throws -> StoredMessage? {
        try update { state -> Result<StoredMessage?, PublisherUnavailable> in
            guard state.available else { return .failure(PublisherUnavailable(reason: "scripted")) }
            state.lookups.append(user.encoded)
            guard let index = state.stored.lastIndex(where: { $0.user == user }) else { return .success(nil) }
            let message = state.stored[index]
            return .success(StoredMessage(id: message.id, seq: message.seq, streamSequence: UInt64(index + 1)))
        }.get()
    }

    func firstStored(of user: UserID) async throws -> StoredMessage? {
        update { state in
            guard let index = state.stored.firstIndex(where: { $0.user == user }) else { return nil }
            let message = state.stored[index]
            return StoredMessage(id: message.id, seq: message.seq, streamSequence: UInt64(index + 1))
        }
    }

    func streamState() async throws -> StreamState {
        try update { state -> Result<StreamState, PublisherUnavailable> in
            guard state.available else { return .failure(PublisherUnavailable(reason: "scripted")) }
            return .success(
                StreamState(
                    created: state.created, lastSequence: UInt64(state.stored.count), firstSequence: 1,
                    duplicateWindowMilliseconds: 2_000))
        }.get()
    }

    var connectionEpoch: Int { update { $0.epoch } }

    func connections() -> AsyncStream<Int> {
        AsyncStream { watcher in
            update { state in
                watcher.yield(state.epoch)
                state.watchers.append(watcher)
            }
        }
    }

    func reconnect() {
        let (epoch, watchers) = update { state in
            state.epoch += 1
            return (state.epoch, state.watchers)
        }
        for watcher in watchers { watcher.yield(epoch) }
    }

    /// Returns when so many messages were published, whatever came of them.
    func waitForCalls(_ count: Int) async {
        await withCheckedContinuation { (resume: CheckedContinuation<Void, Never>) in
            let now = update { state in
                if state.calls.count >= count { return true }
                state.waiters.append((count, resume))
                return false
            }
            if now { resume.resume() }
        }
    }
}

extension ScriptedPublisher.State {
    fileprivate mutating func outcome(_ message: OutboundMessage) -> PublishOutcome {
        guard message.connection ?? epoch == epoch else { return .unknown(reason: "another connection") }
        if let scripted = script(message, calls.count) { return scripted }
        return store(message)
    }

    /// What a real stream does within its duplicate window.
    mutating func store(_ message: OutboundMessage) -> PublishOutcome {
        if let index = stored.firstIndex(where: { $0.id == message.id }) {
            return .stored(streamSequence: UInt64(index + 1), duplicate: true)
        }
        stored.append(message)
        return .stored(streamSequence: UInt64(stored.count), duplicate: false)
    }

    fileprivate mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
        let ready = waiters.filter { $0.count <= calls.count }.map(\.resume)
        waiters.removeAll { $0.count <= calls.count }
        return ready
    }
}

/// A stream that never answers a publish until the task is cancelled.
final class SilentPublisher: EventPublisher {
    /// Kept when something was published.
    let asked = Flag()
    private let answers = AsyncStream<Void>.makeStream()

    func publish(_ message: OutboundMessage) async -> PublishOutcome {
        asked.raise()
        for await _ in answers.stream {}
        return .unknown(reason: "silence")
    }

    func lastStored(of user: UserID) async throws -> StoredMessage? { nil }
    func firstStored(of user: UserID) async throws -> StoredMessage? { nil }
    func streamState() async throws -> StreamState {
        StreamState(created: "A", lastSequence: 0, firstSequence: 1, duplicateWindowMilliseconds: 2_000)
    }
    var connectionEpoch: Int { 1 }
    func connections() -> AsyncStream<Int> { AsyncStream { $0.yield(1) } }
}

/// Something that happens once, to wait for.
final class Flag: Sendable {
    private let stream = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    func raise() { stream.continuation.yield() }
    func value() async { for await _ in stream.stream { return } }
}
