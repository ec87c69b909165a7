/// Reads the dates of messages, tolerantly (RFC 5322 §3.3 and §4.3), and writes them.
enum MailDate {
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    private static let zones: [String: Int64] = [
        "ut": 0, "utc": 0, "gmt": 0, "z": 0, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420,
        "mdt": -360, "pst": -480, "pdt": -420, "cet": 60, "cest": 120, "bst": 60, "met": 60, "mest": 120,
    ]

    /// Unix seconds of a `Date` field's value; nil when it makes no sense or lies outside 1971 … 2100.
    static func parse(_ value: String) -> Int64? {
        var words = words(value)
        if let first = words.first, first.allSatisfy(\.isLetter), month(first) == nil { words.removeFirst() }
        guard words.count >= 4 else { return nil }
        // "day month year time zone", or asctime's "month day time year".
        if let month = month(words[0]), let day = Int64(words[1]) {
            let timeFirst = words[2].contains(":")
            return seconds(day, month, words[timeFirst ? 3 : 2], words[timeFirst ? 2 : 3], words.dropFirst(4).first)
        }
        guard let day = Int64(words[0]), let month = month(words[1]) else { return nil }
        return seconds(day, month, words[2], words[3], words.dropFirst(4).first)
    }

    /// The date in a mailbox's separator line: `From sender Thu Jan  1 00:00:00 2004`.
    static func parseSeparator(_ line: String) -> Int64? {
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        guard let index = words.firstIndex(where: { month($0.lowercased()) != nil }) else { return nil }
        return parse(words[index...].joined(separator: " "))
    }

    /// RFC 5322 form in UTC.
    static func text(_ seconds: Int64) -> String {
        let day = seconds.floored(by: 86_400)
        let time = seconds - day * 86_400
        let (year, month, date) = civil(day)
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(day - day.floored(by: 7) * 7)]
        return "\(weekday), \(date) \(months[month - 1].capitalized) \(year) "
            + "\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60)) +0000"
    }

    /// RFC 3339 with milliseconds, UTC.
    static func timestamp(milliseconds: Int64) -> String {
        let seconds = milliseconds.floored(by: 1000)
        let day = seconds.floored(by: 86_400)
        let time = seconds - day * 86_400
        let (year, month, date) = civil(day)
        let thousandths = String(1000 + milliseconds - seconds * 1000).dropFirst()
        return "\(year)-\(two(Int64(month)))-\(two(Int64(date)))T"
            + "\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60)).\(thousandths)Z"
    }

    /// RFC 3339 without a fraction, UTC.
    static func second(_ seconds: Int64) -> String {
        String(timestamp(milliseconds: seconds * 1000).dropLast(".000Z".count)) + "Z"
    }

    /// Unix seconds of an RFC 3339 time in UTC, its fraction left out; nil when it is none.
    static func parseTimestamp(_ text: some StringProtocol) -> Int64? {
        let digits = text.split { !($0.isASCII && $0.isNumber) }.compactMap { Int64($0) }
        guard text.hasSuffix("Z"), (6...7).contains(digits.count), (1...12).contains(digits[1]) else { return nil }
        return days(digits[0], digits[1], digits[2]) * 86_400 + digits[3] * 3600 + digits[4] * 60 + digits[5]
    }

    /// Unix seconds of midnight UTC.
    static func midnight(year: Int64, month: Int64, day: Int64) -> Int64 { days(year, month, day) * 86_400 }

    private static func words(_ value: String) -> [String] {
        var depth = 0
        var text = ""
        for character in value.lowercased() {
            if character == "(" { depth += 1 }
            if depth == 0 { text.append(character == "," ? " " : character) }
            if character == ")", depth > 0 { depth -= 1 }
        }
        return text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    }

    private static func month(_ word: String) -> Int64? {
        guard word.count >= 3, word.allSatisfy(\.isLetter) else { return nil }
        return months.firstIndex(of: String(word.prefix(3))).map { Int64($0) + 1 }
    }

    private static func seconds(
        _ day: Int64, _ month: Int64, _ year: String, _ time: String, _ zone: String?
    ) -> Int64? {
        guard var year = Int64(year), let time = clock(time), (1...31).contains(day) else { return nil }
        if year < 50 { year += 2000 } else if year < 1000 { year += 1900 }
        guard (1971...2100).contains(year) else { return nil }
        return days(year, month, day) * 86_400 + time - 60 * (zone.map(minutes) ?? 0)
    }

    private static func clock(_ text: String) -> Int64? {
        let parts = text.split(separator: ":").map { Int64($0) }
        guard (2...3).contains(parts.count), let hour = parts[0], let minute = parts[1],
            let second = parts.count == 3 ? parts[2] : 0,
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        return hour * 3600 + minute * 60 + min(second, 59)
    }

    private static func minutes(_ zone: String) -> Int64 {
        if let known = zones[zone] { return known }
        guard let number = Int64(zone), abs(number) <= 1400 else { return 0 }
        return number / 100 * 60 + number % 100
    }

    /// Days since 1970-01-01 of the proleptic Gregorian calendar.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = year.floored(by: 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted.floored(by: 146_097)
        let day = shifted - era * 146_097
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = Int(part < 10 ? part + 3 : part - 9)
        return (year + era * 400 + (month <= 2 ? 1 : 0), month, Int(dayOfYear - (153 * part + 2) / 5 + 1))
    }

    private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

extension Int64 {
    /// Division rounded towards negative infinity; `divisor` is positive.
    fileprivate func floored(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
