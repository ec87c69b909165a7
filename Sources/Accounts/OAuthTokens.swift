import MailModel

/// What a token endpoint hands out for an account.
public struct OAuthTokens: Sendable, Hashable {
    public var access: Secret
    public var refresh: Secret
    /// When the access token stops working; nil when nobody said.
    public var expiry: UnixSeconds?

    public init(access: Secret, refresh: Secret, expiry: UnixSeconds?) {
        self.access = access
        self.refresh = refresh
        self.expiry = expiry
    }
}

/// Tokens as the vault holds them.
public struct VaultedTokens: Sendable, Hashable {
    public var tokens: OAuthTokens
    /// Changes with every write of the account's tokens and is never used again, not even after a disconnect.
    public var version: Int64
    /// When these tokens were written.
    public var storedAt: UnixSeconds
    /// Why the tokens are of no use until the user connects again; nil while they are.
    public var reauthReason: String?

    /// A refresh is due when less than this is left…
    static let marginSecondsMax: Int64 = 60

    /// True when the access token can be used for a request that starts now.
    func isFresh(at now: UnixSeconds) -> Bool {
        guard let expiry = tokens.expiry else { return false }
        // …or half of the lifetime: else a token that lives for a minute would be refreshed by every request.
        let margin = min(Self.marginSecondsMax, max(0, expiry - storedAt) / 2)
        return expiry - now >= max(1, margin)
    }
}

/// An account that exists: its user connected it and has not disconnected it.
public struct ConnectedAccount: Sendable, Hashable {
    public var key: AccountKey
    /// Only messages dated at or after this are wanted.
    public var since: UnixSeconds?
    /// The version of its tokens; see ``VaultedTokens/version``.
    public var version: Int64
    /// When the user connected it last.
    public var connectedAt: UnixSeconds
    /// Why the user must connect again; nil while the tokens work.
    public var reauthReason: String?

    public init(
        key: AccountKey, since: UnixSeconds?, version: Int64, connectedAt: UnixSeconds, reauthReason: String? = nil
    ) {
        self.key = key
        self.since = since
        self.version = version
        self.connectedAt = connectedAt
        self.reauthReason = reauthReason
    }
}
