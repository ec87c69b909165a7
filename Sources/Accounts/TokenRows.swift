import Foundation
import GRDB
import MailModel

/// The table `oauth_tokens`: what is in its rows, and the only SQL that touches it.
struct TokenRows: Sendable {
    let seal: TokenSeal

    /// What the service is to do with an account.
    private enum DesiredState: String {
        /// Keep it in step.
        case sync = "SYNC"
        /// Wait for its user to connect again.
        case reauth = "REAUTH"
    }

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("accounts") { db in
            try db.execute(
                sql: """
                    CREATE TABLE oauth_tokens (
                        user_id TEXT NOT NULL,
                        provider TEXT NOT NULL,
                        inbox_id TEXT NOT NULL,
                        access_token BLOB NOT NULL,
                        refresh_token BLOB NOT NULL,
                        expiry INTEGER,
                        created_at INTEGER NOT NULL,
                        updated_at INTEGER NOT NULL,
                        version INTEGER NOT NULL,
                        connected_at INTEGER NOT NULL,
                        since INTEGER,
                        desired_state TEXT NOT NULL CHECK (desired_state IN ('SYNC', 'REAUTH')),
                        reauth_reason TEXT,
                        PRIMARY KEY (user_id, provider, inbox_id)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE token_version (last INTEGER NOT NULL) STRICT;
                    INSERT INTO token_version (last) VALUES (0);
                    """)
        }
        return migrator
    }

    private static let isKey = "user_id = ? AND provider = ? AND inbox_id = ?"

    func connect(
        _ key: AccountKey, tokens: OAuthTokens, since: UnixSeconds?, at now: UnixSeconds, _ db: Database
    ) throws -> ConnectedAccount {
        let version = try nextVersion(db)
        let values: [(any DatabaseValueConvertible)?] = [
            key.user.encoded, key.provider.rawValue, key.inbox.encoded, try sealed(tokens.access, key, .accessToken),
            try sealed(tokens.refresh, key, .refreshToken), tokens.expiry, now, now, version, now, since,
            DesiredState.sync.rawValue,
        ]
        let sql = """
            INSERT INTO oauth_tokens (user_id, provider, inbox_id, access_token, refresh_token, expiry, created_at,
                updated_at, version, connected_at, since, desired_state)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET access_token = excluded.access_token,
                refresh_token = excluded.refresh_token, expiry = excluded.expiry, updated_at = excluded.updated_at,
                version = excluded.version, connected_at = excluded.connected_at, since = coalesce(excluded.since, since),
                desired_state = excluded.desired_state, reauth_reason = NULL
            RETURNING since
            """
        let kept = try Row.fetchOne(db, sql: sql, arguments: StatementArguments(values))
        return ConnectedAccount(key: key, since: kept?["since"], version: version, connectedAt: now)
    }

    func replace(
        _ key: AccountKey, with tokens: OAuthTokens, at now: UnixSeconds, _ db: Database
    ) throws -> VaultedTokens {
        let version = try nextVersion(db)
        let values: [(any DatabaseValueConvertible)?] = [
            try sealed(tokens.access, key, .accessToken), try sealed(tokens.refresh, key, .refreshToken),
            tokens.expiry, now, version, DesiredState.sync.rawValue,
        ]
        try db.execute(
            sql: """
                UPDATE oauth_tokens SET access_token = ?, refresh_token = ?, expiry = ?, updated_at = ?, version = ?,
                    desired_state = ?, reauth_reason = NULL
                WHERE \(Self.isKey)
                """, arguments: StatementArguments(values) + arguments(key))
        return VaultedTokens(tokens: tokens, version: version, storedAt: now)
    }

    func markReauthRequired(
        _ key: AccountKey, version: Int64, reason: String, at now: UnixSeconds, _ db: Database
    ) throws -> Bool {
        try db.execute(
            sql: """
                UPDATE oauth_tokens SET desired_state = ?, reauth_reason = ?, updated_at = ?
                WHERE \(Self.isKey) AND version = ?
                """,
            arguments: [DesiredState.reauth.rawValue, reason, now] + arguments(key) + [version])
        return db.changesCount > 0
    }

    func remove(_ key: AccountKey, _ db: Database) throws -> Bool {
        try db.execute(sql: "DELETE FROM oauth_tokens WHERE \(Self.isKey)", arguments: arguments(key))
        return db.changesCount > 0
    }

    func tokens(_ key: AccountKey, _ db: Database) throws -> VaultedTokens? {
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT * FROM oauth_tokens WHERE \(Self.isKey)", arguments: arguments(key))
        else { return nil }
        return VaultedTokens(
            tokens: OAuthTokens(
                access: try opened(row["access_token"], key, .accessToken),
                refresh: try opened(row["refresh_token"], key, .refreshToken), expiry: row["expiry"]),
            version: row["version"], storedAt: row["updated_at"], reauthReason: row["reauth_reason"])
    }

    func account(_ key: AccountKey, _ db: Database) throws -> ConnectedAccount? {
        try accounts(db, where: Self.isKey, arguments(key)).first
    }

    func accounts(of user: UserID, _ db: Database) throws -> [ConnectedAccount] {
        try accounts(db, where: "user_id = ?", [user.encoded])
    }

    func accounts(_ db: Database) throws -> [ConnectedAccount] {
        try accounts(db, where: "TRUE", [])
    }

    /// The ids of the keys that stored tokens are sealed with.
    func keyIDs(_ db: Database) throws -> Set<String> {
        let cursor = try Row.fetchCursor(db, sql: "SELECT access_token, refresh_token FROM oauth_tokens")
        var ids: Set<String> = []
        while let row = try cursor.next() {
            for column in 0..<2 { ids.insert(try TokenSeal.keyID(of: bytes(row[column]))) }
        }
        return ids
    }

    private func accounts(
        _ db: Database, where condition: String, _ arguments: StatementArguments
    ) throws -> [ConnectedAccount] {
        let sql = """
            SELECT user_id, provider, inbox_id, since, version, connected_at, reauth_reason
            FROM oauth_tokens WHERE \(condition) ORDER BY user_id, provider, inbox_id
            """
        return try Row.fetchAll(db, sql: sql, arguments: arguments).map { row in
            ConnectedAccount(
                key: try key(of: row), since: row["since"], version: row["version"],
                connectedAt: row["connected_at"], reauthReason: row["reauth_reason"])
        }
    }

    private func key(of row: Row) throws -> AccountKey {
        guard let provider = ProviderKind(rawValue: row["provider"]) else {
            throw DatabaseError(message: "oauth_tokens names a provider this version does not know")
        }
        return AccountKey(
            user: try UserID(encoded: row["user_id"]), provider: provider, inbox: try InboxID(encoded: row["inbox_id"]))
    }

    /// Versions count up over all accounts, so that no row ever has one that an earlier row had.
    private func nextVersion(_ db: Database) throws -> Int64 {
        try db.execute(sql: "UPDATE token_version SET last = last + 1")
        guard let version = try Int64.fetchOne(db, sql: "SELECT last FROM token_version") else {
            throw DatabaseError(message: "token_version is empty")
        }
        return version
    }

    private func arguments(_ key: AccountKey) -> StatementArguments {
        [key.user.encoded, key.provider.rawValue, key.inbox.encoded]
    }

    private func sealed(_ secret: Secret, _ key: AccountKey, _ column: SealedPlace.Column) throws -> Data {
        Data(try seal.seal(secret, for: SealedPlace(account: key, column: column)))
    }

    private func opened(_ data: Data, _ key: AccountKey, _ column: SealedPlace.Column) throws -> Secret {
        try seal.open(bytes(data), at: SealedPlace(account: key, column: column))
    }

    private func bytes(_ data: Data) -> [UInt8] { Array(data) }
}
