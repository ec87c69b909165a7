import MailModel

/// How publishing is doing.
public struct DispatchMetrics: Sendable, Hashable {
    /// Whether anything can be published.
    public enum State: Sendable, Hashable {
        /// No connection yet, or it was lost.
        case disconnected
        case open
        /// Publishing waits: with the reason.
        case paused(String)
        /// Publishing is not permitted: with the server's words. Ends with the next connection.
        case halted(String)
    }

    public var state: State = .disconnected
    /// Messages that the stream acknowledged since the start, duplicates included.
    public var published = 0
    /// Those of them that it had before.
    public var duplicates = 0
    /// Publishes of which nothing is known.
    public var unknowns = 0
    /// Times the stream was asked for a user's last message.
    public var lookups = 0
    /// Confirmed events that were sent again because the stream had lost them.
    public var resent = 0
    /// Users whose publishing is stopped at a message that can never be published, as far as they were met.
    public var deadLetters = 0
    /// Users whose store is older than the stream, as far as they were met.
    public var behind = 0
    /// Messages on their way now.
    public var inFlight = 0
    public var usersActive = 0
    public var usersReady = 0
    public var usersWaiting = 0
    /// When the oldest event was recorded that waits in an outbox that was looked at.
    public var oldestUnpublishedAt: UnixSeconds?
    /// From sending to the acknowledgement, in milliseconds; nil before the first.
    public var latencyMedianMilliseconds: Double?
    public var latency99thPercentileMilliseconds: Double?

    public init() {}
}

/// The last latencies, in a ring.
struct LatencyRing: Sendable {
    private var values: [Double] = []
    private var next = 0
    private let capacity: Int

    init(capacity: Int) { self.capacity = max(1, capacity) }

    mutating func add(_ milliseconds: Double) {
        if values.count < capacity {
            values.append(milliseconds)
        } else {
            values[next] = milliseconds
            next = (next + 1) % capacity
        }
    }

    /// - Parameter share: 0.5 for the median.
    func percentile(_ share: Double) -> Double? {
        guard !values.isEmpty else { return nil }
        return values.sorted()[min(values.count - 1, Int(Double(values.count) * share))]
    }
}
