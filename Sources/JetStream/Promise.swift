import Synchronization

/// A value that is set once and may be waited for by many.
final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case open([CheckedContinuation<Value, Never>])
        case kept(Value)
    }

    private let state = Mutex(State.open([]))

    /// Sets the value; later calls change nothing.
    func keep(_ value: Value) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value, Never>] in
            guard case .open(let waiters) = state else { return [] }
            state = .kept(value)
            return waiters
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    func value() async -> Value {
        await withCheckedContinuation { waiter in
            let kept = state.withLock { state -> Value? in
                switch state {
                case .kept(let value): return value
                case .open(let waiters):
                    state = .open(waiters + [waiter])
                    return nil
                }
            }
            if let kept { waiter.resume(returning: kept) }
        }
    }
}
