/// The table that is printed: Markdown, so that it can go into a document as it is.
struct Report {
    let summaries: [Summary]
    let baseline: Baseline?

    private static let header = [
        "figure", "accounts", "messages/s", "spread", "× limit", "CPU µs", "peak MB", "baseline messages/s",
        "baseline × limit",
        "change",
    ]

    var text: String {
        let rows = [Self.header] + summaries.map(row)
        let widths = Self.header.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in Self.line(zip(row, widths).map(Self.padded)) }
        let rule = Self.line(widths.map { String(repeating: "-", count: $0) })
        return ([lines[0], rule] + lines.dropFirst()).joined(separator: "\n")
    }

    private func row(_ summary: Summary) -> [String] {
        let before = baseline?.figure(summary.figure, accounts: summary.accounts)
        return [
            summary.figure.title, "\(summary.accounts)", Self.rate(summary.perSecond),
            "\((summary.spread * 100).formatted(decimals: 0)) %", Self.ratio(summary.ratio),
            summary.processorMicroseconds.formatted(decimals: 0), Self.memory(summary),
            before.map { Self.rate($0.perSecond) } ?? "-", Self.ratio(before?.ratio),
            baseline?.change(of: summary).map(Self.change) ?? "-",
        ]
    }

    private static func rate(_ perSecond: Double) -> String { perSecond.formatted(decimals: 0) }

    private static func ratio(_ ratio: Double?) -> String { ratio?.formatted(decimals: 2) ?? "-" }

    /// The peak; with what was held before the run began, where that is much.
    private static func memory(_ summary: Summary) -> String {
        let (peak, ground) = (megabytes(summary.peakBytes), megabytes(summary.groundBytes))
        return summary.figure == .whole ? peak : "\(peak) (\(ground) before)"
    }

    private static func megabytes(_ bytes: Int) -> String { (Double(bytes) / 1e6).formatted(decimals: 0) }

    private static func change(_ change: Double) -> String {
        (change < 0 ? "-" : "+") + (abs(change) * 100).formatted(decimals: 0) + " %"
    }

    private static func padded(_ cell: String, _ width: Int) -> String {
        cell + String(repeating: " ", count: width - cell.count)
    }

    private static func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
}
