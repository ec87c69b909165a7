import Foundation

/// Reads settings one by one and gathers what is wrong with them, so that all bad ones are reported at once.
struct SettingReader {
    let values: SettingValues
    private(set) var problems: [String] = []

    init(_ values: SettingValues) { self.values = values }

    mutating func text(_ variable: String, default standard: String) -> String { values[variable] ?? standard }

    func optional(_ variable: String) -> String? { values[variable] }

    mutating func integer(_ variable: String, default standard: Int, in range: ClosedRange<Int>) -> Int {
        read(variable, default: standard, accepted: "a whole number from \(range.lowerBound) to \(range.upperBound)") {
            Int($0).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func duration(
        _ variable: String, default standard: Duration, in range: ClosedRange<Duration>
    ) -> Duration {
        let accepted = "a duration such as 500ms, 30s, 10m, 12h or 30d, from \(range.lowerBound) to \(range.upperBound)"
        return read(variable, default: standard, accepted: accepted) { text in
            DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func url(_ variable: String, default standard: String) -> String {
        read(variable, default: standard, accepted: Self.urlAccepted, Self.checkedURL)
    }

    mutating func requiredURL(_ variable: String) -> String {
        guard values[variable] != nil else {
            problems.append("\(variable) is not set: it is required; \(Self.urlAccepted) is accepted")
            return ""
        }
        return read(variable, default: "", accepted: Self.urlAccepted, Self.checkedURL)
    }

    mutating func choice(_ variable: String, default standard: String, of choices: [String]) -> String {
        read(variable, default: standard, accepted: choices.joined(separator: ", ")) { choices.contains($0) ? $0 : nil }
    }

    /// Reads with `parse`, which returns nil for what is not accepted.
    mutating func read<Value>(
        _ variable: String, default standard: Value, accepted: String, _ parse: (String) -> Value?
    ) -> Value {
        guard let text = values[variable] else { return standard }
        if let value = parse(text) { return value }
        let isSecret = Setting.all.first { $0.variable == variable }?.isSecret ?? true
        let shown = isSecret ? "its value" : "“\(text.prefix(200))”"
        problems.append("\(variable): \(shown) is not accepted; \(accepted) is")
        return standard
    }

    mutating func note(_ problem: String) { problems.append(problem) }

    private static let urlAccepted = "an https URL, or http to a loopback address,"

    private static func checkedURL(_ text: String) -> String? {
        guard let url = URLComponents(string: text), let host = url.host, !host.isEmpty, url.user == nil else {
            return nil
        }
        let trimmed = text.hasSuffix("/") ? String(text.dropLast()) : text
        switch url.scheme {
        case "https": return trimmed
        case "http" where host == "localhost" || host == "::1" || host == "[::1]" || host.hasPrefix("127."):
            return trimmed
        default: return nil
        }
    }
}

/// Durations as people write them: a number and a unit.
enum DurationText {
    /// `500ms`, `30s`, `10m`, `12h`, `30d`; nil for anything else.
    static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number >= 0, number <= 1_000_000_000 else { return nil }
        switch text.dropFirst(digits.count) {
        case "ms": return .milliseconds(number)
        case "s": return .seconds(number)
        case "m": return .seconds(number * 60)
        case "h": return .seconds(number * 3600)
        case "d": return .seconds(number * 86_400)
        default: return nil
        }
    }
}
