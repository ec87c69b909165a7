import GRDB
import MailModel

/// Pages for proving that log, state, counters and outbox agree: each is what one moment saw, and small.
extension StoreReader {
    /// The events of the log, in order; a number that two rows have comes twice.
    ///
    /// - Parameter seq: 0 for the first: mail that was taken over as state, below, is no event.
    public func stamps(after seq: Int64, limit: Int) throws -> [EventStamp] {
        let sql = """
            SELECT seq, ts, provider, inbox_id FROM email_received_events WHERE seq > ?1
            UNION ALL SELECT seq, ts, provider, inbox_id FROM email_change_events WHERE seq > ?1
            UNION ALL SELECT seq, ts, provider, inbox_id FROM account_events WHERE seq > ?1
            ORDER BY 1 LIMIT ?2
            """
        return try db.rows(sql, [max(0, seq).databaseValue, limit.databaseValue]).map {
            EventStamp(
                seq: try $0.integer(0), recordedAt: try $0.integer(1),
                account: AccountKey(user: user, provider: try $0.choice(2), inbox: try InboxID(encoded: $0.text(3))))
        }
    }

    /// The numbers that an erase took out of the log, in order.
    public func erasedSequences() throws -> [ClosedRange<Int64>] {
        try db.rows("SELECT first_seq, max(first_seq, last_seq) FROM erased_sequences ORDER BY first_seq").map {
            try $0.integer(0)...$0.integer(1)
        }
    }

    /// Messages of the log with all their events and their state, in the order in which they were received.
    public func messageRecords(after seq: Int64, limit: Int) throws -> [MessageRecord] {
        let sql = """
            SELECT e.seq, e.provider, e.inbox_id, e.provider_message_id, e.event_id, e.labels_json, m.revision,
                m.is_present, m.labels_json
            FROM email_received_events e LEFT JOIN messages m ON m.seq = e.seq
            WHERE e.seq > ? ORDER BY e.seq LIMIT ?
            """
        return try db.rows(sql, [seq.databaseValue, limit.databaseValue]).map(messageRecord)
    }

    private func messageRecord(_ row: Row) throws -> MessageRecord {
        let account = AccountKey(user: user, provider: try row.choice(1), inbox: try InboxID(encoded: row.text(2)))
        let id = try row.text(3)
        var record = MessageRecord(
            seq: try row.integer(0), account: account, id: id, eventID: try row.text(4), labels: try row.text(5),
            changes: try changes(of: id, account))
        if let revision = try row.optionalInteger(6) {
            record.state = .init(revision: revision, isPresent: try row.integer(7) == 1, labels: try row.text(8))
        }
        return record
    }

    private func changes(of id: String, _ account: AccountKey) throws -> [MessageRecord.Change] {
        let sql = """
            SELECT seq, event_id, event_type, labels_json FROM email_change_events
            WHERE provider = ? AND inbox_id = ? AND provider_message_id = ? ORDER BY seq
            """
        return try db.rows(sql, account.columns + [StoredText.value(id)]).map {
            .init(
                seq: try $0.integer(0), eventID: try $0.text(1), type: try $0.text(2), labels: try $0.optionalText(3))
        }
    }

    /// The numbers of changes of messages that the log never received, `limit` at most.
    public func changesWithoutMessage(limit: Int) throws -> [Int64] {
        let sql = """
            SELECT c.seq FROM email_change_events c WHERE NOT EXISTS (
                SELECT 1 FROM email_received_events e WHERE e.provider = c.provider AND e.inbox_id = c.inbox_id
                    AND e.provider_message_id = c.provider_message_id)
            LIMIT ?
            """
        return try db.rows(sql, [limit.databaseValue]).map { try $0.integer(0) }
    }

    /// The numbers of states of messages that the log never received, `limit` at most.
    public func statesWithoutMessage(limit: Int) throws -> [Int64] {
        let sql = """
            SELECT m.seq FROM messages m WHERE NOT EXISTS (SELECT 1 FROM email_received_events e WHERE e.seq = m.seq)
            LIMIT ?
            """
        return try db.rows(sql, [limit.databaseValue]).map { try $0.integer(0) }
    }

