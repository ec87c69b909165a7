import GRDB
import MailModel

/// Writes events inside one transaction: the one place that assigns event numbers and writes the outbox.
final class EventLog {
    private let db: Database
    private let user: UserID
    private(set) var generation: Int64
    /// The last event number assigned.
    private(set) var lastSeq: Int64

    init(db: Database, user: UserID, generation: Int64, lastSeq: Int64) {
        self.db = db
        self.user = user
        self.generation = generation
        self.lastSeq = lastSeq
    }

    /// Logs an event and puts it into the outbox.
    ///
    /// - Parameters:
    ///   - message: the message's id; empty for account events.
    ///   - revision: how many events the message (or the account, of its own) had before.
    /// - Returns: the event's number.
    func append(
        _ body: MailEvent.Body, message: String, revision: Int64, origin: EventOrigin, at now: UnixSeconds,
        to account: inout AccountLedger
    ) throws -> Int64 {
        var event = MailEvent(
            id: "", seq: lastSeq + 1, recordedAt: now, account: account.key, origin: origin, body: body)
        event.id = EventID.make(
            generation: generation, account: account.key, message: message, type: event.type, revision: revision)
        try log(event)
        try enqueue(event, accountID: account.id)
        lastSeq = event.seq
        account.events += 1
        account.outboxDepth += 1
        return event.seq
    }

    /// Logs an event as it was published, without putting it into the outbox.
    func restore(_ event: MailEvent) throws {
        try log(event)
        lastSeq = max(lastSeq, event.seq)
    }

    /// Logs what is no event any more: the message of an event that is long gone.
    func adopt(_ event: MailEvent) throws { try log(event) }

    /// Numbering goes on after `seq`, whatever was assigned before.
    func restart(after seq: Int64) { lastSeq = seq }

    /// Part of the ids of events from here on.
    func raiseGeneration(to generation: Int64) { self.generation = max(self.generation, generation) }

    /// Puts an event into the outbox.
    func enqueue(_ event: MailEvent, accountID: Int64) throws {
        let payload = String(decoding: event.payload(), as: UTF8.self)
        try db.run(
            "INSERT INTO outbox(id, ts, account_id, subject, event_type, msg_id, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                event.seq.databaseValue, event.recordedAt.databaseValue, accountID.databaseValue,
                event.subject.databaseValue, event.type.databaseValue, event.id.databaseValue, payload.databaseValue,
            ])
    }

    private func log(_ event: MailEvent) throws {
        switch event.body {
        case .received(let message): try log(event, message)
        case .updated(let update):
            try logChange(
                event, id: update.id, threadID: update.threadID,
                labels: [
                    StoredText.array(update.labels), StoredText.array(update.added), StoredText.array(update.removed),
                    update.restored.databaseValue,
                ])
        case .deleted(let id, let threadID):
            try logChange(event, id: id, threadID: threadID, labels: [.null, .null, .null, .null])
        case .account(let fact): try log(event, fact)
        }
    }

    private func log(_ event: MailEvent, _ message: MessageMeta) throws {
        let headers = message.headers
        let first = StoredText.json { json in
            json.object { json in for field in headers.first { json.field(field.name, field.value) } }
        }
        let repeated = StoredText.json { json in
            json.object { json in for header in headers.repeated { json.field(header.name, header.values) } }
        }
        try db.run(
            Self.insertReceived,
            identity(event) + [
                StoredText.value(message.id), StoredText.value(message.threadID), message.date.databaseValue,
                StoredText.value(message.subject), StoredText.value(message.sender), StoredText.array(message.to),
                StoredText.array(message.cc), StoredText.array(message.bcc), StoredText.value(message.snippet), first,
                StoredText.array(message.labels), headers.repeated.isEmpty ? .null : repeated,
                event.origin.rawValue.databaseValue,
            ])
    }

    private func logChange(_ event: MailEvent, id: String, threadID: String, labels: [DatabaseValue]) throws {
        try db.run(
            Self.insertChange,
            identity(event) + [event.type.databaseValue, StoredText.value(id), StoredText.value(threadID)] + labels
                + [event.origin.rawValue.databaseValue])
    }

    private func log(_ event: MailEvent, _ fact: AccountEvent) throws {
        let detail: DatabaseValue =
            switch fact {
            case .connected(let mailbox): StoredText.value(mailbox)
            case .disconnected: .null
            case .reauthRequired(let reason): StoredText.value(reason)
            case .labels(let labels): StoredLabels.json(labels)
            case .checkpoint(let checkpoint): StoredCheckpoint.json(checkpoint)
            case .erased(let erasure): StoredErasure.json(erasure)
            }
        try db.run(
            Self.insertAccountEvent,
            identity(event) + [event.type.databaseValue, detail, event.origin.rawValue.databaseValue])
    }

    private func identity(_ event: MailEvent) -> [DatabaseValue] {
        [event.seq.databaseValue, event.id.databaseValue, event.recordedAt.databaseValue] + event.account.columns
            + [user.encoded.databaseValue]
    }
}

/// The statements of the event log; what is inserted and what is read back side by side.
extension EventLog {
    private static let insertReceived = """
        INSERT INTO email_received_events(seq, event_id, ts, provider, inbox_id, user_id, provider_message_id,
            provider_thread_id, msg_date, subject, sender, to_addrs, cc_addrs, bcc_addrs, snippet, headers_json,
            labels_json, headers_repeated_json, origin)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    static let receivedColumns = """
        SELECT seq, event_id, ts, 'email.received', provider, inbox_id, provider_message_id, provider_thread_id,
            msg_date, subject, sender, to_addrs, cc_addrs, bcc_addrs, snippet, headers_json, labels_json,
            headers_repeated_json, origin
        FROM email_received_events WHERE seq > ? ORDER BY seq LIMIT ?
        """

    private static let insertChange = """
        INSERT INTO email_change_events(seq, event_id, ts, provider, inbox_id, user_id, event_type,
            provider_message_id, provider_thread_id, labels_json, labels_added_json, labels_removed_json, restored,
            origin)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    static let changeColumns = """
        SELECT seq, event_id, ts, event_type, provider, inbox_id, provider_message_id, provider_thread_id,
            labels_json, labels_added_json, labels_removed_json, restored, origin
        FROM email_change_events WHERE seq > ? ORDER BY seq LIMIT ?
        """

    private static let insertAccountEvent = """
        INSERT INTO account_events(seq, event_id, ts, provider, inbox_id, user_id, event_type, detail, origin)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    static let accountColumns = """
        SELECT seq, event_id, ts, event_type, provider, inbox_id, detail, origin
        FROM account_events WHERE seq > ? ORDER BY seq LIMIT ?
        """
}
