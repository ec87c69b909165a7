import GRDB
import MailModel

/// The messages of one account that were listed but are not stored, and the counters that follow them.
///
/// A message given up keeps its row: it is not retried on the schedule, but a listing or a change that names it has it
/// read once more. When that fails, it stays given up.
struct GapLedger {
    let db: Database

    enum State: String {
        case open
        case gone
        case givenUp = "given_up"
    }

    /// One row.
    struct Entry {
        var state: State
        var reason: String
        var attempts: Int
    }

    /// Records that a message could not be read, or could not be read again.
    func record(_ gap: MessageGap, of account: inout AccountLedger, at now: UnixSeconds) throws {
        let earlier = try entry(gap.id, of: account)
        if let earlier, earlier.state == .givenUp {
            return try note(gap, attempts: earlier.attempts + 1, of: account)
        }
        let attempts = (earlier?.state == .open ? earlier?.attempts ?? 0 : 0) + 1
        count(from: earlier?.state, to: .open, of: &account)
        try put(
            gap.id, .open, gap.reason, attempts: attempts,
            nextAttemptAt: now + GapSchedule.delaySeconds(afterAttempts: attempts), of: account, at: now)
    }

    /// Records that a listed message was no longer there when it was read. `listed`: whether it was listed in this
    /// batch; else only a message that is already in the ledger counts.
    func markGone(_ id: String, listed: Bool, of account: inout AccountLedger, at now: UnixSeconds) throws {
        let earlier = try entry(id, of: account)
        guard listed || earlier != nil, earlier?.state != .gone else { return }
        count(from: earlier?.state, to: .gone, of: &account)
        try put(
            id, .gone, "no longer at the provider", attempts: earlier?.attempts ?? 0, nextAttemptAt: nil, of: account,
            at: now)
    }

    /// Takes a message out of the ledger: it was read.
    func settle(_ id: String, of account: inout AccountLedger) throws {
        guard account.gaps + account.gone + account.givenUp > 0, let earlier = try entry(id, of: account) else {
            return
        }
        count(from: earlier.state, to: nil, of: &account)
        try db.run(
            "DELETE FROM message_gaps WHERE account_id = ? AND provider_message_id = ?",
            [account.id.databaseValue, StoredText.value(id)])
    }

    /// Makes a message due now, also one that was given up; false when it is not in the ledger.
    func retry(_ id: String, of account: inout AccountLedger, at now: UnixSeconds) throws -> Bool {
        guard let earlier = try entry(id, of: account), earlier.state != .gone else { return false }
        count(from: earlier.state, to: .open, of: &account)
        try put(
            id, .open, earlier.reason, attempts: earlier.attempts, nextAttemptAt: now, of: account, at: now)
        return true
    }

    /// Ends the retries of a message, with when and why; false when none were made.
    func giveUp(
        _ id: String, because reason: String, of account: inout AccountLedger, at now: UnixSeconds
    ) throws -> Bool {
        guard let earlier = try entry(id, of: account), earlier.state == .open else { return false }
        count(from: .open, to: .givenUp, of: &account)
        try db.run(
            """
            UPDATE message_gaps SET state = 'given_up', next_attempt_at = NULL, given_up_at = ?, given_up_because = ?
            WHERE account_id = ? AND provider_message_id = ?
            """,
            [now.databaseValue, StoredText.value(reason), account.id.databaseValue, StoredText.value(id)])
        return true
    }

    private func count(from: State?, to: State?, of account: inout AccountLedger) {
        add(-1, to: from, of: &account)
        add(1, to: to, of: &account)
    }

    private func add(_ number: Int64, to state: State?, of account: inout AccountLedger) {
        switch state {
        case .open: account.gaps += number
        case .gone: account.gone += number
        case .givenUp: account.givenUp += number
        case nil: break
        }
    }

    private func entry(_ id: String, of account: AccountLedger) throws -> Entry? {
        try db.row(
            "SELECT state, reason, attempts FROM message_gaps WHERE account_id = ? AND provider_message_id = ?",
            [account.id.databaseValue, StoredText.value(id)]
        ).map { Entry(state: try $0.choice(0), reason: try $0.text(1), attempts: try $0.count(2)) }
    }

    /// Notes another failure of a message that was given up.
    private func note(_ gap: MessageGap, attempts: Int, of account: AccountLedger) throws {
        try db.run(
            "UPDATE message_gaps SET reason = ?, attempts = ? WHERE account_id = ? AND provider_message_id = ?",
            [
                StoredText.value(gap.reason), attempts.databaseValue, account.id.databaseValue,
                StoredText.value(gap.id),
            ])
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
                attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, given_up_at = NULL,
                given_up_because = NULL
            """,
            [
                account.id.databaseValue, StoredText.value(id), state.rawValue.databaseValue, StoredText.value(reason),
                now.databaseValue, attempts.databaseValue, nextAttemptAt?.databaseValue ?? .null,
            ])
    }
}
