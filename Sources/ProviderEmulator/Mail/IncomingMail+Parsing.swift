extension IncomingMail {
    /// Longest message kept, in bytes; of a longer one the beginning.
    static let keptBytesMax = 1 << 20

    /// Reads what a mailbox needs to file a message.
    ///
    /// - Parameters:
    ///   - received: Unix seconds; the date of a message whose `Date` field makes no sense.
    ///   - latest: Unix seconds; a later `Date` makes no sense. Nil is a day after `received`.
    /// - Throws: ``EmulatorError/notAMessage(_:)`` without any header field.
    init(raw: [UInt8], labels: [String], received: Int64, latest: Int64? = nil) throws(EmulatorError) {
        let kept = raw.count > Self.keptBytesMax ? Array(raw.prefix(Self.keptBytesMax)) : raw
        let fields = RawMessage(kept).fields
        guard !fields.isEmpty else { throw .notAMessage("it has no header field") }
        let date = fields.first("date").flatMap(MailDate.parse).flatMap { $0 <= latest ?? received + 86_400 ? $0 : nil }
        self.init(
            content: .kept(kept, sizeBytes: raw.count),
            internalDate: date ?? received,
            labels: labels,
            messageID: fields.first("message-id").flatMap { Self.messageIDs($0).first },
            references: (fields.first("in-reply-to").map(Self.messageIDs) ?? [])
                + (fields.first("references").map(Self.messageIDs) ?? []).reversed())
    }

    /// The hashes of all `<…>` in a value.
    static func messageIDs(_ value: String) -> [UInt64] {
        value.utf8.split(separator: UInt8(ascii: "<")).compactMap { part in
            part.firstIndex(of: UInt8(ascii: ">")).map { TextHash.of(part[..<$0]) }
        }
    }
}
