import Accounts
import HTTPTransport
import Logging
import MailModel
import MailStore
import MailTestSupport
import Synchronization
import Testing

@testable import MailSync

/// A sync manager over real stores and a real token vault, a mailbox in memory and a clock that moves on command.
final class SyncHarness: Sendable {
    let directory: TemporaryDirectory
    let time: ManualTime
    let mailbox: FakeMailbox
    let stores: UserStores
    let vault: TokenVault
    let registry: AccountRegistry
    let schedules: AccountSchedules
    let manager: SyncManager
    let account: AccountKey
    private let running = Mutex<Task<Void, any Error>?>(nil)

    init(
        mailbox: FakeMailbox = FakeMailbox(), directory: TemporaryDirectory? = nil, time: ManualTime = ManualTime(),
        settings: SyncSettings = SyncSettings(),
        passEnded: @escaping @Sendable (AccountKey, PassReport) -> Void = { _, _ in }
    ) async throws {
        self.directory = try directory ?? TemporaryDirectory()
        self.time = time
        self.mailbox = mailbox
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let path = self.directory.path
        stores = UserStores(directory: "\(path)/users", time: time, logger: logger)
        vault = try TokenVault(
            path: "\(path)/auth.db", keys: EncryptionKeys(parsing: String(repeating: "0123456789abcdef", count: 4)))
        registry = try AccountRegistry(path: "\(path)/control.db")
        schedules = AccountSchedules(registry)
        let client = OAuthClient(
            provider: .google, clientID: "id", clientSecret: Secret("secret"), tokenURL: "https://localhost/token",
            send: { _ in throw TransportError.shutDown })
        account = AccountKey(user: try UserID("alice"), provider: .google, inbox: .primary)
        manager = SyncManager(
            settings: settings, stores: stores, vault: vault,
            tokens: TokenSource(vault: vault, clients: [client], time: time), providers: [mailbox],
            budgets: [
                .google: Budgets(
                    limits: QuotaLimits(accountPerMinute: 1_000_000, projectPerMinute: 1_000_000), time: time)
            ],
            hooks: SyncHooks(committed: { _ in }, passEnded: passEnded), schedules: schedules, time: time,
            logger: logger)
    }

    func start() {
        let manager = manager
        running.withLock { $0 = Task { try await manager.run() } }
    }

    /// Ends the manager and closes the files, as a process does.
    func stop() async throws {
        let task = running.withLock { $0 }
        task?.cancel()
        try await task?.value
        await stores.close()
        try await vault.close()
        try registry.close()
    }

    func connect(_ key: AccountKey? = nil) async throws {
        let tokens = OAuthTokens(access: Secret("access"), refresh: Secret("refresh"), expiry: time.now() + 3600)
        try await manager.connect(key ?? account, tokens: tokens, since: nil)
    }

    /// Waits until the account's worker is as described.
    func until(_ key: AccountKey? = nil, _ condition: @Sendable (AccountSnapshot) -> Bool) async throws {
        let key = key ?? account
        for _ in 0..<200_000 {
            if let snapshot = try await manager.accounts(of: key.user).first(where: { $0.key == key }),
                condition(snapshot)
            {
                return
            }
            await Task.yield()
        }
        let last = try await manager.accounts(of: key.user)
        Issue.record("the account never became as expected: \(last)")
    }

    /// Waits until so many calls of the kind were made since the mailbox exists.
    func calls(_ call: FakeMailbox.Call, _ count: Int) async throws {
        for _ in 0..<200_000 {
            if mailbox.calls.count(where: { $0 == call }) >= count { return }
            await Task.yield()
        }
        Issue.record("never asked \(count) times for \(call): \(mailbox.calls)")
    }

    /// The time becomes this, and later until a pass over changes begins.
    func advance(to due: Int64) async throws {
        let before = mailbox.calls.count(where: { $0 == .changes })
        for _ in 0..<20 {
            await time.waitForSleepers()
            time.advance(by: .milliseconds(max(1000, due - time.nowMilliseconds())))
            // Long enough for a busy machine: time that passes for nothing makes one more pass.
            for _ in 0..<50_000 {
                if mailbox.calls.count(where: { $0 == .changes }) > before { return }
                await Task.yield()
            }
        }
        Issue.record("no pass began: \(mailbox.calls.suffix(5))")
    }

    /// When the account's next pass is due, in Unix milliseconds; nil: only when somebody asks.
    func due(_ key: AccountKey? = nil) async -> Int64? { await manager.workers[key ?? account]?.dueAt }

    func idle(_ key: AccountKey? = nil) async throws {
        try await until(key) { !$0.isRunning && $0.stored?.phase == .live && $0.failures == 0 }
    }

    func stored() async throws -> AccountSync? {
        try await stores.use(account.user) { [account] store in try await store.read { try $0.account(account) } }
    }

    /// Types of all events of the user, in order.
    func eventTypes() async throws -> [String] {
        try await stores.use(account.user) { store in
            try await store.read { try $0.events(after: 0, limit: 100_000).map(\.type) }
        }
    }

    func received() async throws -> [String] {
        try await stores.use(account.user) { store in
            try await store.read { reader in
                try reader.events(after: 0, limit: 100_000).compactMap { event in
                    guard case .received(let message) = event.body else { return nil }
                    return message.id
                }
            }
        }
    }
}
