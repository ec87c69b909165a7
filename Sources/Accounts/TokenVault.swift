import GRDB
import MailModel

/// What became of refreshed tokens that were to be stored.
public enum StoreOutcome: Sendable, Hashable {
    case stored(VaultedTokens)
    /// The user connected again meanwhile: these tokens count, the refreshed ones were dropped.
    case superseded(VaultedTokens)
    /// The user disconnected meanwhile.
    case gone
}

/// `auth.db`: the accounts there are and their tokens, sealed. An account exists if and only if its row does.
///
/// Tokens in use are kept opened in memory, so that a request costs no decryption.
public actor TokenVault {
    /// How many accounts' tokens are kept opened.
    private static let openedMax = 4096

    private let database: AccountDatabase
    private let rows: TokenRows
    private var opened: [AccountKey: VaultedTokens] = [:]
    /// Counts writes: what was read before one is not remembered after it.
    private var writes = 0

    /// Opens `auth.db` at this path, creating it (0600, its directory 0700) when absent.
    ///
    /// - Throws: ``AccountDatabaseFailure`` also when a stored token is sealed with a key that is not in `keys`;
    ///   ``PrivateFileFailure``.
    public init(path: String, keys: EncryptionKeys) throws {
        database = try AccountDatabase(path: path, migrator: TokenRows.migrator)
        rows = TokenRows(seal: TokenSeal(keys: keys))
    }

    /// Refuses to work with keys that cannot open what is stored.
    ///
    /// - Throws: ``AccountDatabaseFailure`` naming the missing key's id.
    public func checkKeys() async throws {
        let used = try await database.read { [rows] db in try rows.keyIDs(db) }
        let missing = used.subtracting(rows.seal.keys.ids).sorted()
        guard missing.isEmpty else {
            let ids = missing.joined(separator: ", ")
            throw AccountDatabaseFailure(
                path: database.path,
                reason: "holds tokens sealed with key \(ids), which is not among ENCRYPTION_KEY's "
                    + "(\(rows.seal.keys.ids.joined(separator: ", "))): add it to the list")
        }
    }

    /// Makes the account exist with these tokens, whatever it had before.
    ///
    /// - Parameter since: nil keeps the scope of an account that exists.
    /// - Returns: the account as stored.
    /// - Throws: ``AccountDatabaseFailure``.
    @discardableResult
    public func connect(
        _ key: AccountKey, tokens: OAuthTokens, since: UnixSeconds?, at now: UnixSeconds
    ) async throws -> ConnectedAccount {
        try await write(key) { [rows] db in
            try rows.connect(key, tokens: tokens, since: since, at: now, db)
        }
    }

    /// Every account there is.
    ///
    /// - Throws: ``AccountDatabaseFailure`` when a row names no account.
    public func accounts() async throws -> [ConnectedAccount] {
        try await database.read { [rows] db in try rows.accounts(db) }
    }

    /// The user's accounts.
    public func accounts(of user: UserID) async throws -> [ConnectedAccount] {
        try await database.read { [rows] db in try rows.accounts(of: user, db) }
    }

    /// One account; nil when it does not exist.
    public func account(_ key: AccountKey) async throws -> ConnectedAccount? {
        try await database.read { [rows] db in try rows.account(key, db) }
    }

    /// The account's tokens; nil when it does not exist.
    ///
    /// - Throws: ``SealError``, ``AccountDatabaseFailure``.
    public func tokens(_ key: AccountKey) async throws -> VaultedTokens? {
        if let known = opened[key] { return known }
        let writesBefore = writes
        let found = try await database.read { [rows] db in try rows.tokens(key, db) }
        if let found, writes == writesBefore { remember(found, of: key) }
        return found
    }

    /// Stores refreshed tokens in place of those of `expectedVersion`, and of no others: a refresh that was under way
    /// while the user connected again must not put its tokens over the new ones.
    ///
    /// - Throws: ``SealError``, ``AccountDatabaseFailure``.
    public func store(
        _ tokens: OAuthTokens, of key: AccountKey, expectedVersion: Int64, at now: UnixSeconds
    ) async throws -> StoreOutcome {
        try await write(key) { [rows] db in
            guard let held = try rows.tokens(key, db) else { return .gone }
            guard held.version == expectedVersion else { return .superseded(held) }
            return .stored(try rows.replace(key, with: tokens, at: now, db))
        }
    }

    /// Notes that the tokens of this version are of no use any more. Tokens of a later version are left alone.
    ///
    /// - Parameter reason: safe to show to the user.
    /// - Returns: false when there are newer tokens, or the account does not exist.
    /// - Throws: ``AccountDatabaseFailure``.
    @discardableResult
    public func markReauthRequired(
        _ key: AccountKey, version: Int64, reason: String, at now: UnixSeconds
    ) async throws -> Bool {
        try await write(key) { [rows] db in
            try rows.markReauthRequired(key, version: version, reason: reason, at: now, db)
        }
    }

    /// Makes the account not exist: its tokens are gone from the file, and from its log unless a reader holds it.
    ///
    /// - Returns: false when it did not exist.
    /// - Throws: ``AccountDatabaseFailure``.
    @discardableResult
    public func remove(_ key: AccountKey) async throws -> Bool {
        let existed = try await write(key) { [rows] db in try rows.remove(key, db) }
        // The account is gone by now: that somebody reads the file must not look like a failure to remove it. Closing,
        // or the next removal, empties the log.
        if existed { try? await database.emptyLog() }
        return existed
    }

    /// - Throws: ``AccountDatabaseFailure``.
    public func close() throws {
        opened = [:]
        try database.close()
    }

    private func write<R: Sendable>(
        _ key: AccountKey, _ body: @escaping @Sendable (Database) throws -> R
    ) async throws -> R {
        defer {
            writes += 1
            opened[key] = nil
        }
        return try await database.write(body)
    }

    private func remember(_ tokens: VaultedTokens, of key: AccountKey) {
        if opened.count >= Self.openedMax { opened.removeAll(keepingCapacity: true) }
        opened[key] = tokens
    }
}
