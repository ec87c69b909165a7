import GRDB
import MailModel

extension StoreTransaction {
    /// Records that the stream holds every event up to `seq`: progress moves on and the rows leave the outbox, in one
    /// transaction. A dead letter at or below `seq` is settled.
    ///
    /// - Parameters:
    ///   - streamSequence: the stream's sequence of the last of them.
    ///   - created: the creation time of the stream, as the server writes it; nil keeps the one recorded.
    public func confirm(
        through seq: Int64, streamSequence: UInt64, stream created: String?, at now: UnixSeconds
    ) throws {
        let through = min(seq, log.lastSeq)
        try reader.db.run(
            """
            UPDATE provider_sync_state SET outbox_depth = outbox_depth - (
                SELECT count(*) FROM outbox WHERE id <= ? AND outbox.account_id = provider_sync_state.account_id)
            """, [through.databaseValue])
        try reader.db.run("DELETE FROM outbox WHERE id <= ?", [through.databaseValue])
        try reader.db.run(
            """
            UPDATE meta SET published_seq = max(published_seq, ?), stream_sequence = ?,
                stream_created = coalesce(?, stream_created), confirmed_at = ?
            """,
            [
                through.databaseValue, Int64(bitPattern: streamSequence).databaseValue, StoredText.value(created),
                now.databaseValue,
            ])
        try reader.db.run(
            """
            UPDATE meta SET dead_letter_seq = NULL, dead_letter_reason = NULL, dead_letter_at = NULL
            WHERE dead_letter_seq <= ?
            """, [through.databaseValue])
    }

    /// Records a failed attempt to publish a row, and when to try again.
    ///
    /// - Parameter reason: safe to print.
    public func noteAttempt(seq: Int64, retries: Int, nextAttemptAt: UnixSeconds, reason: String) throws {
        try reader.db.run(
            "UPDATE outbox SET retries = ?, next_attempt_at = ?, last_error = ? WHERE id = ?",
            [retries.databaseValue, nextAttemptAt.databaseValue, StoredText.value(reason), seq.databaseValue])
    }

    /// Records that a row can never be published: the user's publishing stops there until an operator acts.
    ///
    /// - Parameter reason: safe to print.
    public func deadLetter(seq: Int64, reason: String, at now: UnixSeconds) throws {
        try reader.db.run(
            "UPDATE meta SET dead_letter_seq = ?, dead_letter_reason = ?, dead_letter_at = ?",
            [seq.databaseValue, StoredText.value(reason), now.databaseValue])
    }

    /// Lets publishing try again at the row that stopped it.
    public func clearDeadLetter() throws {
        try reader.db.run(
            "UPDATE meta SET dead_letter_seq = NULL, dead_letter_reason = NULL, dead_letter_at = NULL", [])
    }
}
