import Foundation

/// Seconds since 1970-01-01 UTC, as events and stores carry them.
public typealias UnixSeconds = Int64

/// The time, as an input. Everything that needs a clock takes one of these, so tests decide what time it is.
public protocol TimeSource: Sendable {
    /// Wall-clock time in milliseconds since 1970-01-01 UTC.
    func nowMilliseconds() -> Int64
    /// Suspends for the duration.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    func sleep(for duration: Duration) async throws
}

extension TimeSource {
    /// Wall-clock time in whole seconds.
    public func now() -> UnixSeconds { nowMilliseconds() / 1000 }
}

/// The machine's clock.
public struct SystemTime: TimeSource {
    public init() {}

    public func nowMilliseconds() -> Int64 {
        var spec = timespec()
        clock_gettime(CLOCK_REALTIME, &spec)
        return Int64(spec.tv_sec) * 1000 + Int64(spec.tv_nsec) / 1_000_000
    }

    public func sleep(for duration: Duration) async throws {
        try await Task.sleep(for: duration, clock: .continuous)
    }
}

extension Duration {
    /// Whole milliseconds, rounded down; saturates instead of trapping.
    public var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }

    /// Seconds as a floating-point number.
    public var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
