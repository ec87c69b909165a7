import GRDB
import MailModel

/// How far a store is filled from the stream.
public struct RestoreProgress: Sendable, Hashable {
    /// The last event that is in the store.
    public var lastSeq: Int64
    /// The stream sequence from which to read on.
    public var nextStreamSequence: UInt64
}

/// How a store came out of a restoration.
public struct RestoreResult: Sendable, Hashable {
    /// The last event number; the next event gets the one after it.
    public var lastSeq: Int64
    /// Numbers of which neither an event nor an erasure is known: their events have left the stream.
    public var missing: Int64
}

extension StoreReader {
    /// True while the file is being filled from the stream: nothing else may write events.
    public func isRestoring() throws -> Bool {
        try db.row("SELECT restoring_since FROM meta")?.optionalInteger(0) != nil
    }

    /// How far the restoration is; nil when none is under way.
    public func restoreProgress() throws -> RestoreProgress? {
        guard let row = try db.row("SELECT restoring_since, restoring_from, last_seq FROM meta"),
            try row.optionalInteger(0) != nil
        else { return nil }
        return RestoreProgress(
            lastSeq: try row.integer(2), nextStreamSequence: UInt64(max(1, try row.optionalInteger(1) ?? 1)))
    }
}

/// Filling a store from the stream: ``beginRestoring(from:at:)``, ``restore(_:stream:at:)`` until the stream has no more,
/// ``finishRestoring(connected:floor:at:)``. Each is a transaction of its own; in between the file may be closed.
extension StoreTransaction {
    private var db: Database { reader.db }

    /// Takes back what the stream never confirmed, and marks the file. One that is marked already goes on.
    ///
    /// - Parameter created: the stream's creation time: tells whether the recorded place in it is of use.
    public func beginRestoring(from created: String, at now: UnixSeconds) throws -> RestoreProgress {
        if let progress = try reader.restoreProgress() { return progress }
        let end = try StoreRollback(db: db).run()
        log.restart(after: end)
        try db.run(
            """
            UPDATE meta SET restoring_since = ?,
                restoring_from = CASE WHEN stream_created = ? AND ? > 0 THEN coalesce(stream_sequence, 0) + 1 ELSE 1 END
            """, [now.databaseValue, created.databaseValue, end.databaseValue])
        return try reader.restoreProgress() ?? RestoreProgress(lastSeq: end, nextStreamSequence: 1)
    }

    /// Takes over messages of the stream, in its order: each becomes the row it once was, with what follows for the
    /// current state. Those that the log has are passed by.
    ///
    /// - Throws: ``StoreFailure/unreadable(_:)`` for a message that this program did not write.
    public func restore(
        _ messages: [ArchivedMessage], stream created: String, at now: UnixSeconds
    ) throws -> RestoreProgress {
        var restoration = Restoration(reader: reader, log: log, now: now)
        for message in messages {
            let event = try EventReading.event(message, of: reader.user)
            if event.seq > log.lastSeq { try restoration.take(event) }
        }
        try restoration.save()
        let next = (messages.last?.streamSequence ?? 0) + 1
        if let last = messages.last {
            try db.run(
                """
                UPDATE meta SET published_seq = ?, stream_sequence = ?, stream_created = ?, confirmed_at = ?,
                    restoring_from = ?
                """,
                [
                    log.lastSeq.databaseValue, Int64(clamping: last.streamSequence).databaseValue,
                    created.databaseValue, now.databaseValue, Int64(clamping: next).databaseValue,
                ])
        }
        return RestoreProgress(lastSeq: log.lastSeq, nextStreamSequence: next)
    }

    /// The stream has no more: the accounts go on from their checkpoints. Where events are missing, the mail they told of
    /// is to be read again as state.
    ///
    /// - Parameters:
    ///   - connected: the user's accounts that are connected.
    ///   - floor: numbers up to here may have been given out; counts only where the stream holds nothing of the user.
    public func finishRestoring(
        connected: [AccountKey], floor: SequenceFloor, at now: UnixSeconds
    ) throws -> RestoreResult {
        let found = log.lastSeq
        let heldByStream = try db.row("SELECT published_seq, stream_sequence FROM meta")
        if try heldByStream?.optionalInteger(1) == nil || found == 0, floor.lastSeq > found {
            try ErasedSequences(db: db).add([SequenceRange(found + 1, floor.lastSeq)], at: now)
            log.restart(after: floor.lastSeq)
        }
        log.raiseGeneration(to: floor.generation)
        let missing = try reader.missingEvents(through: found) + (log.lastSeq - found)
        let end = RestorationEnd(reader: reader, lastSeq: log.lastSeq, isIncomplete: missing > 0, now: now)
        for key in connected { try end.settle(key, isConnected: true) }
        for account in try reader.accounts() where !connected.contains(account.key) {
            try end.settle(account.key, isConnected: false)
        }
        try db.run(
            """
            UPDATE meta SET restoring_since = NULL, restoring_from = NULL, published_seq = ?,
                reserved_seq = max(reserved_seq, ?)
            """, [log.lastSeq.databaseValue, floor.lastSeq.databaseValue])
        return RestoreResult(lastSeq: log.lastSeq, missing: missing)
    }
}

