import MailModel

/// The dispatcher's limits.
public struct DispatchSettings: Sendable, Hashable {
    /// Users whose events are being published at the same time; each has one message in flight.
    public var usersAtOnceMax = 256
    /// Messages of one user in a row, before others get their turn.
    public var quantumMessages = 200
    /// Rows read from an outbox at once; progress is written after each such chunk.
    public var chunkRows = 100
    /// How old events may be that are sent again because the stream lost them (`STREAM_MAX_AGE`), in seconds.
    public var streamMaxAgeSeconds: Int64 = 30 * 24 * 3600
    /// Interval of the visits to all users' stores, a back-stop for lost wake-ups, in milliseconds; nil: never.
    public var sweepIntervalMilliseconds: Int64? = 600_000
    /// How long a graceful stop waits for what is in flight, in milliseconds.
    public var stopMillisecondsMax: Int64 = 8_000
    /// Latencies kept for the percentiles.
    public var latenciesKept = 1_024

    public init() {}
}

/// Waiting times between attempts: exponential from 50 ms to 30 s, with full jitter.
struct Backoff: Sendable, Hashable {
    static let millisecondsMin: Int64 = 50
    static let millisecondsMax: Int64 = 30_000

    /// - Parameters:
    ///   - attempts: failed attempts so far, at least 1.
    ///   - jitter: 0 up to but not including 1.
    static func milliseconds(attempts: Int, jitter: Double) -> Int64 {
        let ceiling = min(millisecondsMax, millisecondsMin << Int64(min(max(attempts, 1), 20)))
        return millisecondsMin + Int64(Double(ceiling - millisecondsMin) * jitter)
    }
}
