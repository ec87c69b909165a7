import MailHeaders
import MailModel
import ProviderClient

/// Turns Graph's messages into the neutral form. Pure.
struct OutlookNormalizer: Sendable {
    let headers: HeaderSelection
    /// Messages dated earlier are out of scope.
    let since: UnixSeconds?
    /// Messages dated at or after this are out of scope, too.
    var until: UnixSeconds?

    /// Reads the message that was asked for by `id` and lies at `place`.
    ///
    /// - Throws: `skip` when it is another message or has no date at all.
    func change(
        _ message: OutlookWire.Message, id: String, at place: FolderTree.Place, version: UInt64
    ) throws(SyncFailure) -> MessageChange {
        guard message.id == id else {
            throw SyncFailure(
                .skip, code: "wrong_message", "Graph answered with another message than the one asked for")
        }
        guard let date = Self.date(message) else {
            throw SyncFailure(.skip, code: "undated_message", "the message has no date that can be read")
        }
        let meta = meta(message, id, date, place, version)
        return .read(meta, inScope: isInScope(message, at: place))
    }

    /// Whether the message is received when it is new.
    func isInScope(_ message: OutlookWire.Message, at place: FolderTree.Place) -> Bool {
        guard place.isInScope, message.isDraft != true else { return false }
        guard let date = Self.date(message) else { return true }
        return date >= since ?? .min && date < until ?? .max
    }

    private func meta(
        _ message: OutlookWire.Message, _ id: String, _ date: UnixSeconds, _ place: FolderTree.Place, _ version: UInt64
    ) -> MessageMeta {
        var fields = RawFields()
        for header in message.internetMessageHeaders ?? [] { fields.append(name: header.name, value: header.value) }
        let shown = fields.isEmpty ? OutlookHeaders.made(from: message) : fields.decoded
        let author = Self.addresses([message.from ?? message.sender]).first
        return MessageMeta(
            id: id, threadID: message.conversationId.flatMap { $0.isEmpty ? nil : MailText.printable($0) } ?? id,
            date: date, subject: MailText.printable(message.subject ?? ""),
            sender: author ?? fields.addresses("from").first ?? "", to: Self.addresses(message.toRecipients),
            cc: Self.addresses(message.ccRecipients), bcc: Self.addresses(message.bccRecipients),
            snippet: MailText.printable(message.bodyPreview ?? ""), headers: headers.select(shown),
            labels: OutlookLabels.labels(of: message, inFolder: place.label), version: version, folder: place.folder)
    }

    /// Addresses as Graph gives them (an X.500 one too); a recipient without one is left out.
    private static func addresses(_ recipients: [OutlookWire.Recipient?]?) -> [String] {
        (recipients ?? []).compactMap { $0?.emailAddress?.address }.filter { !$0.isEmpty }.map(MailText.printable)
    }

    /// When it was received; sent or created, for messages that never were.
    private static func date(_ message: OutlookWire.Message) -> UnixSeconds? {
        [message.receivedDateTime, message.sentDateTime, message.createdDateTime].lazy
            .compactMap { $0.flatMap(GraphTime.parse) }.first
    }
}

/// The headers of a message that Graph has none for: what was sent from the mailbox.
enum OutlookHeaders {
    static func made(from message: OutlookWire.Message) -> [HeaderField] {
        let fields: [(String, String?)] = [
            ("From", [message.from ?? message.sender].compactMap { $0.flatMap(mailbox) }.first),
            ("To", list(message.toRecipients)), ("Cc", list(message.ccRecipients)),
            ("Bcc", list(message.bccRecipients)), ("Reply-To", list(message.replyTo)),
            ("Subject", message.subject.map(MailText.printable)),
            ("Date", (message.sentDateTime ?? message.receivedDateTime).flatMap(GraphTime.parse).map(GraphTime.header)),
            ("Message-ID", message.internetMessageId.map(MailText.printable)),
        ]
        return fields.compactMap { name, value in value.map { HeaderField(name: name, value: $0) } }
    }

    private static func list(_ recipients: [OutlookWire.Recipient]?) -> String? {
        let list = (recipients ?? []).compactMap(mailbox)
        return list.isEmpty ? nil : list.joined(separator: ", ")
    }

