import MailModel

/// Events of every type, plain and cut.
enum EventSamples {
    static let all: [MailEvent] = bodies.enumerated().map { index, body in
        MailEvent(
            id: EventID.make(
                generation: 0, account: account, message: "m", type: type(of: body), revision: Int64(index)),
            seq: Int64(index + 1), recordedAt: 1_700_000_000, account: account, origin: .incremental, body: body)
    }

    /// The type of what happened. A new case needs a sample above, a schema, a channel and a section in the documents.
    static func type(of body: MailEvent.Body) -> String {
        switch body {
        case .received: "email.received"
        case .updated: "email.updated"
        case .deleted: "email.deleted"
        case .account(.connected): "account.connected"
        case .account(.disconnected): "account.disconnected"
        case .account(.reauthRequired): "account.reauth_required"
        case .account(.labels): "account.labels"
        case .account(.checkpoint): "account.checkpoint"
        case .account(.erased): "account.erased"
        }
    }

    private static let account = AccountKey(
        user: UserID(uncheckedEncoded: "auth0%7C42"), provider: .microsoft, inbox: .primary)

    private static let bodies: [MailEvent.Body] = [
        .received(message()), .received(message(headers: 1, repeated: 2)), .received(message(headers: 300)),
        .received(message(recipients: 30_000)),
        .updated(
            LabelUpdate(id: "m", threadID: "t", labels: ["INBOX"], added: ["INBOX"], removed: ["TRASH"], restored: true)
        ),
        .updated(LabelUpdate(id: "m", threadID: "", labels: [], added: [], removed: ["UNREAD"], restored: false)),
        .deleted(id: "m", threadID: "t"), .account(.connected(mailbox: "ada@example.com")), .account(.disconnected),
        .account(.reauthRequired(reason: "invalid_grant")),
        .account(.labels([MailLabel(id: "Label_1", name: "Travel/2026", type: "user")])), .account(.labels([])),
        .account(
            .checkpoint(
                AccountCheckpoint(
                    mailbox: "ada@example.com", phase: .live, cursor: Cursor(#"{"historyId":"9"}"#), estimatedTotal: 9,
                    stored: 8, gone: 1, gaps: ["x"]))),
        .account(.checkpoint(AccountCheckpoint(mailbox: "ada@example.com", phase: .backfill, cursor: nil))),
        .account(.erased(AccountErasure(generation: 1, ranges: [SequenceRange(1, 9), SequenceRange(12, 12)]))),
    ]

    /// - Parameters:
    ///   - headers: how many long ones; many are too much for one event.
    ///   - recipients: how many; many are too much as well.
    private static func message(headers: Int = 0, repeated: Int = 0, recipients: Int = 1) -> MessageMeta {
        let values = (0..<repeated).map { "relay \($0)" }
        return MessageMeta(
            id: "m", threadID: "t", date: 1_699_999_990, subject: "Hello", sender: "eve@example.com",
            to: (0..<recipients).map { "someone-\($0)@example.com" }, snippet: "…",
            headers: MessageHeaders(
                first: (0..<headers).map { HeaderField(name: "X-\($0)", value: String(repeating: "x", count: 4096)) },
                repeated: values.isEmpty ? [] : [.init(name: "X-0", values: values)]),
            labels: ["INBOX", "UNREAD"])
    }
}
