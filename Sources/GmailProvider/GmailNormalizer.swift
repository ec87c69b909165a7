import MailHeaders
import MailModel
import ProviderClient

/// Turns Gmail's messages into the neutral form. Pure.
struct GmailNormalizer: Sendable {
    /// Messages under one of these labels are not received (CONTRACT: spam, trash, drafts, chats).
    static let outOfScopeLabels: Set<String> = ["SPAM", "TRASH", "DRAFT", "CHAT"]

    let headers: HeaderSelection
    /// Messages dated earlier are out of scope.
    let since: UnixSeconds?
    /// Messages dated at or after this are out of scope, too.
    var until: UnixSeconds?

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
        var fields = RawFields()
        for header in message.payload?.headers ?? [] { fields.append(name: header.name, value: header.value) }
        guard let date = date(of: message, fields) else {
            throw SyncFailure(.skip, code: "undated_message", "the message has neither a usable internalDate nor Date")
        }
        let labels = Self.labels(message.labelIds ?? [])
        let meta = meta(message, id, date, labels, fields)
        let inScope =
            Self.outOfScopeLabels.isDisjoint(with: labels) && date >= since ?? .min
            && date < until ?? .max
        return .read(meta, inScope: inScope)
    }

    private func meta(
        _ message: GmailWire.Message, _ id: String, _ date: UnixSeconds, _ labels: [String], _ fields: RawFields
    ) -> MessageMeta {
        let thread = message.threadId.flatMap { GmailID.isValid($0) ? $0 : nil } ?? id
        return MessageMeta(
            id: id, threadID: thread, date: date,
            subject: fields.text("subject") ?? "", sender: fields.addresses("from").first ?? "",
            to: fields.addresses("to"), cc: fields.addresses("cc"), bcc: fields.addresses("bcc"),
            snippet: HTMLEntities.decode(MailText.printable(message.snippet ?? "")),
            headers: headers.select(fields.decoded),
            labels: labels, version: message.historyId?.unsigned ?? 0)
    }

    /// The provider's date, in seconds; else the sender's.
    private func date(of message: GmailWire.Message, _ fields: RawFields) -> UnixSeconds? {
        if let milliseconds = message.internalDate?.value {
            return milliseconds / 1000 - (milliseconds % 1000 < 0 ? 1 : 0)
        }
        return fields.text("date").flatMap(MailDate.parse)
    }

    /// Sorted, without repeats and without what cannot be a label id.
    static func labels(_ ids: some Sequence<String>) -> [String] {
        Set(ids.filter(isLabel)).sorted()
    }

    /// 1 to 255 bytes without control characters.
    static func isLabel(_ id: String) -> Bool {
        (1...255).contains(id.utf8.count) && !id.utf8.contains { $0 < 0x20 || $0 == 0x7f }
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
