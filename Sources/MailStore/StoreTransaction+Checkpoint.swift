import GRDB
import MailModel

extension StoreTransaction {
    /// An account's checkpoints follow each other at this distance at least, in seconds; the end of a backfill aside.
    public static let checkpointIntervalSeconds: Int64 = 60

    /// Applies a batch as ``apply(_:to:at:)`` does, and emits `account.checkpoint` in the same transaction when it is
    /// due: a backfill has ended, or the batch emitted events and the last checkpoint is a minute old.
    public func applyNoting(_ batch: ChangeBatch, to key: AccountKey, at now: UnixSeconds) throws -> AppliedBatch {
        let before = try reader.checkpointing(key)
        let applied = try apply(batch, to: key, at: now)
        let isDue =
            before.lastCheckpointAt.map { now - $0 >= Self.checkpointIntervalSeconds || now < $0 }
            ?? (batch.phase == .live)
        if batch.phase == .live && before.phase != .live || applied.lastSeq != nil && isDue {
            try checkpoint(key, at: now)
        }
        return applied
    }

    /// Emits `account.checkpoint`, unless the resume point is too long for an event.
    ///
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    public func checkpoint(_ key: AccountKey, at now: UnixSeconds) throws {
        guard let checkpoint = try reader.checkpoint(of: key), checkpoint.cursor != nil else { return }
        _ = try record(.checkpoint(checkpoint), of: key, origin: .incremental, at: now)
        try reader.db.run(
            "UPDATE provider_sync_state SET last_checkpoint_at = ? WHERE provider = ? AND inbox_id = ?",
            [now.databaseValue] + key.columns)
    }
}

extension StoreReader {
    /// The account as a checkpoint describes it now.
    ///
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    func checkpoint(of key: AccountKey) throws -> AccountCheckpoint? {
        guard let account = try account(key) else { throw StoreFailure.unknownAccount(key) }
        let gaps = try db.rows(
            """
            SELECT provider_message_id FROM message_gaps
            WHERE account_id = (SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?)
                AND state = 'open'
            ORDER BY provider_message_id LIMIT ?
            """, key.columns + [AccountCheckpoint.gapsMax.databaseValue])
        let isShort = account.cursor.document.utf8.count <= AccountCheckpoint.cursorBytesMax
        return AccountCheckpoint(
            mailbox: account.mailbox, phase: account.phase, cursor: isShort ? account.cursor : nil,
            estimatedTotal: account.estimatedTotal.map(Int64.init), stored: Int64(account.stored),
            gone: Int64(account.gone), gaps: try gaps.map { try $0.text(0) })
    }

    fileprivate func checkpointing(_ key: AccountKey) throws -> (phase: SyncPhase, lastCheckpointAt: UnixSeconds?) {
        let sql = "SELECT phase, last_checkpoint_at FROM provider_sync_state WHERE provider = ? AND inbox_id = ?"
        guard let row = try db.row(sql, key.columns) else { throw StoreFailure.unknownAccount(key) }
        return (try row.choice(0), try row.optionalInteger(1))
    }
}
