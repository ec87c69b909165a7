/// Reads the dates of mail: RFC 5322 §3.3 with its obsolete forms (§4.3), C's `asctime`, and the disorder seen in
/// real mail. Total: what is no date gives nil.
public enum MailDate {
    /// Seconds since 1970-01-01 UTC, or nil when the value holds no date.
    ///
    /// Two-digit years are 1950–2049; three-digit ones count from 1900 (RFC 5322 §4.3). A missing or unknown
    /// zone is read as UTC.
    public static func parse(_ value: String) -> Int64? {
        var fields = Fields()
        for word in words(of: value) where !fields.take(word) { return nil }
        return fields.seconds
    }

    /// Splits at white space, commas and comments; `-` too where it joins a day, a month and a year.
    private static func words(of value: String) -> [Substring] {
        var words: [Substring] = []
        var depth = 0
        var start: String.Index?
        func end(at index: String.Index) {
            if let from = start { words.append(value[from..<index]) }
            start = nil
        }
        for index in value.utf8.indices {
            let byte = value.utf8[index]
            switch byte {
            case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","):
                end(at: index)
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth = max(0, depth - 1) }
            case _ where Ascii.isBlank(byte): end(at: index)
            default: if depth == 0, start == nil { start = index }
            }
        }
        end(at: value.endIndex)
        return words.flatMap { word in
            let parts = word.split(separator: "-")
            return parts.count == 3 && parts[1].utf8.allSatisfy(Ascii.isLetter) ? parts : [word]
        }
    }

    /// What has been found of a date so far. Words are told apart by their looks, in whatever order they come.
    private struct Fields {
        var day: Int?
        var month: Int?
        var year: Int?
        var time: Int?
        var zone: Int?

        /// False when the word makes the whole no date.
        mutating func take(_ word: Substring) -> Bool {
            if let first = word.utf8.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
                if time != nil, zone == nil { zone = Zone.seconds(offset: word.filter { $0 != ":" }) }
                return true
            }
            if word.utf8.contains(UInt8(ascii: ":")) { return takeTime(word) }
            if word.utf8.allSatisfy(Ascii.isDigit) { return takeNumber(word) }
            takeName(word)
            return true
        }

        private mutating func takeTime(_ word: Substring) -> Bool {
            guard time == nil else { return true }
            // A zone may stick to the time: `12:30:00+0200`, `12:30:00GMT`.
            let clock = word.prefix { $0.isASCII && ($0.isNumber || $0 == ":" || $0 == ".") }
            let parts = clock.split(separator: ":").map { $0.prefix { $0 != "." } }.map { Int($0) ?? -1 }
            guard (2...3).contains(parts.count), (0...23).contains(parts[0]), (0...59).contains(parts[1]),
                parts.count < 3 || (0...60).contains(parts[2])
            else { return false }
            time = parts[0] * 3600 + parts[1] * 60 + (parts.count == 3 ? min(parts[2], 59) : 0)
            let rest = word[clock.endIndex...]
            return rest.isEmpty || take(rest)
        }

        private mutating func takeNumber(_ word: Substring) -> Bool {
            guard let number = Int(word), word.utf8.count <= 8 else { return false }
            if day == nil, word.utf8.count <= 2 {
                day = number
            } else if year == nil {
                year = MailDate.fullYear(number, digits: word.utf8.count)
            } else if time != nil, zone == nil, word.utf8.count == 4 {
                zone = Zone.seconds(offset: "+" + word)
            }
            return true
        }

        private mutating func takeName(_ word: Substring) {
            let name = word.lowercased()
            let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
            if name == "pm", let time, time < 43200 {
                self.time = time + 43200
            } else if name == "am", let time, time >= 43200 {
                self.time = time - 43200
            } else if month == nil, let index = months.firstIndex(where: { name.hasPrefix($0) }) {
                month = index + 1
            } else if time != nil, zone == nil {
                zone = Zone.seconds(named: name)
            }
        }

        var seconds: Int64? {
            guard let day, let month, let year, (1...31).contains(day), year <= 9999 else { return nil }
            let days = MailDate.days(year: year, month: month, day: day)
            return Int64(days) * 86400 + Int64(time ?? 0) - Int64(zone ?? 0)
        }
    }

    private enum Zone {
        /// `+hhmm`; nil when it is a day or more. Less is taken as it stands, although no place is 19 hours from
        /// Greenwich: senders that write so are wrong about the local time too, and right about the moment.
        static func seconds(offset: some StringProtocol) -> Int? {
            let digits = offset.dropFirst()
            guard digits.utf8.count == 4, let number = Int(digits), number >= 0 else { return nil }
            let seconds = number / 100 * 3600 + number % 100 * 60
            guard seconds < 86400 else { return nil }
            return offset.hasPrefix("-") ? -seconds : seconds
        }

        static func seconds(named name: String) -> Int? {
            // `GMT+0200`, `UTC-5` …: the offset is what counts.
            if let sign = name.firstIndex(where: { $0 == "+" || $0 == "-" }) {
                let digits = name[name.index(after: sign)...].filter { $0 != ":" }
                let padded =
                    digits.count <= 2 ? String(repeating: "0", count: 2 - digits.count) + digits + "00" : digits
                return seconds(offset: "\(name[sign])\(padded)")
            }
            return hours[name].map { Int($0 * 3600) }
        }

        /// RFC 5322 §4.3, and the names that are seen and unambiguous. One-letter military zones were misused from
        /// the start and mean UTC.
        private static let hours: [String: Double] = [
            "ut": 0, "utc": 0, "gmt": 0, "z": 0,
            "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
            "ast": -4, "adt": -3, "hst": -10, "akst": -9, "akdt": -8,
            "wet": 0, "west": 1, "met": 1, "mest": 2, "cet": 1, "cest": 2, "eet": 2, "eest": 3, "bst": 1,
            "msk": 3, "msd": 4, "jst": 9, "kst": 9, "nzst": 12, "nzdt": 13,
        ]
    }

    private static func fullYear(_ number: Int, digits: Int) -> Int {
        switch digits {
        case 1, 2: number < 50 ? 2000 + number : 1900 + number
        case 3: 1900 + number
        default: number
        }
    }

    /// Days from 1970-01-01 in the Gregorian calendar. Days past the month's end run over into the next month.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        // Counted in years that begin in March, so that the leap day comes last.
        let shifted = month <= 2 ? year - 1 : year
        let monthFromMarch = (month + 9) % 12
        let leapDays = shifted / 4 - shifted / 100 + shifted / 400
        return shifted * 365 + leapDays + (monthFromMarch * 153 + 2) / 5 + day - 1 - 719_468
    }
}
