import Metrics
import Synchronization

/// What a series is to Prometheus.
enum MetricKind: Sendable, Hashable {
    case counter
    case gauge
    /// With these upper bounds, ascending.
    case histogram([Double])

    var name: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }
}

/// One name with one set of labels.
final class MetricSeries: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    private struct Values {
        var value = 0.0
        /// Per bound, plus one for what is above all of them.
        var buckets: [Int]
        var count = 0
    }

    private let kind: MetricKind
    private let labels: String
    private let values: Mutex<Values>

    init(_ kind: MetricKind, labels: String) {
        self.kind = kind
        self.labels = labels
        let bounds = if case .histogram(let bounds) = kind { bounds.count } else { 0 }
        values = Mutex(Values(buckets: Array(repeating: 0, count: bounds + 1)))
    }

    func increment(by amount: Int64) { add(Double(amount)) }
    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { values.withLock { $0.value = value } }
    func reset() { set(0.0) }
    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Double) {
        guard case .histogram(let bounds) = kind else { return set(value) }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        values.withLock { values in
            values.buckets[bucket] += 1
            values.count += 1
            values.value += value
        }
    }

    private func add(_ amount: Double) { values.withLock { $0.value += amount } }

    func lines(name: String) -> [String] {
        let values = values.withLock { $0 }
        guard case .histogram(let bounds) = kind else {
            return ["\(name)\(braced(labels)) \(Self.number(values.value))"]
        }
        var lines: [String] = []
        var cumulative = 0
        for (bound, count) in zip(bounds.map(Self.number) + ["+Inf"], values.buckets) {
            cumulative += count
            let separator = labels.isEmpty ? "" : ","
            lines.append("\(name)_bucket\(braced("\(labels)\(separator)le=\"\(bound)\"")) \(cumulative)")
        }
        lines.append("\(name)_sum\(braced(labels)) \(Self.number(values.value))")
        lines.append("\(name)_count\(braced(labels)) \(values.count)")
        return lines
    }

    private func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{\(labels)}" }

    /// Whole numbers without a fraction, and the format's own words for the rest.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}
