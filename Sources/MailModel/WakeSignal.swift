import Synchronization

/// One waiting task, and a flag that is not lost when nobody waits.
public final class WakeSignal: Sendable {
    private struct State {
        var raised = false
        var waiter: CheckedContinuation<Void, Never>?
    }
    private let state = Mutex(State())

    public init() {}

    /// Wakes the waiting task, or the next one to wait.
    public func raise() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let waiter = state.waiter else {
                state.raised = true
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }

    /// Returns when the signal is raised, the time is over or the task is cancelled, whichever is first.
    public func wait(atMost duration: Duration?, time: any TimeSource) async {
        await withTaskGroup(of: Void.self) { race in
            if let duration {
                race.addTask {
                    do { try await time.sleep(for: duration) } catch { return }
                    self.raise()
                }
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in
                    let ready = state.withLock { state in
                        if state.raised || Task.isCancelled {
                            state.raised = false
                            return true
                        }
                        state.waiter = waiter
                        return false
                    }
                    if ready { waiter.resume() }
                }
            } onCancel: {
                raise()
            }
            race.cancelAll()
        }
    }
}
