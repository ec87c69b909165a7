import MailModel
import Synchronization

/// What the dispatcher has done since the start, for status and metrics.
public struct DispatchReport: Sendable, Hashable {
    /// Messages the stream acknowledged as new.
    public var published: Int
    /// Messages the stream had before.
    public var duplicates: Int
    /// Attempts whose outcome was unknown.
    public var unknowns: Int
    /// Users whose publishing stands at a message that can never be stored.
    public var deadLetters: Int
    /// Users whose store is behind the stream.
    public var storesBehind: Int
    /// Users being served now.
    public var usersInFlight: Int
    /// Publish to acknowledgement, over the last 1024 messages, in milliseconds; nil before the first.
    public var latencyMedianMilliseconds: Double?
    public var latency99thMilliseconds: Double?
    /// Why nothing is published now; nil while publishing is possible.
    public var stoppedBecause: String?
}

/// Counters that the serving tasks share.
final class DispatchCounters: Sendable {
    /// Latencies kept.
    static let latenciesMax = 1024

    struct State: Sendable {
        var published = 0
        var duplicates = 0
        var unknowns = 0
        var deadLetters: Set<UserID> = []
        var behind: Set<UserID> = []
        var stoppedBecause: String?
        var latencies: [Double] = []
        var nextLatency = 0
    }

    private let state = Mutex(State())

    func change<R: Sendable>(_ body: (inout State) -> R) -> R { state.withLock { body(&$0) } }

    func note(latencyMilliseconds: Double) {
        state.withLock { state in
            if state.latencies.count < Self.latenciesMax {
                state.latencies.append(latencyMilliseconds)
            } else {
                state.latencies[state.nextLatency] = latencyMilliseconds
                state.nextLatency = (state.nextLatency + 1) % Self.latenciesMax
            }
        }
    }

    func report(usersInFlight: Int) -> DispatchReport {
        let state = state.withLock { $0 }
        let sorted = state.latencies.sorted()
        let quantile = { (q: Double) in sorted.isEmpty ? nil : sorted[min(sorted.count - 1, Int(Double(sorted.count) * q))] }
        return DispatchReport(
            published: state.published, duplicates: state.duplicates, unknowns: state.unknowns,
            deadLetters: state.deadLetters.count, storesBehind: state.behind.count, usersInFlight: usersInFlight,
            latencyMedianMilliseconds: quantile(0.5), latency99thMilliseconds: quantile(0.99),
            stoppedBecause: state.stoppedBecause)
    }
}
