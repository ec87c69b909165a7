/// How long a failing account waits: exponential with full jitter, so that accounts that failed together do not come
/// back together.
public struct Backoff: Sendable, Hashable {
    /// The wait after the first failure, before jitter.
    public var first: Duration
    /// No wait is longer.
    public var longest: Duration

    public init(first: Duration = .seconds(1), longest: Duration = .seconds(900)) {
        self.first = first
        self.longest = longest
    }

    /// The wait before the next try.
    ///
    /// - Parameters:
    ///   - failures: consecutive failures so far, 1 or more.
    ///   - random: uniform in 0..<1.
    /// - Returns: between half of and the whole exponential step, at most ``longest``.
    public func delay(failures: Int, random: Double) -> Duration {
        let exponent = min(max(failures, 1) - 1, 30)
        let step = min(first.inSeconds * Double(1 << exponent), longest.inSeconds)
        return .milliseconds(Int64(step * (0.5 + random / 2) * 1000))
    }
}
