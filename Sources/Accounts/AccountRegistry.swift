import GRDB
import MailModel

/// What must outlive a user's store: numbers at or below the floor were given out and are never used again.
public struct UserFloor: Sendable, Hashable {
    /// The highest event number known to be given out; 0 when none.
    public var lastSeq: Int64
    /// Part of every event id; see ``EventID``.
    public var generation: Int64

    public static let none = UserFloor(lastSeq: 0, generation: 0)

    public init(lastSeq: Int64, generation: Int64) {
        self.lastSeq = lastSeq
        self.generation = generation
    }
}

/// `control.db`: the little about users that can be derived from nothing else, and what is kept beside the stores:
/// subscriptions, schedules, jobs.
public struct AccountRegistry: Sendable {
    /// The file's one connection, shared with the tables that other targets keep in it.
    package let database: AccountDatabase

    /// Opens `control.db` at this path, creating it (0600, its directory 0700) when absent.
    ///
    /// - Throws: ``AccountDatabaseFailure``, ``PrivateFileFailure``.
    public init(path: String) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("floors") { db in
            try db.execute(
                sql: """
                    CREATE TABLE users (
                        user_id TEXT NOT NULL PRIMARY KEY,
                        last_seq INTEGER NOT NULL,
                        generation INTEGER NOT NULL,
                        updated_at INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID
                    """)
        }
        migrator.registerMigration("erasures") { db in
            try db.execute(
                sql: """
                    CREATE TABLE erasures (
                        user_id TEXT NOT NULL,
                        provider TEXT NOT NULL,
                        inbox_id TEXT NOT NULL,
                        requested_at INTEGER NOT NULL,
                        PRIMARY KEY (user_id, provider, inbox_id)
                    ) STRICT, WITHOUT ROWID
                    """)
        }
        migrator.registerMigration("jobs", migrate: Self.createJobTables)
        migrator.registerMigration("push subscriptions", migrate: Self.makePushSubscriptions)
        migrator.registerMigration("schedules", migrate: AccountSchedules.createTables)
        database = try AccountDatabase(path: path, migrator: migrator)
    }

    /// The user's floor; ``UserFloor/none`` for one never seen.
    ///
    /// - Throws: ``AccountDatabaseFailure``.
    public func floor(of user: UserID) async throws -> UserFloor {
        try await database.read { db in
            let row = try Row.fetchOne(
                db, sql: "SELECT last_seq, generation FROM users WHERE user_id = ?", arguments: [user.encoded])
            return row.map { UserFloor(lastSeq: $0["last_seq"], generation: $0["generation"]) } ?? .none
        }
    }

    /// Raises the floors of these users; none is ever lowered. One transaction.
    ///
    /// - Throws: ``AccountDatabaseFailure``.
    public func raise(_ floors: [UserID: UserFloor], at now: UnixSeconds) async throws {
        try await database.write { db in
            for (user, floor) in floors {
                try db.execute(
                    sql: """
                        INSERT INTO users (user_id, last_seq, generation, updated_at) VALUES (?, ?, ?, ?)
                        ON CONFLICT DO UPDATE SET last_seq = max(last_seq, excluded.last_seq),
                            generation = max(generation, excluded.generation), updated_at = excluded.updated_at
                        """, arguments: [user.encoded, floor.lastSeq, floor.generation, now])
            }
        }
    }

    /// Accounts whose erasing was asked for and is not finished.
    ///
    /// - Throws: ``AccountDatabaseFailure``.
    public func erasures() async throws -> [AccountKey] {
        let path = database.path
        return try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT user_id, provider, inbox_id FROM erasures ORDER BY requested_at").map {
                guard let provider = ProviderKind(rawValue: $0["provider"]) else {
                    throw AccountDatabaseFailure(path: path, reason: "an erasure names no account")
                }
                return AccountKey(
                    user: try UserID(encoded: $0["user_id"]), provider: provider,
                    inbox: try InboxID(encoded: $0["inbox_id"]))
            }
        }
    }

    /// Remembers that an account is to be erased: until ``removeErasure(of:)``, whatever happens.
    ///
    /// - Throws: ``AccountDatabaseFailure``.
    public func addErasure(of key: AccountKey, at now: UnixSeconds) async throws {
        try await database.write { db in
            try db.execute(
                sql: """
                    INSERT INTO erasures (user_id, provider, inbox_id, requested_at) VALUES (?, ?, ?, ?)
                    ON CONFLICT DO NOTHING
                    """, arguments: [key.user.encoded, key.provider.rawValue, key.inbox.encoded, now])
        }
    }

    /// The account is erased.
    ///
    /// - Throws: ``AccountDatabaseFailure``.
    public func removeErasure(of key: AccountKey) async throws {
        try await database.write { db in
            try db.execute(
                sql: "DELETE FROM erasures WHERE user_id = ? AND provider = ? AND inbox_id = ?",
                arguments: [key.user.encoded, key.provider.rawValue, key.inbox.encoded])
        }
    }

    /// - Throws: ``AccountDatabaseFailure``.
    public func close() throws { try database.close() }
}
