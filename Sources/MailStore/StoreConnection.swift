import GRDB

/// How a store file is opened. Every setting has its reason here.
enum StoreConnection {
    /// Another process that holds the write lock (a `sqlite3` shell) is waited for so long.
    static let busyTimeoutSeconds = 5.0
    /// Page cache per open file, in KiB: SQLite's default of 2 MiB times the open files would be too much.
    static let cacheKiB = 512
    /// A `-wal` file that grew beyond this is cut back at the next checkpoint, in bytes.
    static let journalBytesMax = 4 * 1024 * 1024

    /// Opens the file, checks it if asked to, and brings its schema up to date. Blocks.
    ///
    /// - Throws: ``StoreFailure`` or GRDB's errors.
    static func open(path: String, floor: SequenceFloor, checkIntegrity: Bool) throws -> DatabaseQueue {
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        do {
            try queue.writeWithoutTransaction { db in
                if checkIntegrity { try check(db, path: path) }
                try Schema.migrate(db, path: path, floor: floor)
            }
        } catch {
            // The first error is the one to report; a failure to close adds nothing to it.
            try? queue.close()
            throw error
        }
        return queue
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "mailsync.store"
        configuration.busyMode = .timeout(busyTimeoutSeconds)
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { db in
            // Not GRDB's own WAL mode: it writes to the file at every opening.
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            // The outbox row is the promise: a commit must survive a power loss, which NORMAL does not give.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
            try db.execute(sql: "PRAGMA cell_size_check = ON")
            try db.execute(sql: "PRAGMA cache_size = -\(cacheKiB)")
            // An I/O error on mapped memory is a SIGBUS.
            try db.execute(sql: "PRAGMA mmap_size = 0")
            try db.execute(sql: "PRAGMA journal_size_limit = \(journalBytesMax)")
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
            // Debian compiles it on, which writes every page of a pruned outbox row once more.
            try db.execute(sql: "PRAGMA secure_delete = FAST")
        }
        return configuration
    }

    private static func check(_ db: Database, path: String) throws {
        let answer = try String.fetchOne(db, sql: "PRAGMA quick_check(1)")
        guard answer == "ok" else {
            throw StoreFailure.corrupt(path: path, detail: "quick_check failed after an unclean end")
        }
    }
}
