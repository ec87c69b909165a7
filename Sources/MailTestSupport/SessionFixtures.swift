import MailModel
import Synchronization

/// A clock that never makes anybody wait: sleeping moves it.
public final class InstantTime: TimeSource {
    public init() {}
    private let state = Mutex((now: Int64(1_767_225_600_000), slept: [Duration]()))
    public func nowMilliseconds() -> Int64 { state.withLock { $0.now } }
    public func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        state.withLock { state in
            state.now += max(0, duration.milliseconds)
            state.slept.append(duration)
        }
    }
    /// Time passes.
    public func advance(by duration: Duration) { state.withLock { $0.now += duration.milliseconds } }
    /// How long was slept, each time.
    public var slept: [Duration] { state.withLock { $0.slept } }
}

/// A budget that grants everything and remembers what it was told.
public final class RecordingBudget: QuotaBudget {
    public init() {}
    private struct State {
        var units = 0
        var throttles: [Duration] = []
        var slows: (@Sendable (Int) -> Void)?
    }
    private let state = Mutex(State())
    /// Called with the units of every spending.
    public var slows: (@Sendable (Int) -> Void)? {
        get { state.withLock { $0.slows } }
        set { state.withLock { $0.slows = newValue } }
    }
    public func spend(_ units: Int) async throws {
        try Task.checkCancellation()
        state.withLock { $0.units += units }
        slows?(units)
    }
    public func throttled(for duration: Duration) async { state.withLock { $0.throttles.append(duration) } }
    /// The units spent so far.
    public var units: Int { state.withLock { $0.units } }
    /// How long it was told to grant nothing, each time.
    public var throttles: [Duration] { state.withLock { $0.throttles } }
    /// The units spent since the last call of this.
    public func takeUnits() -> Int {
        state.withLock { state in
            defer { state.units = 0 }
            return state.units
        }
    }
}

/// Tokens of a grant; a refused one is replaced through `refresh`.
public final class GrantTokens: AccessTokens {
    private let token: Mutex<Secret>
    public let replaced = Counter()
    private let refresh: @Sendable () throws -> Secret
    public init(_ first: Secret, refresh: @escaping @Sendable () throws -> Secret) {
        token = Mutex(first)
        self.refresh = refresh
    }
    public func current() async throws -> Secret { token.withLock { $0 } }
    public func replacing(_ rejected: Secret) async throws -> Secret {
        try token.withLock { token in
            if token != rejected { return token }
            replaced.increment()
            token = try refresh()
            return token
        }
    }
}
