import Accounts
import Logging
import MailAPI
import MailJobs
import MailModel
import MailRecovery
import MailStore
import MailSync

/// Erases accounts on behalf of their users.
struct AccountErasure: Sendable {
    /// A user waits so long for the end; then the answer says that it goes on.
    private static let patience = Duration.seconds(10)

    let manager: SyncManager
    let recovery: UserRecovery
    let jobs: JobQueue
    let registry: ServiceRegistry
    let stores: UserStores
    let revocation: GrantRevocation
    let time: any TimeSource
    let logger: Logger

    init(
        manager: SyncManager, recovery: UserRecovery, jobs: JobQueue, _ data: LocalData, _ access: ProviderAccess,
        _ configuration: ServiceConfiguration, time: any TimeSource, logger: Logger
    ) {
        self.manager = manager
        self.recovery = recovery
        self.jobs = jobs
        registry = ServiceRegistry(vault: access.vault, registry: data.registry, time: time)
        stores = data.stores
        revocation = configuration.revocation(over: access.transport)
        self.time = time
        self.logger = logger
    }

    /// First the intent is made durable, then the worker and its tokens go, then everything else.
    ///
    /// - Returns: nil when there is no such account, connected or not.
    func erase(_ key: AccountKey) async throws -> ErasureReport? {
        guard try await exists(key) else { return nil }
        try await registry.addErasure(of: key)
        let tokens = try await manager.forget(key)
        try await eraseJobs(of: key)
        try await recovery.erase(key)
        let revoked: Bool
        if let tokens { revoked = await revocation.revoke(tokens, of: key.provider) } else { revoked = false }
        logger.notice(
            "erasing an account was asked for", metadata: ["account": "\(key)", "grant_revoked": "\(revoked)"])
        return ErasureReport(grantRevoked: revoked, isFinished: try await isFinished(key))
    }

    /// Takes up what an earlier run did not finish. Call before anything is synced or published.
    func prepare() async throws {
        let keys = try await recovery.prepare()
        await manager.end(keys)
        for key in keys {
            let tokens = try await manager.forget(key)
            try await eraseJobs(of: key)
            if let tokens { _ = await revocation.revoke(tokens, of: key.provider) }
        }
    }

    /// True while the account may not be connected: what is connected now would be erased.
    func isUnderway(_ key: AccountKey) async throws -> Bool { try await registry.erasures().contains(key) }

    private func eraseJobs(of key: AccountKey) async throws {
        try await jobs.eraseJobs(of: key, isLast: registry.vault.accounts(of: key.user).isEmpty)
    }

    private func exists(_ key: AccountKey) async throws -> Bool {
        if try await registry.vault.account(key) != nil { return true }
        let stored = try await stores.useExisting(key.user) { store in
            try await store.read { try $0.account(key) != nil }
        }
        return stored ?? false
    }

    private func isFinished(_ key: AccountKey) async throws -> Bool {
        await withTaskGroup(of: Void.self) { race in
            race.addTask { await recovery.finished(key.user) }
            // Cancelled when the erasure is done in time.
            race.addTask { try? await time.sleep(for: Self.patience) }
            await race.next()
            race.cancelAll()
        }
        return try await !isUnderway(key)
    }
}
