import GRDB
import MailModel
import Synchronization

/// One user's open `events.db`: one connection, on a queue of its own.
///
/// Debian's SQLite 3.40.1 can corrupt a WAL file that two connections of it write and checkpoint at once, so there is
/// never a second one.
public final class UserStore: Sendable {
    public let user: UserID
    let path: String
    let queue: DatabaseQueue
    let floor: SequenceFloor
    /// Raises the floor in the registry; nil where there is none.
    private let reserve: (@Sendable (Int64) async throws -> Void)?
    private let numbering: Mutex<SequenceReservation>
    private let ownership: Mutex<Ownership>
    private let damage = Mutex<StoreFailure?>(nil)

    /// Which value of `meta.owner_epoch` shows that nobody else has written since the file was opened.
    private struct Ownership {
        var epoch: Int64
        /// False until the first transaction has raised it.
        var raised = false
    }

    /// Opens the file, which must exist and may be empty. Blocks.
    ///
    /// - Throws: ``StoreFailure``.
    init(
        user: UserID, path: String, floor: SequenceFloor, checkIntegrity: Bool,
        reserve: (@Sendable (Int64) async throws -> Void)? = nil
    ) throws {
        self.user = user
        self.path = path
        self.floor = floor
        self.reserve = reserve
        do {
            queue = try StoreConnection.open(path: path, floor: floor, checkIntegrity: checkIntegrity)
            let meta = try queue.unsafeRead { try $0.row("SELECT owner_epoch, last_seq, reserved_seq FROM meta") }
            guard let meta else { throw StoreFailure.unreadable("the meta row of \(path) is missing") }
            ownership = Mutex(Ownership(epoch: try meta.integer(0)))
            let reserved = min(try meta.integer(2), floor.lastSeq)
            numbering = Mutex(SequenceReservation(lastSeq: try meta.integer(1), through: reserved))
        } catch {
            throw StoreFailure.mapped(error, path: path)
        }
    }

    /// Asks the store. Reads of one store never run at the same time as its writes.
    ///
    /// - Throws: ``StoreFailure``, `CancellationError`, or what `body` throws.
    public func read<R: Sendable>(_ body: @Sendable (StoreReader) throws -> R) async throws -> R {
        try await guarded { [user] in
            try await queue.unsafeRead { try body(StoreReader(db: $0, user: user)) }
        }
    }

    /// Runs `body` as one transaction (`BEGIN IMMEDIATE`), durable when this returns, undone when it throws.
    ///
    /// - Throws: ``StoreFailure``, `CancellationError`, or what `body` throws.
    public func write<R: Sendable>(_ body: @Sendable (StoreTransaction) throws -> R) async throws -> R {
        try await reserveNumbers()
        return try await guarded {
            try await queue.writeWithoutTransaction { try self.transact($0, body) }
        }
    }

    /// True when the file is older than what was given out from it, or is being filled: nothing may be synced into it
    /// before it is filled from the stream.
    ///
    /// - Throws: ``StoreFailure``.
    public func needsRestoring() async throws -> Bool {
        let floor = floor.lastSeq
        return try await read { try $0.isRestoring() || $0.isBelow(floor: floor) }
    }

    /// Before numbers are given out, the registry knows that they may be: a file that is lost later is not numbered
    /// from the start. First the file says so, so that one that says less is known to be older.
    private func reserveNumbers() async throws {
        guard let reserve, let through = numbering.withLock({ $0.wanted }), try await !needsRestoring() else { return }
        try await guarded {
            try await queue.writeWithoutTransaction { db in
                try db.run("UPDATE meta SET reserved_seq = max(reserved_seq, ?)", [through.databaseValue])
            }
        }
        try await reserve(through)
        numbering.withLock { $0.through = max($0.through, through) }
    }

    /// What the provider adapters may ask about an account's messages.
    public func known(_ account: AccountKey) -> any KnownMessages { StoredMessages(store: self, account: account) }

    /// Why the file must not be used any more; nil while it may.
    var failure: StoreFailure? { damage.withLock { $0 } }

    /// Checkpoints and closes the file, which removes its `-wal`. Blocks until whoever uses it is done.
    func close() throws {
        do {
            try queue.close()
        } catch {
            throw StoreFailure.mapped(error, path: path)
        }
    }

    /// True when events wait to be confirmed. Blocks.
    func hasUnpublished() throws -> Bool {
        do {
            return try queue.unsafeRead { try $0.row("SELECT 1 FROM outbox LIMIT 1") != nil }
        } catch {
            throw StoreFailure.mapped(error, path: path)
        }
    }

    private func transact<R>(_ db: Database, _ body: (StoreTransaction) throws -> R) throws -> R {
        var result: R?
        var appliesBatch = false
        var lastSeq: Int64 = 0
        try db.inTransaction(.immediate) {
            let transaction = try begin(db)
            result = try body(transaction)
            try finish(transaction)
            appliesBatch = transaction.progress.appliesBatch
            lastSeq = transaction.log.lastSeq
            if appliesBatch { CrashPoint.reach(.beforeCommit) }
            return .commit
        }
        ownership.withLock { owned in
            if !owned.raised { owned = Ownership(epoch: owned.epoch + 1, raised: true) }
        }
        numbering.withLock { $0.lastSeq = lastSeq }
        if appliesBatch { CrashPoint.reach(.afterCommit) }
        guard let result else { throw StoreFailure.unreadable("a transaction without a result") }
        return result
    }

    /// Checks that the file is still ours and reads where numbering stands.
    private func begin(_ db: Database) throws -> StoreTransaction {
        guard
            let meta = try db.row(
                "SELECT owner_epoch, generation, last_seq, restoring_since, reserved_seq FROM meta")
        else {
            throw StoreFailure.unreadable("the meta row of \(path) is missing")
        }
        guard try meta.integer(0) == ownership.withLock({ $0.epoch }) else {
            throw StoreFailure.ownedElsewhere(path: path)
        }
        // Overruled by a restoration, which knows better where the numbers stand.
        let isOlder = try meta.optionalInteger(3) == nil && floor.lastSeq > meta.integer(4)
        let log = EventLog(
            db: db, user: user, generation: max(try meta.integer(1), floor.generation),
            lastSeq: max(try meta.integer(2), isOlder ? floor.lastSeq : 0))
        return StoreTransaction(reader: StoreReader(db: db, user: user), log: log)
    }

    private func finish(_ transaction: StoreTransaction) throws {
        let epoch = ownership.withLock { $0.raised ? $0.epoch : $0.epoch + 1 }
        try transaction.reader.db.run(
            "UPDATE meta SET owner_epoch = ?, generation = ?, last_seq = ?",
            [epoch, transaction.log.generation, transaction.log.lastSeq].map(\.databaseValue))
    }

    /// Maps SQLite's errors, and stops using a file that is damaged.
    func guarded<R>(_ body: () async throws -> R) async throws -> R {
        if let failure { throw failure }
        do {
            return try await body()
        } catch {
            let mapped = StoreFailure.mapped(error, path: path)
            if let failure = mapped as? StoreFailure, failure.quarantines { damage.withLock { $0 = failure } }
            throw mapped
        }
    }
}