    /// Events of accounts, in order.
    public func accountEventRecords(after seq: Int64, limit: Int) throws -> [AccountEventRecord] {
        let sql = """
            SELECT seq, provider, inbox_id, event_id, event_type FROM account_events WHERE seq > ? ORDER BY seq LIMIT ?
            """
        return try db.rows(sql, [seq.databaseValue, limit.databaseValue]).map {
            AccountEventRecord(
                seq: try $0.integer(0),
                account: AccountKey(user: user, provider: try $0.choice(1), inbox: try InboxID(encoded: $0.text(2))),
                eventID: try $0.text(3), type: try $0.text(4))
        }
    }

    /// The account's counters as they are kept.
    ///
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    public func counters(_ key: AccountKey) throws -> AccountCounters {
        let account = try AccountLedger.load(key, from: self)
        return AccountCounters(
            stored: account.stored, gone: account.gone, gaps: account.gaps, givenUp: account.givenUp,
            events: account.events, accountEvents: account.accountEvents, outboxDepth: account.outboxDepth)
    }

    /// The account's counters, counted anew.
    ///
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    public func recounted(_ key: AccountKey) throws -> AccountCounters {
        let id = try AccountLedger.load(key, from: self).id
        var counters = AccountCounters()
        counters.stored = try rows(in: "email_received_events", of: key)
        // What an erase said is of an earlier life of the account.
        counters.accountEvents = try rows(in: "account_events", of: key, "event_type <> 'account.erased'")
        counters.events =
            try counters.accountEvents + rows(in: "email_received_events", of: key, "seq > 0")
            + rows(in: "email_change_events", of: key)
        counters.outboxDepth =
            try db.row("SELECT count(*) FROM outbox WHERE account_id = ?", [id.databaseValue])?.integer(0) ?? 0
        let gaps = "SELECT state, count(*) FROM message_gaps WHERE account_id = ? GROUP BY state"
        for row in try db.rows(gaps, [id.databaseValue]) {
            let state: GapLedger.State = try row.choice(0)
            switch state {
            case .open: counters.gaps = try row.integer(1)
            case .gone: counters.gone = try row.integer(1)
            case .givenUp: counters.givenUp = try row.integer(1)
            }
        }
        return counters
    }

    /// Both texts are ours, never from outside.
    private func rows(in table: String, of key: AccountKey, _ condition: String = "TRUE") throws -> Int64 {
        let sql = "SELECT count(*) FROM \(table) WHERE provider = ? AND inbox_id = ? AND \(condition)"
        return try db.row(sql, key.columns)?.integer(0) ?? 0
    }

    /// The next stretch of what waits, and of the outbox; from the start when `seq` is nil.
    public func outboxStretch(after seq: Int64?, limit: Int) throws -> OutboxStretch {
        let dispatch = try dispatch()
        let after = seq ?? 0
        let events = try events(after: max(after, dispatch.publishedSeq), limit: limit)
        let rows = try outboxRows(after: after, limit: limit)
        let isLast = events.count < limit && rows.count < limit
        let ends = [events.count < limit ? nil : events.last?.seq, rows.count < limit ? nil : rows.last?.seq]
        let end = ends.compactMap { $0 }.min() ?? .max
        return OutboxStretch(
            dispatch: dispatch, events: events.filter { $0.seq <= end }, rows: rows.filter { $0.seq <= end },
            next: isLast ? nil : end)
    }

    /// The confirmed events that wait to be sent again, in order.
    public func waitingResends(after seq: Int64 = 0, limit: Int) throws -> [Int64] {
        let sql = "SELECT seq FROM resends WHERE stream_sequence IS NULL AND seq > ? ORDER BY seq LIMIT ?"
        return try db.rows(sql, [seq.databaseValue, limit.databaseValue]).map { try $0.integer(0) }
    }

    /// What the stream held of the user when this event was sent to it again: everything up to the number returned. nil
    /// when the event at this place of the stream was not sent again.
    public func heldAtResend(of seq: Int64, streamSequence: UInt64) throws -> Int64? {
        let sql = "SELECT published_seq FROM resends WHERE seq = ? AND stream_sequence = ?"
        return try db.row(sql, [seq.databaseValue, Int64(bitPattern: streamSequence).databaseValue])?.integer(0)
    }
}
