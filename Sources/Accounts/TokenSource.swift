import Logging
import MailModel

/// How a refresh ended, for metrics.
public enum RefreshResult: Sendable, Hashable {
    case refreshed
    /// ``SyncFailure/code``.
    case failed(code: String)
}

/// Hands out each account's ``AccessTokens``: always the same object, so that two sessions of an account never refresh
/// at once.
public actor TokenSource {
    private let vault: TokenVault
    private let clients: [ProviderKind: OAuthClient]
    private let time: any TimeSource
    private let onRefresh: @Sendable (AccountKey, RefreshResult) -> Void
    private var accounts: [AccountKey: AccountTokens] = [:]

    /// - Parameters:
    ///   - clients: our registration with each provider that has credentials.
    ///   - onRefresh: told of every refresh; must not block.
    public init(
        vault: TokenVault, clients: [OAuthClient], time: any TimeSource,
        onRefresh: @escaping @Sendable (AccountKey, RefreshResult) -> Void = { _, _ in }
    ) {
        self.vault = vault
        self.clients = Dictionary(clients.map { ($0.provider, $0) }) { first, _ in first }
        self.time = time
        self.onRefresh = onRefresh
    }

    /// The account's tokens. Asks nobody yet: an account that is not connected shows when a token is wanted.
    ///
    /// - Throws: ``SyncFailure`` `stop` when the provider has no credentials.
    public func tokens(for key: AccountKey) throws -> any AccessTokens {
        if let known = accounts[key] { return known }
        guard let client = clients[key.provider] else {
            let name = key.provider.rawValue
            throw SyncFailure(
                .stop, code: "no_credentials",
                "\(key.provider.apiName) has no credentials: set \(name)_CLIENT_ID and \(name)_CLIENT_SECRET")
        }
        let tokens = AccountTokens(key: key, vault: vault, client: client, time: time) { [onRefresh] result in
            onRefresh(key, result)
        }
        accounts[key] = tokens
        return tokens
    }

    /// Drops what is kept for a disconnected account, after a refresh under way has ended.
    public func forget(_ key: AccountKey) async {
        await accounts[key]?.settle()
        accounts[key] = nil
    }

    /// Returns when no refresh is under way, so that the vault can be closed.
    public func settle() async {
        for tokens in accounts.values { await tokens.settle() }
    }
}
