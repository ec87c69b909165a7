import MailModel

/// Reads an event back from the JSON that consumers get.
enum EventReading {
    /// - Parameter subject: the message's; tells the type.
    /// - Throws: ``StoreFailure/unreadable(_:)`` for what this program did not write, also for another user's event.
    static func event(_ message: ArchivedMessage, of user: UserID) throws -> MailEvent {
        let prefix = EventSubject.subject(user: user, type: "")
        let fields = try StoredFields(String(decoding: message.payload, as: UTF8.self))
        guard message.subject.hasPrefix(prefix), try fields.text("user_id") == user.raw,
            try fields.text("event_id") == message.id
        else { throw StoreFailure.unreadable("message \(message.streamSequence) of the stream is not this user's") }
        guard let provider = ProviderKind(rawValue: try fields.text("provider")),
            let origin = EventOrigin(rawValue: try fields.text("origin"))
        else { throw StoreFailure.unreadable("the provider or origin of event \(message.id)") }
        let account = AccountKey(user: user, provider: provider, inbox: try InboxID(fields.text("inbox_id")))
        return MailEvent(
            id: message.id, seq: try fields.integer("seq"), recordedAt: try fields.integer("ts"), account: account,
            origin: origin, body: try body(String(message.subject.dropFirst(prefix.count)), fields))
    }

    private static func body(_ type: String, _ fields: StoredFields) throws -> MailEvent.Body {
        switch type {
        case "email.received": return .received(try received(fields))
        case "email.updated":
            return .updated(
                LabelUpdate(
                    id: try fields.text("provider_message_id"), threadID: try fields.text("provider_thread_id"),
                    labels: try fields.texts("labels"), added: try fields.texts("labels_added"),
                    removed: try fields.texts("labels_removed"),
                    restored: try fields.optional("restored")?.bool() ?? false))
        case "email.deleted":
            return .deleted(
                id: try fields.text("provider_message_id"), threadID: try fields.text("provider_thread_id"))
        case "account.connected": return .account(.connected(mailbox: try fields.text("mailbox")))
        case "account.disconnected": return .account(.disconnected)
        case "account.reauth_required": return .account(.reauthRequired(reason: try fields.text("reason")))
        case "account.labels": return .account(.labels(try labels(fields)))
        case "account.checkpoint": return .account(.checkpoint(try StoredCheckpoint.parse(fields)))
        case "account.erased": return .account(.erased(try StoredErasure.parse(fields)))
        default: throw StoreFailure.unreadable("the event type \(type)")
        }
    }

    private static func received(_ fields: StoredFields) throws -> MessageMeta {
        let repeated = try fields.optional("headers_repeated")?.members() ?? []
        return MessageMeta(
            id: try fields.text("provider_message_id"), threadID: try fields.text("provider_thread_id"),
            date: try fields.integer("msg_date"), subject: try fields.text("subject"),
            sender: try fields.text("sender"), to: try fields.texts("to_addrs"), cc: try fields.texts("cc_addrs"),
            bcc: try fields.texts("bcc_addrs"), snippet: try fields.text("snippet"),
            headers: MessageHeaders(
                first: try fields.value("headers").members().map {
                    HeaderField(name: $0.key, value: try $0.value.text())
                }, repeated: try repeated.map { .init(name: $0.key, values: try $0.value.texts()) }),
            labels: try fields.texts("labels"))
    }

    private static func labels(_ fields: StoredFields) throws -> [MailLabel] {
        try fields.value("labels").elements().map { element in
            let label = try StoredFields(element.members())
            return MailLabel(id: try label.text("id"), name: try label.text("name"), type: try label.text("type"))
        }
    }
}
