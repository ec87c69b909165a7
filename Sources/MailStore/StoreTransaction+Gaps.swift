import MailModel

/// What an operator may do to the gap ledger.
extension StoreTransaction {
    /// Makes a message of the gap ledger due now, also one that was given up.
    ///
    /// - Parameter id: nil makes every message due that is retried, and leaves alone those given up.
    /// - Returns: how many messages are due now.
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    public func retryGaps(_ key: AccountKey, _ id: String? = nil, at now: UnixSeconds) throws -> Int {
        var account = try AccountLedger.load(key, from: reader)
        let ledger = GapLedger(db: reader.db)
        let ids = try id.map { [$0] } ?? reader.openGaps(key).map(\.id)
        let retried = try ids.filter { try ledger.retry($0, of: &account, at: now) }
        try account.save(to: reader.db, at: now)
        return retried.count
    }

    /// Ends the retries of a message of the gap ledger. It stays on record, counts apart, and is read again when the
    /// provider reports a change of it or a listing names it.
    ///
    /// - Parameter reason: why, in the operator's words.
    /// - Returns: false when no such message is being retried.
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    public func giveUpGap(
        _ key: AccountKey, _ id: String, because reason: String, at now: UnixSeconds
    ) throws -> Bool {
        var account = try AccountLedger.load(key, from: reader)
        let given = try GapLedger(db: reader.db).giveUp(id, because: reason, of: &account, at: now)
        try account.save(to: reader.db, at: now)
        return given
    }
}
