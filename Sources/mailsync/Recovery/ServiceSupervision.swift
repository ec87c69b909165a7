import Accounts
import Logging
import MailAPI
import MailDispatch
import MailModel
import MailRecovery
import MailStore
import MailSync

/// The workers and the dispatcher of a running service, told to stop and to go on for one user.
struct ServiceSupervision: UserSupervision {
    let manager: SyncManager
    let dispatcher: OutboxDispatcher
    let events: EventFeed

    func suspend(_ user: UserID, because reason: String) async {
        await dispatcher.hold(user)
        await manager.suspend(user, because: reason)
    }

    func note(_ user: UserID, _ reason: String) async { await manager.note(user, reason) }

    func resume(_ user: UserID) async {
        await manager.resume(user)
        await dispatcher.release(user)
        events.committed(user)
    }
}

/// Without a service nobody syncs or publishes.
struct NobodyToSupervise: UserSupervision {
    func suspend(_ user: UserID, because reason: String) async {}
    func note(_ user: UserID, _ reason: String) async {}
    func resume(_ user: UserID) async {}
}

/// The token vault and the registry, in recovery's terms.
struct ServiceRegistry: RecoveryRegistry {
    let vault: TokenVault
    let registry: AccountRegistry
    let time: any TimeSource

    func connected(_ user: UserID) async throws -> [AccountKey] {
        let erasing = Set(try await registry.erasures())
        return try await vault.accounts(of: user).map(\.key).filter { !erasing.contains($0) }
    }

    func floor(of user: UserID) async throws -> SequenceFloor { SequenceFloor(try await registry.floor(of: user)) }

    func raise(_ user: UserID, to floor: SequenceFloor) async throws {
        try await registry.raise(
            [user: UserFloor(lastSeq: floor.lastSeq, generation: floor.generation)], at: time.now())
    }

    func erasures() async throws -> [AccountKey] { try await registry.erasures() }
    func addErasure(of key: AccountKey) async throws { try await registry.addErasure(of: key, at: time.now()) }
    func removeErasure(of key: AccountKey) async throws { try await registry.removeErasure(of: key) }
}

extension UserRecovery {
    /// From the parts of the service, or of a command without one.
    init(
        _ data: LocalData, _ access: ProviderAccess, _ stream: StreamAccess, _ supervision: any UserSupervision,
        time: any TimeSource, logger: Logger
    ) {
        self.init(
            stores: data.stores, archive: stream.publisher,
            registry: ServiceRegistry(vault: access.vault, registry: data.registry, time: time),
            supervision: supervision, time: time, logger: logger)
    }
}
