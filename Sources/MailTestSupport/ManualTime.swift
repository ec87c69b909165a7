import MailModel
import Synchronization

/// A clock that moves only when a test says so.
public final class ManualTime: TimeSource {
    private struct Sleeper {
        let id: Int
        let deadline: Int64
        let wake: CheckedContinuation<Void, any Error>
    }
    private struct State {
        var now: Int64
        var nextID = 0
        var sleepers: [Sleeper] = []
        var cancelled: Set<Int> = []
        var waiters: [(count: Int, resume: CheckedContinuation<Void, Never>)] = []
    }
    private let state: Mutex<State>

    public init(nowMilliseconds: Int64 = 1_700_000_000_000) { state = Mutex(State(now: nowMilliseconds)) }

    public func nowMilliseconds() -> Int64 { state.withLock { $0.now } }

    public func sleep(for duration: Duration) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
                let (result, ready) = state.withLock {
                    state -> (Result<Void, any Error>?, [CheckedContinuation<Void, Never>]) in
                    if state.cancelled.remove(id) != nil { return (.failure(CancellationError()), []) }
                    let deadline = state.now + max(0, duration.milliseconds)
                    if deadline <= state.now { return (.success(()), []) }
                    state.sleepers.append(Sleeper(id: id, deadline: deadline, wake: wake))
                    let count = state.sleepers.count
                    let ready = state.waiters.filter { $0.count <= count }.map(\.resume)
                    state.waiters.removeAll { $0.count <= count }
                    return (nil, ready)
                }
                if let result { wake.resume(with: result) }
                for waiter in ready { waiter.resume() }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.wake.resume(throwing: CancellationError())
        }
    }

    /// Moves the clock and wakes whoever slept until then.
    public func advance(by duration: Duration) {
        let due = state.withLock { state -> [Sleeper] in
            state.now += duration.milliseconds
            let due = state.sleepers.filter { $0.deadline <= state.now }
            state.sleepers.removeAll { $0.deadline <= state.now }
            return due.sorted { $0.deadline < $1.deadline }
        }
        for sleeper in due { sleeper.wake.resume() }
    }

    /// Returns when at least so many tasks sleep.
    public func waitForSleepers(_ count: Int = 1) async {
        await withCheckedContinuation { (resume: CheckedContinuation<Void, Never>) in
            let now = state.withLock { state in
                if state.sleepers.count >= count { return true }
                state.waiters.append((count, resume))
                return false
            }
            if now { resume.resume() }
        }
    }
}
