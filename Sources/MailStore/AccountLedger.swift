import GRDB
import MailModel

/// The numbers of one account that grow while a transaction writes.
struct AccountLedger {
    let id: Int64
    let key: AccountKey
    var stored: Int64
    var gone: Int64
    var gaps: Int64
    var givenUp: Int64 = 0
    var events: Int64
    /// How many `account.*` events the account had: the revision of the next one.
    var accountEvents: Int64
    var outboxDepth: Int64

    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    static func load(_ key: AccountKey, from reader: StoreReader) throws -> AccountLedger {
        let sql = """
            SELECT account_id, stored, gone, gaps, given_up, events, account_events, outbox_depth FROM provider_sync_state
            WHERE provider = ? AND inbox_id = ?
            """
        guard key.user == reader.user, let row = try reader.db.row(sql, key.columns) else {
            throw StoreFailure.unknownAccount(key)
        }
        return AccountLedger(
            id: try row.integer(0), key: key, stored: try row.integer(1), gone: try row.integer(2),
            gaps: try row.integer(3), givenUp: try row.integer(4), events: try row.integer(5),
            accountEvents: try row.integer(6), outboxDepth: try row.integer(7))
    }

    func save(to db: Database, at now: UnixSeconds) throws {
        try db.run(
            """
            UPDATE provider_sync_state SET stored = ?, gone = ?, gaps = ?, given_up = ?, events = ?,
                account_events = ?, outbox_depth = ?, updated_at = ?
            WHERE account_id = ?
            """,
            [stored, gone, gaps, givenUp, events, accountEvents, outboxDepth, now, id].map(\.databaseValue))
    }
}