extension StoreReader {
    /// How many numbers up to `seq` have neither an event nor an erasure.
    func missingEvents(through seq: Int64) throws -> Int64 {
        var known: Int64 = 0
        for table in EventTables.names {
            known +=
                try db.row(
                    "SELECT count(*) FROM \(table) WHERE seq BETWEEN 1 AND ?", [seq.databaseValue])?.integer(0) ?? 0
        }
        known +=
            try db.row(
                "SELECT coalesce(sum(min(last_seq, ?1) - first_seq + 1), 0) FROM erased_sequences WHERE first_seq <= ?1",
                [seq.databaseValue])?.integer(0) ?? 0
        return max(0, seq - known)
    }

    /// When the first event after the missing ones was recorded.
    fileprivate func firstRecorded() throws -> UnixSeconds? {
        let sql = EventTables.names.map {
            "SELECT * FROM (SELECT seq, ts FROM \($0) WHERE seq > 0 ORDER BY seq LIMIT 1)"
        }
        .joined(separator: " UNION ALL ")
        return try db.row("SELECT ts FROM (\(sql)) ORDER BY seq LIMIT 1")?.integer(0)
    }
}

/// Numbers that were given out and will not be seen.
struct ErasedSequences {
    let db: Database

    func add(_ ranges: [SequenceRange], at now: UnixSeconds) throws {
        for range in ranges {
            try db.run(
                """
                INSERT INTO erased_sequences(first_seq, last_seq, erased_at) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET last_seq = max(last_seq, excluded.last_seq)
                """, [range.first.databaseValue, range.last.databaseValue, now.databaseValue])
        }
    }
}

/// How each account goes on after a restoration.
private struct RestorationEnd {
    let reader: StoreReader
    let lastSeq: Int64
    let isIncomplete: Bool
    let now: UnixSeconds

    func settle(_ key: AccountKey, isConnected: Bool) throws {
        if try reader.account(key) == nil {
            // Nothing of it is left in the stream. If nothing is missing, it never had an event.
            guard isConnected, isIncomplete else { return }
            try RestoredAccounts(db: reader.db).insert(key, at: now)
        }
        guard let account = try reader.account(key) else { return }
        let id = try AccountLedger.load(key, from: reader).id
        if isIncomplete { try raiseRevisions(id) }
        try setStatus(id, isConnected ? (account.lastSyncedAt == nil ? .starting : .active) : .stopped)
        guard isConnected else { return }
        if isIncomplete {
            try adopt(id, account)
        } else if key.provider == .microsoft {
            // Events do not tell folders: comparing with the provider does.
            try reader.db.run("UPDATE provider_sync_state SET cursor = '' WHERE account_id = ?", [id.databaseValue])
        }
    }

    /// Ids that events which are missing may have used must not be used again.
    private func raiseRevisions(_ id: Int64) throws {
        try reader.db.run(
            "UPDATE provider_sync_state SET account_events = max(account_events, ?) WHERE account_id = ?",
            [lastSeq.databaseValue, id.databaseValue])
    }

    private func setStatus(_ id: Int64, _ status: AccountStatus) throws {
        try reader.db.run(
            """
            UPDATE provider_sync_state SET status = ?, last_error = NULL, last_error_code = NULL, retry_count = 0,
                next_attempt_at = NULL, updated_at = ? WHERE account_id = ?
            """, [status.rawValue.databaseValue, now.databaseValue, id.databaseValue])
    }

    private func adopt(_ id: Int64, _ account: AccountSync) throws {
        let isBlind = account.cursor.document.isEmpty
        guard isBlind || account.phase == .live else { return }
        try reader.db.run(
            """
            INSERT INTO adoptions(account_id, stage, new_from) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET stage = excluded.stage, position = NULL, new_from = excluded.new_from
            """,
            [
                id.databaseValue, (isBlind ? AdoptionStage.blind : .listing).rawValue.databaseValue,
                (try reader.firstRecorded() ?? now).databaseValue,
            ])
    }
}

/// Accounts that a restored event mentions first.
struct RestoredAccounts {
    let db: Database

    func insert(_ key: AccountKey, at now: UnixSeconds) throws {
        try db.run(
            """
            INSERT OR IGNORE INTO provider_sync_state(provider, inbox_id, cursor, phase, status, mailbox, updated_at)
            VALUES (?, ?, '', ?, ?, '', ?)
            """,
            key.columns + [
                SyncPhase.starting.rawValue.databaseValue, AccountStatus.behindStream.rawValue.databaseValue,
                now.databaseValue,
            ])
    }
}
