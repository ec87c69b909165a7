import GRDB
import MailModel

extension StoreReader {
    /// The labels, or folders, of an account's mailbox as they were last announced; none for an unknown account.
    public func labels(of key: AccountKey) throws -> [MailLabel] {
        let sql = """
            SELECT label_id, name, type FROM mailbox_labels
            WHERE account_id = (SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?)
            ORDER BY label_id
            """
        return try db.rows(sql, key.columns).map { row in
            MailLabel(id: try row.text(0), name: try row.text(1), type: try row.text(2))
        }
    }
}
