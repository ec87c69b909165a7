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
    /// Tokens that could not be stored, and the version they are to replace.
    private var unstored: (replacing: Int64, tokens: OAuthTokens)?

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
        guard let found = try await asking({ try await vault.tokens(key) }) else { throw Self.notConnected }
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
            let tokens = try await newTokens(for: held)
            return try await store(tokens, replacing: held)
        } catch let failure as SyncFailure {
            onRefresh(.failed(code: failure.code))
            guard failure.decision == .reauthenticate else { throw failure }
            return try await giveUp(on: held, because: failure)
        }
    }

    /// Asks the provider, unless it answered before and only storing the answer failed: it may have withdrawn the
    /// refresh token that is on disk.
    private func newTokens(for held: VaultedTokens) async throws -> OAuthTokens {
        if let unstored, unstored.replacing == held.version { return unstored.tokens }
        let tokens = try await client.refresh(held.tokens.refresh, at: time.now())
        CrashPoint.reach(.tokensReceived)
        unstored = (held.version, tokens)
        return tokens
    }

    /// Nobody sees the new access token before the refresh token that came with it is on disk.
    private func store(_ tokens: OAuthTokens, replacing held: VaultedTokens) async throws -> Secret {
        let outcome = try await asking {
            try await vault.store(tokens, of: key, expectedVersion: held.version, at: time.now())
        }
        unstored = nil
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
        let newer = try await asking {
            try await vault.markReauthRequired(key, version: held.version, reason: failure.message, at: time.now())
            return try await vault.tokens(key)
        }
        guard let newer else { throw Self.notConnected }
        guard newer.version != held.version else { throw failure }
        return newer.tokens.access
    }

    /// Turns the vault's errors into decisions.
    private func asking<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as SealError {
            throw SyncFailure(.stop, code: "tokens_unreadable", error.description)
        } catch let error as AccountDatabaseFailure {
            throw SyncFailure(.retry(after: nil, scope: .account), code: "vault_unavailable", error.description)
        }
    }

    private static let notConnected = SyncFailure(
        .reauthenticate, code: "not_connected", "the account is not connected: connect it")
}
