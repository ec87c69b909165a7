import GRDB
import MailModel

/// Messages of one account that left a folder: whether they were moved or deleted is found out at the end of the round.
struct PendingRemovals {
    let db: Database
    let accountID: Int64

    /// Notes that a message left a folder; the last folder counts.
    func note(_ id: String, from folder: String, at now: UnixSeconds) throws {
        try db.run(
            """
            INSERT INTO pending_removals(account_id, provider_message_id, folder, noted_at) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET folder = excluded.folder
            """,
            [accountID.databaseValue, StoredText.value(id), StoredText.value(folder), now.databaseValue])
    }

    /// What became of the message is known.
    func settle(_ id: String) throws {
        try db.run(
            "DELETE FROM pending_removals WHERE account_id = ? AND provider_message_id = ?",
            [accountID.databaseValue, StoredText.value(id)])
    }
}
