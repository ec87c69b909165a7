/// How an event is written for consumers.
public enum EventPayload {
    /// The largest payload, in bytes. Larger ones are cut deterministically and say `"truncated":true`.
    public static let bytesMax = 512 * 1024

    /// The cuts, tried in this order until the payload fits; each also applies those before it. The last one always
    /// fits: even if every byte had to be escaped, its lists and texts stay under the limit.
    fileprivate enum Cut: Int, CaseIterable {
        case none
        /// Values after the first of repeated headers are dropped.
        case repeatedHeaders
        /// Header values are cut to 4 KiB.
        case longHeaders
        /// All headers are dropped, texts are cut to 4 KiB, and lists to 1,000 entries of 320 bytes.
        case longLists
        /// Lists are cut to 40 entries of 320 bytes.
        case shortLists

        private static let entryBytesMax = 320
        private static let textBytesMax = 4096

        private var entriesMax: Int? {
            switch self {
            case .none, .repeatedHeaders, .longHeaders: nil
            case .longLists: 1000
            case .shortLists: 40
            }
        }

        var keepsHeaders: Bool { entriesMax == nil }

        func header(_ value: String) -> String { self == .longHeaders ? value.cut(toBytes: Self.textBytesMax) : value }

        func text(_ value: String) -> String { keepsHeaders ? value : value.cut(toBytes: Self.textBytesMax) }

        func list(_ values: [String]) -> [String] { prefix(values).map(entry) }

        func prefix<Element>(_ elements: [Element]) -> [Element] {
            entriesMax.map { Array(elements.prefix($0)) } ?? elements
        }

        func entry(_ value: String) -> String { keepsHeaders ? value : value.cut(toBytes: Self.entryBytesMax) }
    }
}

extension MailEvent {
    /// The JSON of the event: same event, same bytes.
    public func payload() -> [UInt8] {
        var smallest: [UInt8] = []
        for cut in EventPayload.Cut.allCases {
            smallest = render(cut)
            if smallest.count <= EventPayload.bytesMax { break }
        }
        return smallest
    }

    private func render(_ cut: EventPayload.Cut) -> [UInt8] {
        var json = JSONText()
        json.object { json in
            json.field("event_id", id)
            json.field("ts", recordedAt)
            if case .received(let message) = body { json.field("msg_date", message.date) }
            json.field("provider", account.provider.rawValue)
            json.field("inbox_id", account.inbox.raw)
            json.field("user_id", account.user.raw)
            switch body {
            case .received(let message): json.message(message, cut)
            case .updated(let update): json.update(update, cut)
            case .deleted(let id, let threadID): json.ids(id, threadID)
            case .account(let event): json.accountEvent(event, cut)
            }
            json.field("schema", Int64(MailEvent.schema))
            json.field("seq", seq)
            json.field("origin", origin.rawValue)
            if cut != .none { json.field("truncated", true) }
        }
        return json.bytes
    }
}

extension JSONText {
    fileprivate mutating func ids(_ id: String, _ threadID: String) {
        field("provider_message_id", id)
        field("provider_thread_id", threadID)
    }

    fileprivate mutating func message(_ message: MessageMeta, _ cut: EventPayload.Cut) {
        ids(message.id, message.threadID)
        field("subject", cut.text(message.subject))
        field("sender", cut.text(message.sender))
        field("to_addrs", cut.list(message.to))
        field("cc_addrs", cut.list(message.cc))
        field("bcc_addrs", cut.list(message.bcc))
        field("snippet", cut.text(message.snippet))
        headers(cut.keepsHeaders ? message.headers : .init(), cut)
        field("labels", cut.list(message.labels))
    }

    /// The headers object, and `headers_repeated` when there are any.
    public mutating func headers(_ headers: MessageHeaders) { self.headers(headers, .none) }

    private mutating func headers(_ headers: MessageHeaders, _ cut: EventPayload.Cut) {
        key("headers")
        object { json in
            for field in headers.first { json.field(field.name, cut.header(field.value)) }
        }
        guard cut == .none, !headers.repeated.isEmpty else { return }
        key("headers_repeated")
        object { json in
            for header in headers.repeated { json.field(header.name, header.values) }
        }
    }

    fileprivate mutating func update(_ update: LabelUpdate, _ cut: EventPayload.Cut) {
        ids(update.id, update.threadID)
        field("labels", cut.list(update.labels))
        field("labels_added", cut.list(update.added))
        field("labels_removed", cut.list(update.removed))
        if update.restored { field("restored", true) }
    }

    fileprivate mutating func accountEvent(_ event: AccountEvent, _ cut: EventPayload.Cut) {
        switch event {
        case .connected(let mailbox): field("mailbox", cut.text(mailbox))
        case .disconnected: break
        case .reauthRequired(let reason): field("reason", cut.text(reason))
        case .labels(let labels):
            key("labels")
            array(cut.prefix(labels)) { json, label in
                json.object { json in
                    json.field("id", cut.entry(label.id))
                    json.field("name", cut.entry(label.name))
                    json.field("type", cut.entry(label.type))
                }
            }
        case .checkpoint(let checkpoint): self.checkpoint(checkpoint, cut)
        case .erased(let erasure):
            field("generation", erasure.generation)
            key("ranges")
            array(erasure.ranges) { json, range in
                json.array([range.first, range.last]) { $0.integer($1) }
            }
        }
    }

    private mutating func checkpoint(_ checkpoint: AccountCheckpoint, _ cut: EventPayload.Cut) {
        field("mailbox", cut.text(checkpoint.mailbox))
        field("phase", checkpoint.phase.rawValue)
        if let total = checkpoint.estimatedTotal { field("estimated_total", total) }
        field("stored", checkpoint.stored)
        field("gone", checkpoint.gone)
        field("gaps", cut.list(checkpoint.gaps))
        // Half a resume point is none.
        if cut.keepsHeaders, let cursor = checkpoint.cursor { field("cursor", cursor.document) }
    }
}

extension String {
    /// The longest prefix of whole Unicode scalars that fits in so many bytes of UTF-8.
    public func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: limit)
        while end > utf8.startIndex, !isScalarBoundary(end) {
            end = utf8.index(before: end)
        }
        return String(self[..<end])
    }

    private func isScalarBoundary(_ index: String.Index) -> Bool {
        index == utf8.endIndex || utf8[index] & 0xc0 != 0x80
    }
}
