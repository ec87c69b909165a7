import Accounts
import HTTPTransport
import Logging
import MailModel
import MailSync

/// What it takes to ask providers: the accounts' tokens, the adapters, and the quota they may spend.
struct ProviderAccess: Sendable {
    let vault: TokenVault
    let transport: HTTPTransport
    let tokens: TokenSource
    let providers: [any MailProvider]
    let budgets: [ProviderKind: Budgets]

    /// - Throws: a line for the operator: what is wrong, with what, and what to do.
    static func open(
        _ configuration: ServiceConfiguration, refreshes: TokenRefreshes, time: any TimeSource, logger: Logger
    ) async throws -> ProviderAccess {
        let keys = try configuration.loadEncryptionKeys(logger: logger)
        let vault = try TokenVault(path: configuration.authDatabasePath, keys: keys)
        try await vault.checkKeys()
        let transport = HTTPTransport(logger: logger)
        let clients = configuration.oauthClients(over: transport)
        return ProviderAccess(
            vault: vault, transport: transport,
            tokens: TokenSource(vault: vault, clients: clients, time: time) { refreshes.note($1) },
            providers: configuration.providers(over: transport, time: time, logger: logger),
            budgets: configuration.budgets(time: time))
    }

    /// Waits for refreshes under way, so that no token is lost; what failed is logged.
    func close(logger: Logger) async {
        await tokens.settle()
        do {
            try await vault.close()
        } catch {
            logger.error("not closed cleanly", metadata: ["error": "\(error)"])
        }
        await transport.shutdown()
    }
}
