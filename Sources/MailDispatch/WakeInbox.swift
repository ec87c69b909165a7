import MailModel
import Synchronization

/// What the dispatcher's run loop is told from outside: users to look at, and that it has to stop. Many wake-ups
/// before it looks count as one.
final class WakeInbox: Sendable {
    private struct State {
        var users: Set<UserID> = []
        var order: [UserID] = []
        var stopping = false
        var givenUp = false
        var held: Set<UserID> = []
    }

    /// One element for any number of things that happened.
    let signals: AsyncStream<Void>
    private let signalling: AsyncStream<Void>.Continuation
    private let state = Mutex(State())

    init() {
        (signals, signalling) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var isStopping: Bool { state.withLock { $0.stopping } }
    var hasGivenUp: Bool { state.withLock { $0.givenUp } }

    func add(_ user: UserID) {
        state.withLock { if $0.users.insert(user).inserted { $0.order.append(user) } }
        signal()
    }

    /// True while nothing of the user may be published.
    func isHeld(_ user: UserID) -> Bool { state.withLock { $0.held.contains(user) } }

    func hold(_ user: UserID) { state.withLock { _ = $0.held.insert(user) } }

    func release(_ user: UserID) {
        state.withLock { _ = $0.held.remove(user) }
        add(user)
    }

    /// The users added since the last call, in the order in which they were.
    func take() -> [UserID] {
        state.withLock { state in
            defer {
                state.users.removeAll(keepingCapacity: true)
                state.order = []
            }
            return state.order
        }
    }

    func stop() {
        state.withLock { $0.stopping = true }
        signal()
    }

    func giveUp() {
        state.withLock { $0.givenUp = true }
        signal()
    }

    func signal() { signalling.yield() }
}
