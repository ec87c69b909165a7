/// How often passes failed, by code. A value; times are Unix seconds.
struct FailureTally: Sendable {
    /// Different codes kept; failures beyond them are not counted by code.
    static let codesMax = 100

    private struct Entry: Sendable {
        var total = 0
        /// Failures by minute, for the last hour.
        var minutes: [Int64: Int] = [:]
    }

    private var entries: [String: Entry] = [:]

    mutating func note(_ code: String, at now: Int64) {
        guard entries[code] != nil || entries.count < Self.codesMax else { return }
        var entry = entries[code] ?? Entry()
        entry.total += 1
        entry.minutes[now / 60, default: 0] += 1
        entry.minutes = entry.minutes.filter { $0.key > now / 60 - 60 }
        entries[code] = entry
    }

    func counts(at now: Int64) -> [FailureCount] {
        entries.map { code, entry in
            let recent = entry.minutes.filter { $0.key > now / 60 - 60 }.values.reduce(0, +)
            return FailureCount(code: code, total: entry.total, lastHour: recent)
        }
        .sorted { ($1.lastHour, $1.total, $0.code) < ($0.lastHour, $0.total, $1.code) }
    }
}

/// How often passes failed with one code since the start.
public struct FailureCount: Sendable, Hashable {
    public var code: String
    public var total: Int
    public var lastHour: Int
}
