/// How an event is written for consumers.
public enum EventPayload {
    /// The largest payload, in bytes. Larger ones are cut deterministically and say `"truncated":true`.
    public static let bytesMax = 512 * 1024

    /// The cuts, tried in this order until the payload fits; each also applies those before it.
    fileprivate enum Cut: Int, CaseIterable {
        case none
        /// Values after the first of repeated headers are dropped.
        case repeatedHeaders
        /// Header values are cut to 4 KiB.
        case longHeaders
        /// Every address list is cut to 1,000 entries of 320 bytes; all headers are dropped; texts to 4 KiB.
        case everything
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
            case .updated(let update): json.update(update)
            case .deleted(let id, let threadID): json.ids(id, threadID)
            case .account(let event): json.accountEvent(event)
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
        let everything = cut == .everything
        let addresses = { (list: [String]) in everything ? list.prefix(1000).map { $0.cut(toBytes: 320) } : list }
        let text = { (value: String) in everything ? value.cut(toBytes: 4096) : value }
        ids(message.id, message.threadID)
        field("subject", text(message.subject))
        field("sender", text(message.sender))
        field("to_addrs", addresses(message.to))
        field("cc_addrs", addresses(message.cc))
        field("bcc_addrs", addresses(message.bcc))
        field("snippet", text(message.snippet))
        headers(everything ? .init() : message.headers, cut)
        field("labels", everything ? message.labels.prefix(1000).map { $0.cut(toBytes: 320) } : message.labels)
    }

    /// The headers object, and `headers_repeated` when there are any.
    public mutating func headers(_ headers: MessageHeaders) { self.headers(headers, .none) }

    private mutating func headers(_ headers: MessageHeaders, _ cut: EventPayload.Cut) {
        let short = cut.rawValue >= EventPayload.Cut.longHeaders.rawValue
        key("headers")
        object { json in
            for field in headers.first {
                json.field(field.name, short ? field.value.cut(toBytes: 4096) : field.value)
            }
        }
        guard cut == .none, !headers.repeated.isEmpty else { return }
        key("headers_repeated")
        object { json in
            for header in headers.repeated { json.field(header.name, header.values) }
        }
    }

    fileprivate mutating func update(_ update: LabelUpdate) {
        ids(update.id, update.threadID)
        field("labels", update.labels)
        field("labels_added", update.added)
        field("labels_removed", update.removed)
        if update.restored { field("restored", true) }
    }

    fileprivate mutating func accountEvent(_ event: AccountEvent) {
        switch event {
        case .connected(let mailbox): field("mailbox", mailbox)
        case .disconnected: break
        case .reauthRequired(let reason): field("reason", reason)
        case .labels(let labels):
            key("labels")
            array(labels) { json, label in
                json.object { json in
                    json.field("id", label.id)
                    json.field("name", label.name)
                    json.field("type", label.type)
                }
            }
        }
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
