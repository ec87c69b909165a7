import GRDB
import MailModel

/// Events of the stream become rows again, within one transaction.
struct Restoration {
    let reader: StoreReader
    let log: EventLog
    let now: UnixSeconds
    private var ledgers: [AccountKey: AccountLedger] = [:]
    private var db: Database { reader.db }

    init(reader: StoreReader, log: EventLog, now: UnixSeconds) {
        self.reader = reader
        self.log = log
        self.now = now
    }

    mutating func take(_ event: MailEvent) throws {
        if case .account(.erased(let erasure)) = event.body { return try takeErasure(event, erasure) }
        var account = try ledger(event.account)
        if case .received(let message) = event.body { try makeRoom(for: message, of: account.key) }
        try log.restore(event)
        account.events += 1
        switch event.body {
        case .received(let message):
            try insert(message, seq: event.seq)
            account.stored += 1
        case .updated(let update): try apply(update, of: account)
        case .deleted(let id, _): try markDeleted(id, of: account)
        case .account(let fact):
            account.accountEvents += 1
            try apply(fact, at: event.recordedAt, to: &account)
        }
        ledgers[event.account] = account
    }

    func save() throws {
        for account in ledgers.values { try account.save(to: db, at: now) }
    }

    private func ledger(_ key: AccountKey) throws -> AccountLedger {
        if let known = ledgers[key] { return known }
        try RestoredAccounts(db: db).insert(key, at: now)
        return try AccountLedger.load(key, from: reader)
    }

    // MARK: Messages

    /// A message that was taken over as state gives way to its event.
    private func makeRoom(for message: MessageMeta, of key: AccountKey) throws {
        guard let stored = try reader.message(key, message.id), stored.seq <= 0 else { return }
        try db.run("DELETE FROM messages WHERE seq = ?", [stored.seq.databaseValue])
        try db.run("DELETE FROM email_received_events WHERE seq = ?", [stored.seq.databaseValue])
    }

    private func insert(_ message: MessageMeta, seq: Int64) throws {
        try db.run(
            """
            INSERT INTO messages(seq, version, revision, is_present, provider_thread_id, labels_json)
            VALUES (?, 0, 1, 1, ?, ?)
            """, [seq.databaseValue, StoredText.value(message.threadID), StoredText.array(message.labels)])
    }

    private func apply(_ update: LabelUpdate, of account: AccountLedger) throws {
        guard let stored = try reader.message(account.key, update.id) else {
            return try db.run(
                """
                INSERT INTO adoption_candidates(account_id, provider_message_id, was_known) VALUES (?, ?, 1)
                ON CONFLICT DO NOTHING
                """, [account.id.databaseValue, StoredText.value(update.id)])
        }
        try db.run(
            """
            UPDATE messages SET revision = revision + 1, is_present = 1, provider_thread_id = ?, labels_json = ?
            WHERE seq = ?
            """,
            [StoredText.value(update.threadID), StoredText.array(update.labels), stored.seq.databaseValue])
    }

    private func markDeleted(_ id: String, of account: AccountLedger) throws {
        if let stored = try reader.message(account.key, id) {
            try db.run(
                "UPDATE messages SET revision = revision + 1, is_present = 0 WHERE seq = ?", [stored.seq.databaseValue])
        } else {
            try db.run(
                "DELETE FROM adoption_candidates WHERE account_id = ? AND provider_message_id = ?",
                [account.id.databaseValue, StoredText.value(id)])
        }
    }

    // MARK: Accounts

    private func apply(_ fact: AccountEvent, at recordedAt: UnixSeconds, to account: inout AccountLedger) throws {
        switch fact {
        case .connected(let mailbox): try set("mailbox", StoredText.value(mailbox), of: account)
        case .labels(let labels): try LabelStore(db: db, accountID: account.id).replace(with: labels)
        case .checkpoint(let checkpoint): try apply(checkpoint, at: recordedAt, to: &account)
        case .disconnected, .reauthRequired, .erased: break
        }
    }

    private func set(_ column: String, _ value: DatabaseValue, of account: AccountLedger) throws {
        try db.run(
            "UPDATE provider_sync_state SET \(column) = ? WHERE account_id = ?", [value, account.id.databaseValue])
    }

    private func apply(
        _ checkpoint: AccountCheckpoint, at recordedAt: UnixSeconds, to account: inout AccountLedger
    ) throws {
        try set("last_checkpoint_at", recordedAt.databaseValue, of: account)
        try set("mailbox", StoredText.value(checkpoint.mailbox), of: account)
        try set("estimated_total", checkpoint.estimatedTotal?.databaseValue ?? .null, of: account)
        account.gone = checkpoint.gone
        guard let cursor = checkpoint.cursor else { return }
        try set("cursor", StoredText.value(cursor.document), of: account)
        try set("phase", checkpoint.phase.rawValue.databaseValue, of: account)
        try set("last_synced_at", recordedAt.databaseValue, of: account)
        try replaceGaps(with: checkpoint.gaps, of: &account)
    }

    private func replaceGaps(with ids: [String], of account: inout AccountLedger) throws {
        try db.run("DELETE FROM message_gaps WHERE account_id = ? AND state = 'open'", [account.id.databaseValue])
        for id in ids {
            try db.run(
                """
                INSERT OR REPLACE INTO message_gaps(account_id, provider_message_id, state, reason, first_seen_at,
                    attempts, next_attempt_at)
                VALUES (?, ?, 'open', 'was unreadable before the store was restored', ?, 1, ?)
                """, [account.id.databaseValue, StoredText.value(id), now.databaseValue, now.databaseValue])
        }
        account.gaps = Int64(ids.count)
    }

    /// The account begins anew: nothing of what an older copy of the file still has of it stays.
    private mutating func takeErasure(_ event: MailEvent, _ erasure: AccountErasure) throws {
        try save()
        ledgers[event.account] = nil
        try AccountErasing(db: db, key: event.account).deleteRows()
        try ErasedSequences(db: db).add(erasure.ranges, at: event.recordedAt)
        log.raiseGeneration(to: erasure.generation)
        try log.restore(event)
    }
}
