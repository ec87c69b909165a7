import Foundation
import GRDB
import Logging
import MailModel
import MailStore
import MailTestSupport
import Synchronization

@testable import MailRecovery

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A stream in memory.
final class MemoryArchive: EventArchive {
    struct State: Sendable {
        var messages: [ArchivedMessage] = []
        var last: UInt64 = 0
        /// Called before every answer.
        var failure: @Sendable (_ calls: Int) -> PublisherUnavailable? = { _ in nil }
        var calls = 0
        var erased: [UInt64] = []
    }

    private let state = Mutex(State())

    func update<R: Sendable>(_ body: (inout State) throws -> R) rethrows -> R { try state.withLock { try body(&$0) } }

    private func asked<R: Sendable>(_ body: (inout State) -> R) throws -> R {
        try update { state in
            state.calls += 1
            if let failure = state.failure(state.calls) { throw failure }
            return body(&state)
        }
    }

    /// What a dispatcher does with everything in the outbox.
    func publish(_ events: [MailEvent]) {
        update { state in
            for event in events {
                state.last += 1
                state.messages.append(
                    ArchivedMessage(
                        streamSequence: state.last, subject: event.subject, id: event.id, payload: event.payload()))
            }
        }
    }

    /// The oldest messages grow too old.
    func expire(_ count: Int) { update { $0.messages.removeFirst(count) } }

    func message(of user: UserID, from streamSequence: UInt64) async throws -> ArchivedMessage? {
        let prefix = EventSubject.subject(user: user, type: "")
        return try asked { state in
            state.messages.first { $0.streamSequence >= streamSequence && $0.subject.hasPrefix(prefix) }
        }
    }

    func lastStored(of user: UserID) async throws -> StoredMessage? {
        let prefix = EventSubject.subject(user: user, type: "")
        return try asked { state in
            state.messages.last { $0.subject.hasPrefix(prefix) }.map {
                StoredMessage(id: $0.id, seq: Int64($0.streamSequence), streamSequence: $0.streamSequence)
            }
        }
    }

    func streamState() async throws -> StreamState {
        try asked { state in
            StreamState(
                created: "A", lastSequence: state.last,
                firstSequence: state.messages.first?.streamSequence ?? state.last,
                duplicateWindowMilliseconds: 1)
        }
    }

    func erase(streamSequence: UInt64) async throws {
        try asked { state in
            state.messages.removeAll { $0.streamSequence == streamSequence }
            state.erased.append(streamSequence)
        }
    }
}

/// Registries in memory.
final class MemoryRegistry: RecoveryRegistry {
    struct State: Sendable {
        var connected: [AccountKey] = []
        var floors: [UserID: SequenceFloor] = [:]
        var erasures: [AccountKey] = []
    }
    private let state = Mutex(State())
    func update<R: Sendable>(_ body: (inout State) -> R) -> R { state.withLock { body(&$0) } }

    func connected(_ user: UserID) async throws -> [AccountKey] { update { $0.connected.filter { $0.user == user } } }
    func floor(of user: UserID) async throws -> SequenceFloor { update { $0.floors[user] ?? .none } }
    func raise(_ user: UserID, to floor: SequenceFloor) async throws {
        update { state in
            let now = state.floors[user] ?? .none
            state.floors[user] = SequenceFloor(
                lastSeq: max(now.lastSeq, floor.lastSeq), generation: max(now.generation, floor.generation))
        }
    }
    func erasures() async throws -> [AccountKey] { update { $0.erasures } }
    func addErasure(of key: AccountKey) async throws {
        update { if !$0.erasures.contains(key) { $0.erasures.append(key) } }
    }
    func removeErasure(of key: AccountKey) async throws { update { $0.erasures.removeAll { $0 == key } } }
}

/// Remembers who was told to stop and to go on.
final class Supervision: UserSupervision {
    private let lines = Mutex<[String]>([])
    var log: [String] { lines.withLock { $0 } }
    func suspend(_ user: UserID, because reason: String) async { lines.withLock { $0.append("suspend") } }
    func note(_ user: UserID, _ reason: String) async { lines.withLock { $0.append(reason) } }
    func resume(_ user: UserID) async { lines.withLock { $0.append("resume") } }
}

/// A user's store, the stream its events went to, and a registry.
final class RecoveryFixture: Sendable {
    let directory: TemporaryDirectory
    let stores: UserStores
    let archive: MemoryArchive
    let registry: MemoryRegistry
    let supervision = Supervision()
    let recovery: UserRecovery
    let time = ManualTime()
    let user: UserID
    let key: AccountKey
    let other: AccountKey

