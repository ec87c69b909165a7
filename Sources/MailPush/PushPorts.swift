import MailModel

/// An account as keeping subscriptions sees it.
public struct PushedAccount: Sendable, Hashable {
    public var key: AccountKey
    /// Its tokens are of no use until its user signs in again.
    public var waitsForUser: Bool

    public init(key: AccountKey, waitsForUser: Bool = false) {
        self.key = key
        self.waitsForUser = waitsForUser
    }
}

/// How keeping subscriptions is tied to the rest of the process; given by the composition root.
public struct PushPorts: Sendable {
    /// Every account there is.
    public var accounts: @Sendable () async throws -> [PushedAccount]
    /// The announcements of one account; nil when its provider, or the operator's settings, have none. Asks nobody.
    /// Throws `SyncFailure`.
    public var pushes: @Sendable (AccountKey) async throws -> (any MailboxPushes)?
    /// A push announced that a pass over the account may find something.
    public var announce: @Sendable (AccountKey) async -> Void
    /// Announcements may have been missed: a pass is wanted.
    public var look: @Sendable (AccountKey) async -> Void
    /// How well the account's changes are announced from now on.
    public var setHealth: @Sendable (AccountKey, PushHealth) async -> Void

    public init(
        accounts: @escaping @Sendable () async throws -> [PushedAccount],
        pushes: @escaping @Sendable (AccountKey) async throws -> (any MailboxPushes)?,
        announce: @escaping @Sendable (AccountKey) async -> Void,
        look: @escaping @Sendable (AccountKey) async -> Void,
        setHealth: @escaping @Sendable (AccountKey, PushHealth) async -> Void
    ) {
        self.accounts = accounts
        self.pushes = pushes
        self.announce = announce
        self.look = look
        self.setHealth = setHealth
    }
}

/// How an account stands with its pushes, for its user.
public struct PushStanding: Sendable, Hashable {
    public var health: PushHealth
    /// When what was granted ends.
    public var until: UnixSeconds?
    /// Why the provider does not announce; safe to print.
    public var error: String?

    public init(health: PushHealth, until: UnixSeconds? = nil, error: String? = nil) {
        self.health = health
        self.until = until
        self.error = error
    }
}
