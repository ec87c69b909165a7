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

/// `control.db`: the little about users that can be derived from nothing else.
public struct AccountRegistry: Sendable {
    private let database: AccountDatabase

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

    /// - Throws: ``AccountDatabaseFailure``.
    public func close() throws { try database.close() }
}