    /// - Parameter earlier: whose directory, stream and registry to use.
    init(sharing earlier: RecoveryFixture? = nil) throws {
        directory = try earlier?.directory ?? TemporaryDirectory()
        archive = earlier?.archive ?? MemoryArchive()
        registry = earlier?.registry ?? MemoryRegistry()
        user = try UserID("user_abc123")
        key = AccountKey(user: user, provider: .google, inbox: .primary)
        other = AccountKey(user: user, provider: .google, inbox: try InboxID("work"))
        let registry = registry
        stores = UserStores(
            directory: directory.path + "/users", time: time, logger: quiet,
            reserve: { try await registry.raise($0, to: SequenceFloor(lastSeq: $1, generation: 0)) },
            floor: { try await registry.floor(of: $0) })
        recovery = UserRecovery(
            stores: stores, archive: archive, registry: registry, supervision: supervision, time: time, logger: quiet)
    }

    var path: String { "\(directory.path)/users/\(user.encoded)/events.db" }

    func write<R: Sendable>(_ body: @Sendable (StoreTransaction) throws -> R) async throws -> R {
        try await stores.use(user) { try await $0.write(body) }
    }

    func read<R: Sendable>(_ body: @Sendable (StoreReader) throws -> R) async throws -> R {
        try await stores.use(user) { try await $0.read(body) }
    }

    func follow(_ key: AccountKey) async throws {
        let now = time.now()
        registry.update { $0.connected.append(key) }
        try await write {
            try $0.follow(key, mailbox: "\(key.inbox)@example.com", cursor: Cursor("0"), estimatedTotal: 9, at: now)
        }
    }

    /// Applies a batch as a pass does.
    func apply(
        _ changes: [MessageChange], to key: AccountKey, cursor: String, phase: SyncPhase = .live,
        labels: [MailLabel]? = nil, gaps: [String] = []
    ) async throws {
        let now = time.now()
        let batch = ChangeBatch(
            changes: changes, gaps: gaps.map { MessageGap(id: $0, reason: "500") }, labels: labels,
            origin: .incremental, cursor: Cursor(cursor), phase: phase)
        try await write { _ = try $0.applyNoting(batch, to: key, at: now) }
    }

    /// Publishes what waits in the outbox.
    func publish() async throws {
        let state = try await read { try $0.dispatch() }
        let events = try await read { try $0.events(after: state.publishedSeq, limit: 1_000_000) }
        archive.publish(events)
        guard let last = events.last else { return }
        let sequence = archive.update { $0.last }
        let now = time.now()
        try await write { try $0.confirm(through: last.seq, streamSequence: sequence, stream: "A", at: now) }
    }

    func events() async throws -> [MailEvent] { try await read { try $0.events(after: 0, limit: 1_000_000) } }

    /// Runs the recovery while `body` runs.
    func recovering<R: Sendable>(_ body: @Sendable () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [recovery] in await recovery.run() }
            let result = try await body()
            group.cancelAll()
            return result
        }
    }

    func message(_ id: String, labels: [String] = ["INBOX"], version: UInt64 = 1, inScope: Bool = true) -> MessageChange
    {
        .read(
            MessageMeta(
                id: id, threadID: "t-\(id)", date: 1_699_999_990, subject: "Subject \"\(id)\"\n\u{0}ü",
                sender: "a@example.com", to: ["b@example.com", "ü@example.com"], cc: ["c@example.com"],
                snippet: "snippet…",
                headers: .init(
                    first: [
                        .init(name: "From", value: "a"), .init(name: "Zulu", value: ""),
                        .init(name: "Alpha", value: "x"),
                    ],
                    repeated: [.init(name: "Alpha", values: ["y", "z"])]), labels: labels, version: version),
            inScope: inScope)
    }
}

/// Two files, table by table and row by row.
struct StoreComparison {
    private let before: DatabaseQueue
    private let after: DatabaseQueue

    init(_ before: String, _ after: String) throws {
        var configuration = Configuration()
        configuration.readonly = true
        self.before = try DatabaseQueue(path: before, configuration: configuration)
        self.after = try DatabaseQueue(path: after, configuration: configuration)
    }

    /// Every difference, but those in columns that need not be the same (`table.column`, or `table`).
    func differences(except ignored: Set<String>) throws -> [String] {
        let tables = try rows(before, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").map {
            String.fromDatabaseValue($0[0]) ?? ""
        }
        return try tables.filter { !ignored.contains($0) }.flatMap { table -> [String] in
            let columns = try rows(before, "SELECT name FROM pragma_table_info('\(table)')").map {
                String.fromDatabaseValue($0[0]) ?? ""
            }
            .filter { !ignored.contains("\(table).\($0)") }
            let sql = "SELECT \(columns.joined(separator: ", ")) FROM \(table) ORDER BY 1, 2"
            let (old, new) = (try rows(before, sql), try rows(after, sql))
            let missing = old.filter { !new.contains($0) }.prefix(3).map { "\(table): lost \($0)" }
            return missing + new.filter { !old.contains($0) }.prefix(3).map { "\(table): new \($0)" }
        }
    }

    private func rows(_ queue: DatabaseQueue, _ sql: String) throws -> [[DatabaseValue]] {
        try queue.read { db in try Row.fetchAll(db, sql: sql).map { Array($0.databaseValues) } }
    }
}
