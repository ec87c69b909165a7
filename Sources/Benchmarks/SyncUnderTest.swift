import Accounts
import GmailProvider
import HTTPTransport
import Logging
import MailModel
import MailStore
import MailSync

/// The part of the service that asks the provider, put together as the service does, against an emulator.
struct SyncUnderTest: Sendable {
    let manager: SyncManager
    private let transport: HTTPTransport
    private let vault: TokenVault
    private let emulator: EmulatorProcess

    /// The emulator has no quota; neither have we.
    private static let unlimited = QuotaLimits(accountPerMinute: 1_000_000_000, projectPerMinute: 1_000_000_000)

    init(
        _ directory: String, emulator: EmulatorProcess, stores: UserStores, logger: Logger,
        committed: @escaping @Sendable (UserID) -> Void
    ) throws {
        let time = SystemTime()
        let transport = HTTPTransport(logger: logger)
        let keys = try EncryptionKeys.load(configured: nil, dataDirectory: directory, logger: logger)
        let vault = try TokenVault(path: directory + "/auth.db", keys: keys)
        let client = OAuthClient(
            provider: .google, clientID: emulator.facts.clientID, clientSecret: Secret(emulator.facts.clientSecret),
            tokenURL: emulator.facts.tokenURL, send: { try await transport.send($0) })
        var gmail = GmailConfiguration()
        gmail.apiURL = emulator.facts.baseURL
        self.transport = transport
        self.vault = vault
        self.emulator = emulator
        manager = SyncManager(
            settings: SyncSettings(outboxRowsMax: 10_000_000), stores: stores, vault: vault,
            tokens: TokenSource(vault: vault, clients: [client], time: time),
            providers: [GmailProvider(configuration: gmail, transport: transport, time: time, logger: logger)],
            budgets: [.google: Budgets(limits: Self.unlimited, time: time)], hooks: SyncHooks(committed: committed),
            time: time, logger: logger)
    }

    /// Connects every account, which starts its backfill.
    func connect(_ accounts: [BenchmarkAccount]) async throws {
        let now = SystemTime().now()
        for (account, grant) in zip(accounts, emulator.facts.grants) {
            let tokens = OAuthTokens(
                access: Secret(grant.accessToken), refresh: Secret(grant.refreshToken), expiry: now + 3600)
            try await manager.connect(account.key, tokens: tokens, since: nil)
        }
    }

    /// True when every account's content was read.
    func isLive() async throws -> Bool {
        try await manager.allAccounts().allSatisfy { $0.stored?.phase == .live }
    }

    func close() async throws {
        await transport.shutdown()
        try await vault.close()
    }
}
