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

    /// How well the account's changes are announced from now on; polling follows. It is remembered for an account whose
    /// worker does not exist yet.
    public func setPushes(_ health: PushHealth, of key: AccountKey) {
        guard let worker = workers[key] else {
            earlyPushes[key] = health == .off ? nil : health
            return
        }
        workers[key]?.pushes = health
        if worker.pushes == .healthy { pollSoonUnlessPushed(key) }
    }

    /// The next pass of an account that is not announced any more is no further away than it would be without pushes.
    /// (That of a failing account is.)
    func pollSoonUnlessPushed(_ key: AccountKey) {
        guard let worker = workers[key], worker.pushes != .healthy, worker.state == .scheduled, worker.failures == 0
        else { return }
        let latest = time.nowMilliseconds() + settings.interval.milliseconds
        if let due = worker.dueAt, due > latest { setDue(key, at: latest) }
    }

    func newWorker(_ account: ConnectedAccount) -> AccountWorker {
        var worker = AccountWorker(key: account.key, since: account.since)
        worker.pushes = earlyPushes.removeValue(forKey: account.key) ?? .off
        return worker
    }

    /// With the interval that holds for the account now.
    func settings(for worker: AccountWorker) -> SyncSettings {
        var settings = settings
        if worker.pushes == .healthy { settings.interval = max(settings.interval, settings.pushInterval) }
        return settings
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
