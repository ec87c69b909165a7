import Accounts
import MailModel
import MailStore

/// A user nothing is synced for.
struct Suspension: Sendable {
    /// What the user's accounts wait for.
    var reason: String
    /// Those that would sync now.
    var accounts: Set<AccountKey> = []
}

extension SyncManager {
    /// Nothing is synced for the user from here on, until ``resume(_:)``; accounts may still be connected. Returns when
    /// the passes under way have ended.
    public func suspend(_ user: UserID, because reason: String) async {
        var suspension = suspended[user] ?? Suspension(reason: reason)
        suspension.reason = reason
        let mine = workers.values.filter { $0.key.user == user && ($0.state != .parked || $0.isBehind) }
        for worker in mine {
            let key = worker.key
            suspension.accounts.insert(key)
            unschedule(key)
            workers[key]?.epoch = newEpoch()
            workers[key]?.pass = nil
            workers[key]?.dueAt = nil
            workers[key]?.state = .parked
            workers[key]?.waitingFor = reason
            refuseComparison(key, reason)
            refuseWaiting(worker, .suspended(reason))
            worker.pass?.cancel()
        }
        suspended[user] = suspension
        for worker in mine { await worker.pass?.value }
    }

    /// What the accounts of a suspended user wait for, for people.
    public func note(_ user: UserID, _ reason: String) {
        guard let accounts = suspended[user]?.accounts else { return }
        suspended[user]?.reason = reason
        for key in accounts { workers[key]?.waitingFor = reason }
    }

    /// The user's accounts are synced again. Their mailboxes are looked at anew.
    public func resume(_ user: UserID) {
        guard let suspension = suspended.removeValue(forKey: user) else { return }
        for key in suspension.accounts where workers[key]?.state == .parked {
            workers[key]?.mailboxKnown = false
            workers[key]?.stored = nil
            workers[key]?.waitingFor = nil
            workers[key]?.failures = 0
            workers[key]?.isAsked = true
            setDue(key, at: time.nowMilliseconds())
        }
    }

    /// Parks an account whose pass would start now, when its user is suspended.
    func parkIfSuspended(_ key: AccountKey) -> Bool {
        guard let reason = suspended[key.user]?.reason else { return false }
        suspended[key.user]?.accounts.insert(key)
        workers[key]?.state = .parked
        workers[key]?.waitingFor = reason
        workers[key]?.dueAt = nil
        refuseComparison(key, reason)
        if let worker = workers[key] { refuseWaiting(worker, .suspended(reason)) }
        return true
    }

    /// Accounts that must not be synced any more, although the vault still has them. Call before ``run()``.
    public func end(_ keys: [AccountKey]) { ended.formUnion(keys) }

    /// Ends the account's worker and deletes its tokens, for an account that is to be erased: nothing is emitted.
    ///
    /// - Returns: the tokens it had, for revoking them; nil when it was not connected.
    /// - Throws: what the token vault throws.
    public func forget(_ key: AccountKey) async throws -> OAuthTokens? {
        await beginCommand(key)
        defer { endCommand(key) }
        refuseComparison(key, "the account is being erased")
        let worker = workers.removeValue(forKey: key)
        if let worker { refuseWaiting(worker, .disconnected) }
        unschedule(key)
        suspended[key.user]?.accounts.remove(key)
        worker?.pass?.cancel()
        await worker?.pass?.value
        budgets[key.provider]?.drop(key)
        let held = try await vault.tokens(key)
        _ = try await vault.remove(key)
        await keeping(key) { try await $0.remove(key) }
        await tokens.forget(key)
        ended.remove(key)
        return held?.tokens
    }
}

extension AccountWorker {
    /// Parked because its store is older than the stream.
    fileprivate var isBehind: Bool { state == .parked && waitingFor == PassVerdict.waitingForRebuild }
}

extension SyncFailure {
    /// Why a pass that somebody waited for was not made.
    static let disconnected = SyncFailure(
        .retry(after: nil, scope: .account), code: "not_connected", "the account was disconnected")

    static func suspended(_ reason: String) -> SyncFailure {
        SyncFailure(.retry(after: nil, scope: .account), code: "suspended", "the account waits for \(reason)")
    }
}
