import GRDB
import MailModel

extension StoreReader {
    /// The event with this number; nil when there is none.
    public func event(seq: Int64) throws -> MailEvent? {
        try events(after: seq - 1, limit: 1).first { $0.seq == seq }
    }

    /// Events in `seq` order, read back from the event log: each renders the payload it went out with.
    /// Mail that was taken over as state, below the first number, is no event.
    public func events(after seq: Int64, limit: Int) throws -> [MailEvent] {
        let range = [max(0, seq).databaseValue, limit.databaseValue]
        var events = try db.rows(EventLog.receivedColumns, range).map(received)
        events += try db.rows(EventLog.changeColumns, range).map(change)
        events += try db.rows(EventLog.accountColumns, range).map(accountEvent)
        events.sort { $0.seq < $1.seq }
        return Array(events.prefix(limit))
    }

    private func received(_ row: Row) throws -> MailEvent {
        let message = MessageMeta(
            id: try row.text(6), threadID: try row.text(7), date: try row.integer(8), subject: try row.text(9),
            sender: try row.text(10), to: try row.texts(11), cc: try row.texts(12), bcc: try row.texts(13),
            snippet: try row.text(14), headers: try headers(row), labels: try row.texts(16))
        return try event(row, .received(message))
    }

    private func headers(_ row: Row) throws -> MessageHeaders {
        let first = try StoredJSON.parse(row.text(15)).members().map {
            HeaderField(name: $0.key, value: try $0.value.text())
        }
        guard let text = try row.optionalText(17) else { return MessageHeaders(first: first) }
        let repeated = try StoredJSON.parse(text).members().map {
            MessageHeaders.Repeated(name: $0.key, values: try $0.value.texts())
        }
        return MessageHeaders(first: first, repeated: repeated)
    }

    private func change(_ row: Row) throws -> MailEvent {
        let (id, threadID) = (try row.text(6), try row.text(7))
        guard try row.text(3) == "email.updated" else { return try event(row, .deleted(id: id, threadID: threadID)) }
        return try event(
            row,
            .updated(
                LabelUpdate(
                    id: id, threadID: threadID, labels: try row.texts(8), added: try row.texts(9),
                    removed: try row.texts(10), restored: try row.integer(11) == 1)))
    }

    private func accountEvent(_ row: Row) throws -> MailEvent {
        let detail = try row.optionalText(6) ?? ""
        switch try row.text(3) {
        case "account.connected": return try event(row, .account(.connected(mailbox: detail)))
        case "account.disconnected": return try event(row, .account(.disconnected))
        case "account.reauth_required": return try event(row, .account(.reauthRequired(reason: detail)))
        case "account.labels": return try event(row, .account(.labels(StoredLabels.parse(detail))))
        case "account.checkpoint": return try event(row, .account(.checkpoint(StoredCheckpoint.parse(detail))))
        case "account.erased": return try event(row, .account(.erased(StoredErasure.parse(detail))))
        case let type: throw StoreFailure.unreadable("the event type \(type)")
        }
    }

    /// The columns that all three tables of the log begin with: seq, event_id, ts, event_type, provider, inbox_id.
    private func event(_ row: Row, _ body: MailEvent.Body) throws -> MailEvent {
        let origin: EventOrigin = try row.choice(row.count - 1)
        let account = AccountKey(user: user, provider: try row.choice(4), inbox: try InboxID(encoded: row.text(5)))
        return MailEvent(
            id: try row.text(1), seq: try row.integer(0), recordedAt: try row.integer(2), account: account,
            origin: origin, body: body)
    }
}

/// The labels of an `account.labels` event, as its `detail` column holds them.
enum StoredLabels {
    static func json(_ labels: [MailLabel]) -> DatabaseValue {
        StoredText.json { json in
            json.array(labels) { json, label in json.array([label.id, label.name, label.type]) { $0.string($1) } }
        }
    }

    static func parse(_ text: String) throws -> [MailLabel] {
        try StoredJSON.parse(text).elements().map { element in
            let parts = try element.texts()
            guard parts.count == 3 else { throw StoreFailure.unreadable("a label of an account.labels event") }
            return MailLabel(id: parts[0], name: parts[1], type: parts[2])
        }
    }
}
