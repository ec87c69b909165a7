import Metrics
import Synchronization

/// Keeps metrics in memory and renders them in the Prometheus text format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
///
/// Cardinality is bounded: what comes after ``seriesPerNameMax`` label sets of a name goes into one series labelled
/// `overflow="true"`, and after ``namesMax`` names new ones are not kept.
public final class PrometheusMetrics: MetricsFactory {
    public static let seriesPerNameMax = 200
    public static let namesMax = 500
    /// Upper bounds of duration histograms, in seconds.
    public static let secondsBuckets = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// Upper bounds of histograms of other values.
    public static let valueBuckets: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

    private struct Family {
        let kind: MetricKind
        var series: [String: MetricSeries] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    public init() {}

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter)
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge)
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        series(label, dimensions, aggregate ? .histogram(Self.valueBuckets) : .gauge)
    }

    /// A histogram in seconds: name it `…_seconds`.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram(Self.secondsBuckets))
    }

    // Prometheus expects a series to stay: nothing is destroyed.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// Everything, sorted by name and labels.
    public func render() -> String {
        let sorted = families.withLock { families in
            families.map { (name: $0.key, kind: $0.value.kind, series: $0.value.series) }
        }.sorted { $0.name < $1.name }
        var lines: [String] = []
        for family in sorted {
            lines.append("# TYPE \(family.name) \(family.kind.name)")
            for (_, series) in family.series.sorted(by: { $0.key < $1.key }) {
                lines += series.lines(name: family.name)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func series(_ label: String, _ dimensions: [(String, String)], _ kind: MetricKind) -> MetricSeries {
        let name = Self.sanitised(label)
        let labels = Self.rendered(dimensions)
        return families.withLock { families in
            guard families[name] != nil || families.count < Self.namesMax else { return MetricSeries(kind, labels: "") }
            var family = families[name] ?? Family(kind: kind)
            // A name used for two kinds keeps the first; the other is counted where nobody looks.
            guard family.kind == kind else { return MetricSeries(kind, labels: labels) }
            let key =
                family.series[labels] == nil && family.series.count >= Self.seriesPerNameMax
                ? #"overflow="true""# : labels
            let series = family.series[key] ?? MetricSeries(kind, labels: key)
            family.series[key] = series
            families[name] = family
            return series
        }
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    private static func sanitised(_ name: String) -> String {
        let plain = name.unicodeScalars.map { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                || scalar == "_" || scalar == ":" ? Character(scalar) : "_"
        }
        return plain.first?.isNumber ?? true ? "_" + String(plain) : String(plain)
    }

    private static func rendered(_ dimensions: [(String, String)]) -> String {
        dimensions.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(sanitised(name))=\"\(escaped)\""
        }.joined(separator: ",")
    }
}
