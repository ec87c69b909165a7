import GRDB
import MailModel

/// What heals differences inside a store, each derived from the event log.
extension StoreTransaction {
    private var db: Database { reader.db }

    /// Derives the state of the message received with this number anew. What does not follow from events (version,
    /// thread, folder) is kept; of a state that was missing it is what the log says, with version 0.
    ///
    /// - Returns: false when the log has no such message.
    public func deriveState(seq: Int64) throws -> Bool {
        guard let record = try reader.messageRecords(after: seq - 1, limit: 1).first, record.seq == seq else {
            return false
        }
        let state = record.derivedState
        try db.run(
            """
            INSERT INTO messages(seq, version, revision, is_present, provider_thread_id, labels_json)
            SELECT seq, 0, ?2, ?3, provider_thread_id, ?4 FROM email_received_events WHERE seq = ?1
            ON CONFLICT DO UPDATE SET revision = excluded.revision, is_present = excluded.is_present,
                labels_json = excluded.labels_json
            """,
            [
                seq.databaseValue, state.revision.databaseValue, state.isPresent.databaseValue,
                state.labels.databaseValue,
            ])
        return true
    }

    /// Removes the state of a message that the log never received.
    public func dropState(seq: Int64) throws {
        try db.run(
            "DELETE FROM messages WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM email_received_events WHERE seq = ?1)",
            [seq.databaseValue])
    }

    /// Counts the account's counters anew.
    ///
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    public func recount(_ key: AccountKey, at now: UnixSeconds) throws {
        let counters = try reader.recounted(key)
        var account = try AccountLedger.load(key, from: reader)
        account.stored = counters.stored
        account.gone = counters.gone
        account.gaps = counters.gaps
        account.givenUp = counters.givenUp
        account.events = counters.events
        account.accountEvents = counters.accountEvents
        account.outboxDepth = counters.outboxDepth
        try account.save(to: db, at: now)
    }

    /// Makes the outbox's rows with these numbers what the log says: rendered anew when the event waits to be confirmed,
    /// removed when it is confirmed or unknown. The counters follow.
    public func restoreOutboxRows(_ sequences: [Int64], at now: UnixSeconds) throws {
        let published = try reader.dispatch().publishedSeq
        for seq in sequences {
            try db.run("DELETE FROM outbox WHERE id = ?", [seq.databaseValue])
            guard seq > published, let event = try reader.event(seq: seq) else { continue }
            // An account that was erased has no row; its last event still goes out.
            let account =
                try reader.account(event.account) == nil ? nil : AccountLedger.load(event.account, from: reader)
            try log.enqueue(event, accountID: account?.id ?? 0)
        }
        for account in try reader.accounts() { try recountOutbox(account.key, at: now) }
    }

    private func recountOutbox(_ key: AccountKey, at now: UnixSeconds) throws {
        var account = try AccountLedger.load(key, from: reader)
        let row = try db.row("SELECT count(*) FROM outbox WHERE account_id = ?", [account.id.databaseValue])
        account.outboxDepth = try row?.integer(0) ?? 0
        try account.save(to: db, at: now)
    }

    /// Wants a confirmed event to be sent to the stream again; nothing happens when it already waits for it.
    public func requestResend(seq: Int64, at now: UnixSeconds) throws {
        try db.run(
            """
            INSERT INTO resends(seq, requested_at) VALUES (?, ?)
            ON CONFLICT DO UPDATE SET requested_at = excluded.requested_at, stream_sequence = NULL,
                published_seq = NULL
            """,
            [seq.databaseValue, now.databaseValue])
    }

    /// Records that the stream has an event again, at this place, which is now the user's last one in the stream.
    public func resent(seq: Int64, streamSequence: UInt64, stream created: String?, at now: UnixSeconds) throws {
        let place = Int64(bitPattern: streamSequence).databaseValue
        try db.run(
            """
            INSERT INTO resends(seq, requested_at, stream_sequence, published_seq)
            SELECT ?, ?, ?, published_seq FROM meta WHERE true
            ON CONFLICT DO UPDATE SET stream_sequence = excluded.stream_sequence,
                published_seq = excluded.published_seq
            """, [seq.databaseValue, now.databaseValue, place])
        try db.run(
            """
            UPDATE meta SET stream_sequence = ?, stream_created = coalesce(?, stream_created), confirmed_at = ?
            """, [place, StoredText.value(created), now.databaseValue])
    }

    /// An event cannot be sent again: it is not in the log any more, or too old for the stream.
    public func cancelResend(seq: Int64) throws {
        try db.run("DELETE FROM resends WHERE seq = ? AND stream_sequence IS NULL", [seq.databaseValue])
    }

    /// Records that the account was compared with its mailbox to the end.
    ///
    /// - Parameter missing: messages that the mailbox holds and the store does not, and that were not healed.
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    public func recordVerification(_ key: AccountKey, missing: Int, at now: UnixSeconds) throws {
        let id = try AccountLedger.load(key, from: reader).id
        try db.run(
            "UPDATE provider_sync_state SET last_verified_at = ?, missing = ? WHERE account_id = ?",
            [now.databaseValue, missing.databaseValue, id.databaseValue])
    }
}