    /// `Name <address>` (RFC 5322 §3.4); a name that is no plain words is quoted.
    private static func mailbox(_ recipient: OutlookWire.Recipient) -> String? {
        let name = OutlookLabels.printable(recipient.emailAddress?.name ?? "")
        let address = OutlookLabels.printable(recipient.emailAddress?.address ?? "")
        if address.isEmpty { return name.isEmpty ? nil : quoted(name) }
        return name.isEmpty || name == address ? address : "\(quoted(name)) <\(address)>"
    }

    private static func quoted(_ name: String) -> String {
        let isPlain = name.unicodeScalars.allSatisfy { scalar in
            scalar.value > 0x7f || scalar.properties.isAlphabetic || "0123456789 -_'!".unicodeScalars.contains(scalar)
        }
        if isPlain { return name }
        return "\"" + name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

/// Times as Graph writes them: ISO 8601 in UTC, with or without fractions.
enum GraphTime {
    /// Nil for what is no time, and for years before 1970, which stand for "none".
    static func parse(_ text: String) -> UnixSeconds? {
        guard
            let match = text.wholeMatch(
                of: /(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|([+-])(\d\d):(\d\d))?/)
        else { return nil }
        let numbers = [match.1, match.2, match.3, match.4, match.5, match.6].compactMap { Int64($0) }
        guard numbers.count == 6, numbers[0] >= 1970, (1...12).contains(numbers[1]), (1...31).contains(numbers[2]),
            numbers[3] < 24, numbers[4] < 60, numbers[5] <= 60
        else { return nil }
        var seconds = days(numbers[0], numbers[1], numbers[2]) * 86_400
        seconds += numbers[3] * 3600 + numbers[4] * 60 + numbers[5]
        let offset = (match.8.flatMap { Int64($0) } ?? 0) * 3600 + (match.9.flatMap { Int64($0) } ?? 0) * 60
        return match.7 == "-" ? seconds + offset : seconds - offset
    }

    /// As filters have it: `2024-01-01T00:00:00Z`, in UTC.
    static func timestamp(_ time: UnixSeconds) -> String {
        let day = time.floored(by: 86_400)
        let second = time - day * 86_400
        let date = civil(day)
        let digits = [Int64(date.month), Int64(date.day), second / 3600, second / 60 % 60, second % 60]
            .map { $0 < 10 ? "0\($0)" : "\($0)" }
        let year = String(repeating: "0", count: max(0, 4 - "\(date.year)".count)) + "\(date.year)"
        return "\(year)-\(digits[0])-\(digits[1])T\(digits[2]):\(digits[3]):\(digits[4])Z"
    }

    /// As a `Date` header has it (RFC 5322 §3.3).
    static func header(_ time: UnixSeconds) -> String {
        let (day, second) = (Int(time.floored(by: 86_400)), Int(time - time.floored(by: 86_400) * 86_400))
        let date = civil(Int64(day))
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let clock = [second / 3600, second / 60 % 60, second % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
        return "\(weekdays[(day % 7 + 7) % 7]), \(date.day) \(months[date.month - 1]) \(date.year) "
            + "\(clock.joined(separator: ":")) +0000"
    }

    /// As Graph takes it: RFC 3339, in UTC.
    static func text(_ time: UnixSeconds) -> String {
        let second = Int(time - time.floored(by: 86_400) * 86_400)
        let date = civil(time.floored(by: 86_400))
        let numbers = [date.month, date.day, second / 3600, second / 60 % 60, second % 60]
        let parts = numbers.map { $0 < 10 ? "0\($0)" : "\($0)" }
        return "\(date.year)-\(parts[0])-\(parts[1])T\(parts[2]):\(parts[3]):\(parts[4])Z"
    }

    /// Days since 1970-01-01, proleptic Gregorian. Years are counted from March, so that the leap day comes last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    }

    private static func civil(_ day: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = shifted.floored(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let number = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (number <= 2 ? 1 : 0)
        return (Int(year), Int(number), Int(dayOfYear - (153 * month + 2) / 5 + 1))
    }
}

extension Int64 {
    /// The quotient, rounded down.
    fileprivate func floored(by divisor: Int64) -> Int64 {
        self / divisor - (self % divisor < 0 ? 1 : 0)
    }
}
