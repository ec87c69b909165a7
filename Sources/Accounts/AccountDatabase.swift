import Foundation
import GRDB

/// Why `auth.db` or `control.db` cannot be used. Safe to print: never holds a value from the database.
public struct AccountDatabaseFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public var path: String
    public var reason: String
    public var description: String { "\(path): \(reason)" }

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// One of the two databases of accounts: a single connection (SQLite before 3.51.3 can corrupt a WAL database that
/// has several), every commit on disk before it is reported.
package struct AccountDatabase: Sendable {
    /// How long another process (`sqlite3` at a terminal) may hold the file.
    private static let busyTimeoutSeconds = 5.0

    package let path: String
    private let queue: DatabaseQueue

    /// Opens the file, creating it and its directory (0600, 0700) when absent, and brings its tables up to date.
    ///
    /// - Throws: ``AccountDatabaseFailure``, ``PrivateFileFailure``.
    init(path: String, migrator: DatabaseMigrator) throws {
        try PrivateFile.makeDirectory((path as NSString).deletingLastPathComponent)
        try PrivateFile.claim(path)
        self.path = path
        do {
            queue = try DatabaseQueue(path: path, configuration: Self.configuration)
            guard try !queue.read(migrator.hasBeenSuperseded) else {
                throw AccountDatabaseFailure(path: path, reason: "was written by a newer version of this program")
            }
            try migrator.migrate(queue)
        } catch let error as DatabaseError {
            throw Self.failure(error, path)
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(busyTimeoutSeconds)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
            // Old tokens are overwritten with zeros rather than left in free pages.
            _ = try Int.fetchOne(db, sql: "PRAGMA secure_delete = ON")
        }
        return configuration
    }

    /// - Throws: ``AccountDatabaseFailure``, `CancellationError`, and what the body throws.
    package func read<R: Sendable>(_ body: @escaping @Sendable (Database) throws -> R) async throws -> R {
        do {
            return try await queue.read(body)
        } catch let error as DatabaseError {
            throw Self.failure(error, path)
        }
    }

    /// One transaction. Once it has begun, a cancelled caller gets it whole or not at all.
    ///
    /// - Throws: ``AccountDatabaseFailure``, `CancellationError`, and what the body throws.
    package func write<R: Sendable>(_ body: @escaping @Sendable (Database) throws -> R) async throws -> R {
        do {
            return try await queue.write(body)
        } catch let error as DatabaseError {
            throw Self.failure(error, path)
        }
    }

    /// Empties the write-ahead log, where deleted rows live on.
    func emptyLog() async throws {
        do {
            _ = try await queue.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
        } catch let error as DatabaseError {
            throw Self.failure(error, path)
        }
    }

    /// Waits for what is running, checkpoints and closes.
    ///
    /// - Throws: ``AccountDatabaseFailure``.
    func close() throws {
        do {
            try queue.close()
        } catch let error as DatabaseError {
            throw Self.failure(error, path)
        }
    }

    private static func failure(_ error: DatabaseError, _ path: String) -> AccountDatabaseFailure {
        let message = error.message ?? "no message"
        return AccountDatabaseFailure(
            path: path, reason: "SQLite error \(error.extendedResultCode.rawValue): \(message)")
    }
}
