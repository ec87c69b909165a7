import Foundation
import GRDB
import MailModel

/// What of the accounts' schedules must outlive the process, in `control.db`: what users want, which accounts have
/// unfinished work, and until when everybody had their turn.
public struct AccountSchedules: Sendable {
    /// Everything there is, for the start of the process.
    public struct Kept: Sendable, Hashable {
        /// What users want of their accounts.
        public var own: [AccountKey: AccountSchedule] = [:]
        /// Accounts that are not known to be read to the end: never synced, in backfill, or failing.
        public var unsettled: Set<AccountKey> = []
        /// Whatever was due before this had its turn, in Unix milliseconds; nil: not known.
        public var keptUntil: Int64?

        public init() {}
    }

    private let database: AccountDatabase

    public init(_ registry: AccountRegistry) { database = registry.database }

    static func createTables(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE account_schedules (
                    user_id TEXT NOT NULL,
                    provider TEXT NOT NULL,
                    inbox_id TEXT NOT NULL,
                    interval_ms INTEGER,
                    folders TEXT NOT NULL,
                    updated_at INTEGER NOT NULL,
                    PRIMARY KEY (user_id, provider, inbox_id)
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE unsettled_accounts (
                    user_id TEXT NOT NULL,
                    provider TEXT NOT NULL,
                    inbox_id TEXT NOT NULL,
                    PRIMARY KEY (user_id, provider, inbox_id)
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE schedule_kept (
                    id INTEGER PRIMARY KEY CHECK (id = 1),
                    until_ms INTEGER NOT NULL
                ) STRICT;
                """)
    }

    /// - Throws: ``AccountDatabaseFailure`` also when a row names no account.
    public func all() async throws -> Kept {
        let path = database.path
        return try await database.read { db in
            var kept = Kept()
            for row in try Row.fetchAll(db, sql: "SELECT * FROM account_schedules") {
                kept.own[try Self.key(row, path)] = try Self.schedule(row, path)
            }
            for row in try Row.fetchAll(db, sql: "SELECT * FROM unsettled_accounts") {
                kept.unsettled.insert(try Self.key(row, path))
            }
            kept.keptUntil = try Int64.fetchOne(db, sql: "SELECT until_ms FROM schedule_kept")
            return kept
        }
    }

    /// What a user wants of an account from now on.
    ///
    /// - Throws: ``AccountDatabaseFailure``.
    public func set(_ schedule: AccountSchedule, of key: AccountKey, at now: UnixSeconds) async throws {
        let folders = try Self.text(schedule.folders)
        try await database.write { db in
            guard !schedule.isEmpty else { return try Self.delete(key, from: "account_schedules", db) }
            try db.execute(
                sql: "INSERT OR REPLACE INTO account_schedules VALUES (?, ?, ?, ?, ?, ?)",
                arguments: Self.arguments(key) + [schedule.interval?.milliseconds, folders, now])
        }
    }

    /// Notes whether an account has unfinished work.
    ///
    /// - Throws: ``AccountDatabaseFailure``.
    public func setSettled(_ isSettled: Bool, _ key: AccountKey) async throws {
        try await database.write { db in
            if isSettled { return try Self.delete(key, from: "unsettled_accounts", db) }
            try db.execute(
                sql: "INSERT OR IGNORE INTO unsettled_accounts VALUES (?, ?, ?)", arguments: Self.arguments(key))
        }
    }

    /// Whatever was due before this had its turn.
    ///
    /// - Parameter until: Unix milliseconds.
    /// - Throws: ``AccountDatabaseFailure``.
    public func keep(until: Int64) async throws {
        try await database.write { db in
            try db.execute(sql: "INSERT OR REPLACE INTO schedule_kept VALUES (1, ?)", arguments: [until])
        }
    }

    /// The account is connected no longer: nothing of it is left here.
    ///
    /// - Throws: ``AccountDatabaseFailure``.
    public func remove(_ key: AccountKey) async throws {
        let hadRows = try await database.write { db in
            var rows = 0
            for table in ["account_schedules", "unsettled_accounts"] {
                try Self.delete(key, from: table, db)
                rows += db.changesCount
            }
            return rows > 0
        }
        // The rows are gone; that somebody reads the file must not look otherwise. Closing empties the log, too.
        if hadRows { try? await database.emptyLog() }
    }

    // MARK: Rows

    private static func arguments(_ key: AccountKey) -> StatementArguments {
        [key.user.encoded, key.provider.rawValue, key.inbox.encoded]
    }

    /// - Parameter table: one of the names above.
    private static func delete(_ key: AccountKey, from table: String, _ db: Database) throws {
        try db.execute(
            sql: "DELETE FROM \(table) WHERE user_id = ? AND provider = ? AND inbox_id = ?", arguments: arguments(key))
    }

    private static func key(_ row: Row, _ path: String) throws -> AccountKey {
        guard let provider = ProviderKind(rawValue: row["provider"]) else {
            throw AccountDatabaseFailure(path: path, reason: "a schedule names no account")
        }
        return AccountKey(
            user: try UserID(encoded: row["user_id"]), provider: provider, inbox: try InboxID(encoded: row["inbox_id"]))
    }

    private static func schedule(_ row: Row, _ path: String) throws -> AccountSchedule {
        let text: String = row["folders"]
        do {
            let folders = try JSONDecoder().decode([String: Int64].self, from: Data(text.utf8))
            let interval: Int64? = row["interval_ms"]
            return AccountSchedule(
                interval: interval.map { .milliseconds($0) }, folders: folders.mapValues { .milliseconds($0) })
        } catch {
            throw AccountDatabaseFailure(path: path, reason: "a schedule's folders cannot be read")
        }
    }

    private static func text(_ folders: [String: Duration]) throws -> String {
        String(decoding: try JSONEncoder().encode(folders.mapValues(\.milliseconds)), as: UTF8.self)
    }
}
