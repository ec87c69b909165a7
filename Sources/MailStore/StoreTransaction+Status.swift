import GRDB
import MailModel

extension StoreTransaction {
    /// Records how an account is doing.
    ///
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    public func setStatus(_ key: AccountKey, _ change: StatusChange, at now: UnixSeconds) throws {
        let accountID = try AccountLedger.load(key, from: reader).id
        let row = StatusColumns(change)
        try reader.db.run(
            """
            UPDATE provider_sync_state SET status = ?, last_error = ?, last_error_code = ?, retry_count = ?,
                next_attempt_at = ?, last_synced_at = coalesce(?, last_synced_at), updated_at = ?
            WHERE account_id = ?
            """,
            [
                row.status.rawValue.databaseValue, StoredText.value(row.message), StoredText.value(row.code),
                row.retryCount.databaseValue, row.nextAttemptAt?.databaseValue ?? .null,
                row.status == .active ? now.databaseValue : .null, now.databaseValue, accountID.databaseValue,
            ])
    }
}

/// What a status change writes.
private struct StatusColumns {
    var status: AccountStatus
    var code: String?
    var message: String?
    var retryCount = 0
    var nextAttemptAt: UnixSeconds?

    init(_ change: StatusChange) {
        switch change {
        case .succeeded: status = .active
        case .stopped: status = .stopped
        case .failed(let code, let message, let retryCount, let nextAttemptAt):
            status = .error
            self.code = code
            self.message = message
            self.retryCount = retryCount
            self.nextAttemptAt = nextAttemptAt
        case .reauthRequired(let message):
            (status, code, self.message) = (.reauthRequired, "reauth_required", message)
        case .wrongMailbox(let message):
            (status, code, self.message) = (.wrongMailbox, "wrong_mailbox", message)
        case .behindStream(let message):
            (status, code, self.message) = (.behindStream, "store_behind_stream", message)
        }
    }
}
