import Accounts
import Logging
import MailAPI
import MailModel
import MailPush
import MailSync
import Synchronization

extension PushKeeper {
    /// From the parts of the service.
    init(_ data: LocalData, _ access: ProviderAccess, _ manager: SyncManager, time: any TimeSource, logger: Logger) {
        self.init(
            registry: data.registry,
            ports: PushPorts(
                accounts: {
                    try await access.vault.accounts().map {
                        PushedAccount(key: $0.key, waitsForUser: $0.reauthReason != nil)
                    }
                }, pushes: { key in try await manager.pushes(of: key) },
                announce: { key in await manager.announce(key) },
                look: { key in _ = await manager.wake(user: key.user, provider: key.provider, inbox: key.inbox) },
                setHealth: { key, health in await manager.setPushes(health, of: key) }), time: time, logger: logger)
    }

    /// What a pass tells of pushes: one by the clock should find nothing that was not announced.
    nonisolated func passEnded(_ key: AccountKey, _ report: PassReport) {
        if report.wasPoll, !report.wasAnnounced, report.foundChanges { foundUnannounced(key) }
    }
}

/// Where providers' announcements come in, and what it takes to believe them.
struct PushAccess: Sendable {
    let webhooks: PushWebhooks
    private let googleKeys: KeySetCache?

    init(
        _ configuration: ServiceConfiguration, _ access: ProviderAccess, receiver: any PushReceiver,
        time: any TimeSource, logger: Logger
    ) {
        let transport = access.transport
        let waking = configuration.waking
        let verified = waking.googlePushRules.map { rules in
            let keys = KeySetCache(
                url: waking.googleKeysURL, variable: "GOOGLE_OIDC_JWKS_URL", time: time, logger: logger
            ) { request in try await transport.send(request) }
            return (keys: keys, verifier: PushTokenVerifier(rules: rules, keys: keys, time: time))
        }
        googleKeys = verified?.keys
        webhooks = PushWebhooks(receiver: receiver, google: verified?.verifier)
    }

    func close() async { await googleKeys?.shutdown() }
}

/// Tells the keeper of passes, once there is one: it is made after the manager.
final class PassRelay: Sendable {
    private let listener = Mutex<(@Sendable (AccountKey, PassReport) -> Void)?>(nil)

    func connect(_ listener: @escaping @Sendable (AccountKey, PassReport) -> Void) {
        self.listener.withLock { $0 = listener }
    }

    func tell(_ key: AccountKey, _ report: PassReport) { listener.withLock { $0 }?(key, report) }
}

extension ServiceCommands {
    /// Ends the account's announcements while its tokens are there. An account that stays after all is announced again.
    func leavingPushes<R: Sendable>(_ key: AccountKey, _ work: () async throws -> R) async throws -> R {
        await pushes.leave(key)
        do {
            return try await work()
        } catch {
            await pushes.follow(key)
            throw error
        }
    }
}

extension AccountReport.Pushes {
    /// What the keeper says; off for an account it does not keep.
    init(_ standing: PushStanding?) {
        self.init(health: standing?.health ?? .off, until: standing?.until, error: standing?.error)
    }
}

extension [AccountSnapshot] {
    /// How many accounts of each provider are announced how well.
    var pushGroups: [ServiceReport.PushGroup: Int] {
        Dictionary(
            map { (ServiceReport.PushGroup(provider: $0.key.provider, health: $0.pushes), 1) },
            uniquingKeysWith: +)
    }
}
