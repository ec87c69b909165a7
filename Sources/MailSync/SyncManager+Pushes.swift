import Accounts
import MailModel

/// What ties pushes to workers.
extension SyncManager {
    /// The announcements of the account's mailbox; nil when its provider, or the operator's settings, have none. What is
    /// asked through them counts in the account's budget. Asks nobody yet.
    ///
    /// - Throws: `SyncFailure`.
    public func pushes(of key: AccountKey) async throws -> (any MailboxPushes)? {
        guard let provider = providers[key.provider], let budgets = budgets[key.provider] else { return nil }
        return provider.pushes(tokens: try await tokens.tokens(for: key), budget: budgets.budget(for: key))
    }

    func newWorker(_ account: ConnectedAccount) -> AccountWorker {
        var worker = AccountWorker(key: account.key, since: account.since)
        worker.pushes = earlyPushes.removeValue(forKey: account.key) ?? .off
        return worker
    }
}

extension AccountWorker {
    /// For the present pass: whether a push announced something since the last call.
    func takeAnnouncement() -> Bool {
        guard announced.take() else { return false }
        wasAnnounced.raise()
        return true
    }
}
