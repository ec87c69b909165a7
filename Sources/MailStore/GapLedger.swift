import GRDB
import MailModel

/// The messages of one account that were listed but are not stored, and the two counters that follow them.
struct GapLedger {
    let db: Database

    private enum State: String {
        case open
        case gone
    }

    /// Records that a message could not be read, or could not be read again.
    func record(_ gap: MessageGap, of account: inout AccountLedger, at now: UnixSeconds) throws {
        let earlier = try entry(gap.id, of: account)
        let attempts = (earlier?.state == .open ? earlier?.attempts ?? 0 : 0) + 1
        if earlier?.state != .open { account.gaps += 1 }
        if earlier?.state == .gone { account.gone -= 1 }
        try put(
            gap.id, .open, gap.reason, attempts: attempts,
            nextAttemptAt: now + GapSchedule.delaySeconds(afterAttempts: attempts), of: account, at: now)
    }

    /// Records that a listed message was no longer there when it was read. `listed`: whether it was listed in this
    /// batch; else only a message that is already in the ledger counts.
    func markGone(_ id: String, listed: Bool, of account: inout AccountLedger, at now: UnixSeconds) throws {
        let earlier = try entry(id, of: account)
        guard listed || earlier?.state == .open, earlier?.state != .gone else { return }
        if earlier?.state == .open { account.gaps -= 1 }
        account.gone += 1
        try put(
            id, .gone, "no longer at the provider", attempts: earlier?.attempts ?? 0, nextAttemptAt: nil, of: account,
            at: now)
    }

    /// Takes a message out of the ledger: it was read.
    func settle(_ id: String, of account: inout AccountLedger) throws {
        guard account.gaps + account.gone > 0, let earlier = try entry(id, of: account) else { return }
        switch earlier.state {
        case .open: account.gaps -= 1
        case .gone: account.gone -= 1
        }
        try db.run(
            "DELETE FROM message_gaps WHERE account_id = ? AND provider_message_id = ?",
            [account.id.databaseValue, StoredText.value(id)])
    }

    private func entry(_ id: String, of account: AccountLedger) throws -> (state: State, attempts: Int)? {
        try db.row(
            "SELECT state, attempts FROM message_gaps WHERE account_id = ? AND provider_message_id = ?",
            [account.id.databaseValue, StoredText.value(id)]
        ).map { (state: try $0.choice(0), attempts: try $0.count(1)) }
    }

    private func put(
        _ id: String, _ state: State, _ reason: String, attempts: Int, nextAttemptAt: UnixSeconds?,
        of account: AccountLedger, at now: UnixSeconds
    ) throws {
        try db.run(
            """
            INSERT INTO message_gaps(account_id, provider_message_id, state, reason, first_seen_at, attempts,
                next_attempt_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET state = excluded.state, reason = excluded.reason,
                attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at
            """,
            [
                account.id.databaseValue, StoredText.value(id), state.rawValue.databaseValue, StoredText.value(reason),
                now.databaseValue, attempts.databaseValue, nextAttemptAt?.databaseValue ?? .null,
            ])
    }
}
