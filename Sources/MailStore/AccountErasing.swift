import GRDB
import MailModel

/// Everything a file holds of one account, found and deleted.
struct AccountErasing {
    let db: Database
    let key: AccountKey

    /// `account.erased` events stay: they say what is missing.
    private static let ofAccount = "provider = ? AND inbox_id = ?"
    private static let isNoErasure = "event_type <> 'account.erased'"

    /// The numbers of the account's events.
    func sequences() throws -> [SequenceRange] {
        let rows = try db.cursor(
            """
            SELECT seq FROM email_received_events WHERE provider = ?1 AND inbox_id = ?2 AND seq > 0
            UNION ALL SELECT seq FROM email_change_events WHERE provider = ?1 AND inbox_id = ?2
            UNION ALL SELECT seq FROM account_events WHERE provider = ?1 AND inbox_id = ?2 AND \(Self.isNoErasure)
            ORDER BY 1
            """, key.columns)
        var ranges: [SequenceRange] = []
        while let row = try rows.next() {
            let seq = try row.integer(0)
            if let last = ranges.last?.last, seq == last + 1 {
                ranges[ranges.count - 1].last = seq
            } else {
                ranges.append(SequenceRange(seq, seq))
            }
        }
        return ranges
    }

    func deleteRows() throws {
        try db.run(
            "DELETE FROM messages WHERE seq IN (SELECT seq FROM email_received_events WHERE \(Self.ofAccount))",
            key.columns)
        try db.run("DELETE FROM email_received_events WHERE \(Self.ofAccount)", key.columns)
        try db.run("DELETE FROM email_change_events WHERE \(Self.ofAccount)", key.columns)
        try db.run("DELETE FROM account_events WHERE \(Self.ofAccount) AND \(Self.isNoErasure)", key.columns)
        try db.run("DELETE FROM imports WHERE \(Self.ofAccount)", key.columns)
        let row = try db.row("SELECT account_id FROM provider_sync_state WHERE \(Self.ofAccount)", key.columns)
        guard let id = try row?.integer(0) else { return }
        try db.run("DELETE FROM outbox WHERE account_id = ?", [id.databaseValue])
        try AccountRows(db: db, id: id).delete()
    }
}

extension StoreTransaction {
    /// Deletes everything of an account, begins a new generation and emits `account.erased` with the numbers that are
    /// gone, in several events when they are many. The bytes are gone after ``UserStore/scrub()``.
    ///
    /// - Returns: the numbers; none when the store knew nothing of the account, and then nothing is emitted.
    @discardableResult
    public func erase(_ key: AccountKey, at now: UnixSeconds) throws -> [SequenceRange] {
        guard key.user == reader.user else { throw StoreFailure.unknownAccount(key) }
        let erasing = AccountErasing(db: reader.db, key: key)
        let ranges = try erasing.sequences()
        let isKnown = try reader.account(key) != nil
        try erasing.deleteRows()
        guard isKnown || !ranges.isEmpty else { return [] }
        try ErasedSequences(db: reader.db).add(ranges, at: now)
        let generation = log.generation + 1
        log.raiseGeneration(to: generation)
        for (part, first) in stride(from: 0, to: max(1, ranges.count), by: AccountErasure.rangesMax).enumerated() {
            let slice = Array(ranges.dropFirst(first).prefix(AccountErasure.rangesMax))
            // The account has no row any more; its next life counts from 0.
            var nobody = AccountLedger(
                id: 0, key: key, stored: 0, gone: 0, gaps: 0, givenUp: 0, events: 0, accountEvents: 0, outboxDepth: 0)
            _ = try log.append(
                .account(.erased(AccountErasure(generation: generation, ranges: slice))), message: "",
                revision: Int64(part), origin: .incremental, at: now, to: &nobody)
        }
        return ranges
    }
}

extension UserStore {
    /// Rewrites the file without what was deleted and empties its log: deleted bytes are on the disk no longer.
    ///
    /// - Throws: ``StoreFailure``.
    public func scrub() async throws {
        try await guarded {
            try await queue.writeWithoutTransaction { db in
                // The copy may be larger than memory.
                try db.execute(sql: "PRAGMA temp_store = FILE")
                try db.execute(sql: "VACUUM")
                try db.execute(sql: "PRAGMA temp_store = MEMORY")
                _ = try Row.fetchAll(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
        }
    }
}
