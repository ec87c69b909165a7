import GRDB
import MailModel

/// What can be asked of a user's store. A value of this type is valid only inside the closure it was handed to.
public struct StoreReader {
    let db: Database
    let user: UserID

    /// Confirmed events that are sent again in one turn of the dispatcher.
    private static let resendsPerTurnMax = 50

    private static let accountColumns = """
        SELECT provider, inbox_id, cursor, phase, status, mailbox, estimated_total, stored, gone, gaps, events,
            outbox_depth, last_synced_at, last_error, last_error_code, retry_count, next_attempt_at, updated_at,
            given_up, last_verified_at, missing
        FROM provider_sync_state
        """

    /// The account; nil when it is not followed.
    public func account(_ key: AccountKey) throws -> AccountSync? {
        guard key.user == user else { return nil }
        let sql = Self.accountColumns + " WHERE provider = ? AND inbox_id = ?"
        return try db.row(sql, key.columns).map { try account($0, oldestUnpublishedAt: oldestUnpublished()) }
    }

    /// All accounts of the user, in the order in which they were connected.
    public func accounts() throws -> [AccountSync] {
        let oldest = try oldestUnpublished()
        return try db.rows(Self.accountColumns + " ORDER BY account_id").map {
            try account($0, oldestUnpublishedAt: oldest)
        }
    }

    /// Where publishing stands.
    public func dispatch() throws -> DispatchState {
        let row = try db.row(
            """
            SELECT last_seq, published_seq, stream_sequence, stream_created, generation, dead_letter_seq,
                dead_letter_reason, dead_letter_at, (SELECT coalesce(sum(outbox_depth), 0) FROM provider_sync_state)
            FROM meta
            """)
        guard let row else { throw StoreFailure.unreadable("the meta row is missing") }
        var deadLetter: DispatchState.DeadLetter?
        if let seq = try row.optionalInteger(5) {
            deadLetter = .init(seq: seq, reason: try row.optionalText(6) ?? "", since: try row.optionalInteger(7) ?? 0)
        }
        return DispatchState(
            lastSeq: try row.integer(0), publishedSeq: try row.integer(1),
            streamSequence: try row.optionalInteger(2).map { UInt64(bitPattern: $0) },
            streamCreated: try row.optionalText(3), outboxDepth: try row.count(8),
            oldestUnpublishedAt: try oldestUnpublished(), generation: try row.integer(4), deadLetter: deadLetter,
            waitingResends: try waitingResends(limit: Self.resendsPerTurnMax))
    }

    /// True for the number of an event that an erase took away.
    public func isErased(_ seq: Int64) throws -> Bool {
        let sql = "SELECT last_seq FROM erased_sequences WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1"
        return try db.row(sql, [seq.databaseValue])?.integer(0) ?? .min >= seq
    }

    /// The rows that are not confirmed, in `seq` order.
    public func unpublished(limit: Int) throws -> [OutboxRow] { try outboxRows(after: .min, limit: limit) }

    /// Rows of the outbox, in `seq` order.
    func outboxRows(after seq: Int64, limit: Int) throws -> [OutboxRow] {
        let sql = """
            SELECT id, subject, event_type, payload, msg_id, ts, retries, next_attempt_at FROM outbox
            WHERE id > ? ORDER BY id LIMIT ?
            """
        return try db.rows(sql, [seq.databaseValue, limit.databaseValue]).map { row in
            OutboxRow(
                seq: try row.integer(0), subject: try row.text(1), eventType: try row.text(2),
                payload: Array(try row.text(3).utf8), eventID: try row.text(4), recordedAt: try row.integer(5),
                retries: try row.count(6), nextAttemptAt: try row.optionalInteger(7))
        }
    }

    private func oldestUnpublished() throws -> UnixSeconds? {
        try db.row("SELECT ts FROM outbox ORDER BY id LIMIT 1")?.integer(0)
    }

    private func account(_ row: Row, oldestUnpublishedAt: UnixSeconds?) throws -> AccountSync {
        let depth = try row.count(11)
        let key = AccountKey(user: user, provider: try row.choice(0), inbox: try InboxID(encoded: row.text(1)))
        return AccountSync(
            key: key, cursor: MailModel.Cursor(try row.text(2)), phase: try row.choice(3), status: try row.choice(4),
            mailbox: try row.text(5), estimatedTotal: try row.optionalInteger(6).map { Int($0) },
            stored: try row.count(7), gone: try row.count(8), gaps: try row.count(9), givenUp: try row.count(18),
            events: try row.count(10), outboxDepth: depth, oldestUnpublishedAt: depth > 0 ? oldestUnpublishedAt : nil,
            lastSyncedAt: try row.optionalInteger(12), lastError: try row.optionalText(13),
            lastErrorCode: try row.optionalText(14), retryCount: try row.count(15),
            nextAttemptAt: try row.optionalInteger(16), updatedAt: try row.integer(17),
            lastVerifiedAt: try row.optionalInteger(19), missing: try row.count(20))
    }
}

extension AccountKey {
    /// The account in `WHERE provider = ? AND inbox_id = ?`.
    var columns: [DatabaseValue] { [provider.rawValue.databaseValue, inbox.encoded.databaseValue] }
}
