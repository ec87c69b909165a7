import GRDB
import MailModel

/// What can be done to a user's store: everything in one closure is one transaction, which is undone when the closure
/// throws. A value of this type is valid only inside the closure it was handed to.
public struct StoreTransaction {
    /// What can be asked; sees what this transaction has written.
    public let reader: StoreReader
    let log: EventLog
    let progress: TransactionProgress
    private var db: Database { reader.db }

    init(reader: StoreReader, log: EventLog) {
        self.reader = reader
        self.log = log
        progress = TransactionProgress()
    }

    /// Starts following a mailbox, after its profile was read. An account that exists keeps its cursor and counters,
    /// and loses its error. Emits `account.connected` when the account is new or was stopped.
    public func follow(
        _ key: AccountKey, mailbox: String, cursor: MailModel.Cursor, estimatedTotal: Int, at now: UnixSeconds
    ) throws {
        guard key.user == reader.user else { throw StoreFailure.unknownAccount(key) }
        let earlier = try reader.account(key)
        try db.run(
            """
            INSERT INTO provider_sync_state(provider, inbox_id, cursor, phase, status, mailbox, estimated_total,
                updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (provider, inbox_id) DO UPDATE SET status = excluded.status, mailbox = excluded.mailbox,
                estimated_total = excluded.estimated_total, last_error = NULL, last_error_code = NULL,
                retry_count = 0, next_attempt_at = NULL, updated_at = excluded.updated_at
            """,
            key.columns + [
                StoredText.value(cursor.document), SyncPhase.starting.rawValue.databaseValue,
                (earlier?.lastSyncedAt == nil ? AccountStatus.starting : .active).rawValue.databaseValue,
                StoredText.value(mailbox), estimatedTotal.databaseValue, now.databaseValue,
            ])
        if earlier == nil || earlier?.status == .stopped {
            _ = try record(.connected(mailbox: mailbox), of: key, origin: .backfill, at: now)
        }
    }

    /// Applies a batch: event log, current state, outbox, gap ledger, labels, counters and cursor. A fact that is
    /// already known adds nothing.
    ///
    /// - Throws: ``StoreFailure/unknownAccount(_:)`` when the account is not followed.
    public func apply(_ batch: ChangeBatch, to key: AccountKey, at now: UnixSeconds) throws -> AppliedBatch {
        var application = try BatchApplication(batch, to: key, reader: reader, log: log, at: now)
        progress.appliesBatch = true
        return try application.run()
    }

    /// Emits an account event.
    ///
    /// - Returns: its number.
    public func record(
        _ event: AccountEvent, of key: AccountKey, origin: EventOrigin, at now: UnixSeconds
    ) throws -> Int64 {
        var account = try AccountLedger.load(key, from: reader)
        let seq = try log.append(
            .account(event), message: "", revision: account.accountEvents, origin: origin, at: now, to: &account)
        account.accountEvents += 1
        try account.save(to: db, at: now)
        return seq
    }

    /// Part of the ids of events that are emitted now.
    public var generation: Int64 { log.generation }
}

/// What a transaction has done so far, for whoever commits it.
final class TransactionProgress {
    var appliesBatch = false
}
