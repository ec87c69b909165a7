import Logging
import MailModel

/// One account's access tokens: hands out the current one, and refreshes it once for everybody who needs another.
///
/// There must be one of these per account; ``TokenSource`` sees to it.
actor AccountTokens: AccessTokens {
    private let key: AccountKey
    private let vault: TokenVault
    private let client: OAuthClient
    private let time: any TimeSource
    private let onRefresh: @Sendable (RefreshResult) -> Void
    /// The refresh under way. It outlives the callers that wait for it: once a provider has rotated a refresh token,
    /// giving up before the new one is stored would lose the account.
    private var refreshing: Task<Secret, any Error>?

    init(
        key: AccountKey, vault: TokenVault, client: OAuthClient, time: any TimeSource,
        onRefresh: @escaping @Sendable (RefreshResult) -> Void
    ) {
        self.key = key
        self.vault = vault
        self.client = client
        self.time = time
        self.onRefresh = onRefresh
    }

    func current() async throws -> Secret {
        let held = try await held()
        if held.isFresh(at: time.now()) { return held.tokens.access }
        return try await refreshed(rejected: nil)
    }

    func replacing(_ rejected: Secret) async throws -> Secret {
        try await refreshed(rejected: rejected)
    }

    /// Returns when no refresh is under way.
    func settle() async {
        // Its outcome is the callers' affair; here only its end matters.
        _ = await refreshing?.result
    }

    private func held() async throws -> VaultedTokens {
        let found: VaultedTokens?
        do {
            found = try await vault.tokens(key)
        } catch let error as SealError {
            throw SyncFailure(.stop, code: "tokens_unreadable", error.description)
        } catch let error as AccountDatabaseFailure {
            throw SyncFailure(.retry(after: nil, scope: .account), code: "vault_unavailable", error.description)
        }
        guard let found else { throw Self.notConnected }
        if let reason = found.reauthReason {
            throw SyncFailure(.reauthenticate, code: "invalid_grant", reason)
        }
        return found
    }

    private func refreshed(rejected: Secret?) async throws -> Secret {
        if let refreshing { return try await refreshing.value }
        let task = Task {
            defer { refreshing = nil }
            return try await refresh(rejected: rejected)
        }
        refreshing = task
        return try await task.value
    }

    private func refresh(rejected: Secret?) async throws -> Secret {
        let held = try await held()
        // Another refresh may have ended between the caller's look at the tokens and now.
        if held.tokens.access != rejected, held.isFresh(at: time.now()) { return held.tokens.access }
        do {
            let tokens = try await client.refresh(held.tokens.refresh) { [time] in time.now() }
            CrashPoint.reach(.tokensReceived)
            return try await store(tokens, replacing: held)
        } catch let failure as SyncFailure {
            onRefresh(.failed(code: failure.code))
            guard failure.decision == .reauthenticate else { throw failure }
            return try await giveUp(on: held, because: failure)
        }
    }

    /// Nobody sees the new access token before the refresh token that came with it is on disk.
    private func store(_ tokens: OAuthTokens, replacing held: VaultedTokens) async throws -> Secret {
        let outcome: StoreOutcome
        do {
            outcome = try await vault.store(tokens, of: key, expectedVersion: held.version, at: time.now())
        } catch let error as AccountDatabaseFailure {
            throw SyncFailure(.retry(after: nil, scope: .account), code: "vault_unavailable", error.description)
        }
        switch outcome {
        case .stored(let stored):
            CrashPoint.reach(.tokensStored)
            onRefresh(.refreshed)
            return stored.tokens.access
        case .superseded(let newer): return newer.tokens.access
        case .gone: throw Self.notConnected
        }
    }

    /// Parks the account, unless its user connected it again while we were asking.
    private func giveUp(on held: VaultedTokens, because failure: SyncFailure) async throws -> Secret {
        _ = try await vault.markReauthRequired(
            key, version: held.version, reason: failure.message, at: time.now())
        guard let newer = try await vault.tokens(key) else { throw Self.notConnected }
        guard newer.version != held.version else { throw failure }
        return newer.tokens.access
    }

    private static let notConnected = SyncFailure(
        .reauthenticate, code: "not_connected", "the account is not connected: connect it")
}
