import GRDB
import MailModel

extension StoreReader {
    /// Every message in the gap ledger that is retried, the earliest due first.
    public func openGaps(_ key: AccountKey) throws -> [GapRecord] { try gaps(key, "open") }

    /// Every message in the gap ledger that an operator gave up.
    public func givenUpGaps(_ key: AccountKey) throws -> [GapRecord] { try gaps(key, "given_up") }

    private func gaps(_ key: AccountKey, _ state: String) throws -> [GapRecord] {
        let sql = """
            SELECT provider_message_id, reason, first_seen_at, attempts, next_attempt_at, given_up_at, given_up_because
            FROM message_gaps
            WHERE account_id = (SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?)
                AND state = ?
            ORDER BY next_attempt_at, provider_message_id
            """
        return try db.rows(sql, key.columns + [state.databaseValue]).map { row in
            GapRecord(
                id: try row.text(0), reason: try row.text(1), firstSeenAt: try row.integer(2),
                attempts: try row.count(3), nextAttemptAt: try row.optionalInteger(4),
                givenUpAt: try row.optionalInteger(5), givenUpBecause: try row.optionalText(6))
        }
    }

    /// The ids of messages in the gap ledger whose retry is due, the earliest first.
    public func dueGaps(_ key: AccountKey, at now: UnixSeconds, limit: Int) throws -> [String] {
        let sql = """
            SELECT provider_message_id FROM message_gaps
            WHERE account_id = (SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?)
                AND state = 'open' AND next_attempt_at <= ?
            ORDER BY next_attempt_at, provider_message_id LIMIT ?
            """
        return try db.rows(sql, key.columns + [now.databaseValue, limit.databaseValue]).map { try $0.text(0) }
    }
}
