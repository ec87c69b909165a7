/// The `Retry-After` header (RFC 9110 §10.2.3): seconds, or a date.
public enum RetryAfter {
    /// A longer wait is taken as this one: 30 days.
    public static let secondsMax: Int64 = 30 * 86_400

    /// How long to wait from `now`, in Unix seconds. Zero for a date that has passed, nil for text that is neither form.
    public static func parse(_ value: String, now: Int64) -> Duration? {
        let text = value.trimmed
        if !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) {
            return .seconds(min(Int64(text) ?? secondsMax, secondsMax))
        }
        guard let date = HTTPDate.parse(text, now: now) else { return nil }
        let (wait, overflow) = date.subtractingReportingOverflow(now)
        guard !overflow else { return now < 0 ? .seconds(secondsMax) : .zero }
        return .seconds(min(max(0, wait), secondsMax))
    }
}

/// Dates of RFC 9110 §5.6.7 in all three forms a recipient must accept, as Unix seconds.
enum HTTPDate {
    /// `now` (Unix seconds) settles the century of the two-digit years of RFC 850.
    static func parse(_ text: String, now: Int64) -> Int64? {
        let words = text.split(separator: " ", omittingEmptySubsequences: true)
        switch words.count {
        case 6 where words[5] == "GMT" && words[0].last == ",":  // Sun, 06 Nov 1994 08:49:37 GMT
            return seconds(day: words[1], month: words[2], year: fourDigits(words[3]), time: words[4])
        case 5:  // Sun Nov  6 08:49:37 1994
            return seconds(day: words[2], month: words[1], year: fourDigits(words[4]), time: words[3])
        case 4 where words[3] == "GMT" && words[0].last == ",":  // Sunday, 06-Nov-94 08:49:37 GMT
            let date = words[1].split(separator: "-", omittingEmptySubsequences: false)
            guard date.count == 3, let year = number(date[2], digits: 2...2) else { return nil }
            return seconds(day: date[0], month: date[1], year: century(year, now: now), time: words[2])
        default:
            return nil
        }
    }

    private static func seconds(day: Substring, month: Substring, year: Int64?, time: Substring) -> Int64? {
        let clock = time.split(separator: ":", omittingEmptySubsequences: false)
        guard let year, let month = months.firstIndex(of: String(month)).map({ Int64($0) + 1 }),
            let day = number(day, digits: 1...2), clock.count == 3, let hour = number(clock[0], digits: 2...2),
            let minute = number(clock[1], digits: 2...2), let second = number(clock[2], digits: 2...2)
        else { return nil }
        // 60 is a leap second.
        guard hour < 24, minute < 60, second <= 60, day >= 1, day <= daysIn(month, of: year) else { return nil }
        return daysSince1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func number(_ text: Substring, digits: ClosedRange<Int>) -> Int64? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return Int64(text)
    }

    private static func fourDigits(_ text: Substring) -> Int64? { number(text, digits: 4...4) }

    /// "More than 50 years in the future" means the last century that ended so (RFC 9110 §5.6.7).
    private static func century(_ year: Int64, now: Int64) -> Int64 {
        let thisYear = 1970 + now / 31_556_952
        let candidate = thisYear - thisYear % 100 + year
        return candidate > thisYear + 50 ? candidate - 100 : candidate
    }

    private static func daysIn(_ month: Int64, of year: Int64) -> Int64 {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        if month == 2 { return isLeap ? 29 : 28 }
        return [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// Proleptic Gregorian calendar. Years are counted from March, so that the leap day comes last.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    }
}
