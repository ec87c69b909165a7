import MailHeaders
import MailModel

/// Turns Gmail's messages into the neutral form. Pure.
struct GmailNormalizer: Sendable {
    /// Messages under one of these labels are not received (CONTRACT: spam, trash, drafts, chats).
    static let outOfScopeLabels: Set<String> = ["SPAM", "TRASH", "DRAFT", "CHAT"]

    let headers: HeaderSelection
    /// Messages dated earlier are out of scope.
    let since: UnixSeconds?

    /// The headers a message is read for, whatever events carry.
    private static let needed = ["From", "To", "Cc", "Bcc", "Subject", "Date"]

    /// The names for `metadataHeaders`; empty asks for all.
    var headerNames: [String] {
        switch headers {
        case .all: return []
        case .named(let names):
            let named = Set(names.map { $0.lowercased() })
            return names + Self.needed.filter { !named.contains($0.lowercased()) }
        }
    }

    /// Reads the message that was asked for by `id`.
    ///
    /// A missing `payload` is a message without headers, a missing `labelIds` one without labels: Google leaves out
    /// what is empty. A version that is missing or no number becomes 0: then no change record is taken for already
    /// contained, which repeats work and loses nothing.
    ///
    /// - Throws: `skip` when it is another message or has no date at all.
    func change(_ message: GmailWire.Message, id: String) throws(SyncFailure) -> MessageChange {
        guard message.id == id else {
            throw SyncFailure(
                .skip, code: "wrong_message", "Gmail answered with another message than the one asked for")
        }
        let fields = (message.payload?.headers ?? []).compactMap(Self.field)
        guard let date = date(of: message, fields) else {
            throw SyncFailure(.skip, code: "undated_message", "the message has neither a usable internalDate nor Date")
        }
        let labels = Self.labels(message.labelIds ?? [])
        let meta = meta(message, id, date, labels, fields)
        let inScope = Self.outOfScopeLabels.isDisjoint(with: labels) && date >= since ?? .min
        return .read(meta, inScope: inScope)
    }

    private func meta(
        _ message: GmailWire.Message, _ id: String, _ date: UnixSeconds, _ labels: [String], _ fields: [RawField]
    ) -> MessageMeta {
        let thread = message.threadId.flatMap { GmailID.isValid($0) ? $0 : nil } ?? id
        let addresses = { (name: String) in
            fields.lazy.filter { $0.key == name }.flatMap { AddressList.parse($0.value) }.map(\.address)
        }
        let decoded = fields.map { HeaderField(name: $0.name, value: HeaderText.decode($0.value)) }
        return MessageMeta(
            id: id, threadID: thread, date: date,
            subject: fields.first { $0.key == "subject" }.map { HeaderText.decode($0.value) } ?? "",
            sender: fields.first { $0.key == "from" }.flatMap { AddressList.parse($0.value).first?.address } ?? "",
            to: Array(addresses("to")), cc: Array(addresses("cc")), bcc: Array(addresses("bcc")),
            snippet: HTMLEntities.decode(Self.printable(message.snippet ?? "")), headers: headers.select(decoded),
            labels: labels, version: message.historyId?.unsigned ?? 0)
    }

    /// A header as it came, with the lower-cased name for comparing.
    struct RawField {
        var name: String
        var key: String
        var value: String
    }

    private static func field(_ header: GmailWire.Header) -> RawField? {
        guard let name = header.name, !name.isEmpty else { return nil }
        let shown = printable(name)
        return RawField(name: shown, key: shown.lowercased(), value: header.value ?? "")
    }

    /// The provider's date, in seconds; else the sender's.
    private func date(of message: GmailWire.Message, _ fields: [RawField]) -> UnixSeconds? {
        if let milliseconds = message.internalDate?.value {
            return milliseconds / 1000 - (milliseconds % 1000 < 0 ? 1 : 0)
        }
        return fields.first { $0.key == "date" }.flatMap { MailDate.parse(HeaderText.decode($0.value)) }
    }

    /// Sorted, without repeats and without what cannot be a label id.
    static func labels(_ ids: some Sequence<String>) -> [String] {
        Set(ids.filter(isLabel)).sorted()
    }

    /// 1 to 255 bytes without control characters.
    static func isLabel(_ id: String) -> Bool {
        (1...255).contains(id.utf8.count) && !id.utf8.contains { $0 < 0x20 || $0 == 0x7f }
    }

    /// NUL would end the text for whoever reads it as a C string.
    static func printable(_ text: String) -> String {
        guard text.utf8.contains(0) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "\u{fffd}" : $0 }))
    }
}

/// The HTML entities of Gmail's snippets.
enum HTMLEntities {
    private static let named = ["amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": "\u{a0}"]
    /// Longest entity looked for, between `&` and `;`.
    private static let nameBytesMax = 10

    static func decode(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
        var out = ""
        var rest = text[...]
        while let start = rest.firstIndex(of: "&") {
            out += rest[..<start]
            let after = rest[rest.index(after: start)...]
            if let end = after.prefix(nameBytesMax + 1).firstIndex(of: ";"), let value = value(after[..<end]) {
                out += value
                rest = after[after.index(after: end)...]
            } else {
                out += "&"
                rest = after
            }
        }
        return out + rest
    }

    private static func value(_ entity: Substring) -> String? {
        guard entity.first == "#" else { return named[String(entity)] }
        let digits = entity.dropFirst()
        let isHex = digits.first == "x" || digits.first == "X"
        guard let number = isHex ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits),
            let scalar = Unicode.Scalar(number)
        else { return nil }
        return scalar == "\0" ? "\u{fffd}" : String(scalar)
    }
}
