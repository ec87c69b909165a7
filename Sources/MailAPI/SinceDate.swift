import MailModel

/// The `since` of a connect: a date (its start in UTC) or an RFC 3339 time.
public enum SinceDate {
    /// Unix seconds, rounded down; nil for anything else, also for days that do not exist.
    public static func parse(_ text: String) -> UnixSeconds? {
        var rest = Array(text.utf8)[...]
        guard let year = number(&rest, digits: 4), eat(&rest, "-"), let month = number(&rest, digits: 2),
            eat(&rest, "-"), let day = number(&rest, digits: 2), isDay(year, month, day)
        else { return nil }
        let midnight = days(year, month, day) * 86_400
        if rest.isEmpty { return midnight }
        guard eat(&rest, "T") || eat(&rest, "t"), let time = time(&rest), let offset = offset(&rest), rest.isEmpty
        else {
            return nil
        }
        return midnight + time - offset
    }

    private static func time(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        guard let hour = number(&rest, digits: 2), hour < 24, eat(&rest, ":"), let minute = number(&rest, digits: 2),
            minute < 60, eat(&rest, ":"), let second = number(&rest, digits: 2), second <= 60
        else { return nil }
        if eat(&rest, ".") {
            let digits = rest.prefix { isDigit($0) }
            guard !digits.isEmpty else { return nil }
            rest = rest.dropFirst(digits.count)
        }
        return hour * 3600 + minute * 60 + second
    }

    /// Seconds east of UTC.
    private static func offset(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        if eat(&rest, "Z") || eat(&rest, "z") { return 0 }
        let sign: Int64 = eat(&rest, "-") ? -1 : 1
        guard sign == -1 || eat(&rest, "+"), let hours = number(&rest, digits: 2), hours < 24, eat(&rest, ":"),
            let minutes = number(&rest, digits: 2), minutes < 60
        else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }

    private static func number(_ rest: inout ArraySlice<UInt8>, digits count: Int) -> Int64? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy(isDigit) else { return nil }
        rest = rest.dropFirst(count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    private static func eat(_ rest: inout ArraySlice<UInt8>, _ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isDay(_ year: Int64, _ month: Int64, _ day: Int64) -> Bool {
        guard year >= 1970, (1...12).contains(month) else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...lengths[Int(month - 1)]).contains(day)
    }

    /// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shiftedYear = month > 2 ? year : year - 1
        let monthFromMarch = (month + 9) % 12
        let leapDays = shiftedYear / 4 - shiftedYear / 100 + shiftedYear / 400
        return shiftedYear * 365 + leapDays + (monthFromMarch * 153 + 2) / 5 + day - 1 - 719_468
    }
}
