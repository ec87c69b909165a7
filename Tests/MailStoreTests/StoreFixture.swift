import GRDB
import Logging
import MailModel
import MailTestSupport
import Testing

@testable import MailStore

/// A directory with one user's store and one followed account.
struct StoreFixture {
    let directory: TemporaryDirectory
    let stores: UserStores
    let time = ManualTime()
    let key: AccountKey
    var user: UserID { key.user }
    var now: UnixSeconds { time.now() }

    init(_ user: String = "user_abc123", openMax: Int = 8) throws {
        try self.init(directory: TemporaryDirectory(), user: user, openMax: openMax)
    }

    init(directory: TemporaryDirectory, user: String = "user_abc123", openMax: Int = 8) throws {
        self.directory = directory
        key = AccountKey(user: try UserID(user), provider: .google, inbox: .primary)
        stores = UserStores(
            directory: directory.path + "/users", openMax: openMax, time: time, logger: Logger(label: "test"))
    }

    /// What a program that starts again on the same directory sees.
    func reopened() async throws -> StoreFixture {
        await stores.close()
        return try StoreFixture(directory: directory, user: user.raw)
    }

    var path: String { "\(directory.path)/users/\(user.encoded)/events.db" }

    func read<R: Sendable>(_ body: @Sendable (StoreReader) throws -> R) async throws -> R {
        try await stores.use(user) { try await $0.read(body) }
    }

    func write<R: Sendable>(_ body: @Sendable (StoreTransaction) throws -> R) async throws -> R {
        try await stores.use(user) { try await $0.write(body) }
    }

    @discardableResult
    func follow(_ cursor: String = "start") async throws -> StoreFixture {
        try await write { [key, now] in
            try $0.follow(key, mailbox: "a@example.com", cursor: MailModel.Cursor(cursor), estimatedTotal: 10, at: now)
        }
        return self
    }

    @discardableResult
    func apply(_ batch: ChangeBatch) async throws -> AppliedBatch {
        try await write { [key, now] in try $0.apply(batch, to: key, at: now) }
    }

    @discardableResult
    func apply(_ changes: MessageChange...) async throws -> AppliedBatch { try await apply(.of(changes)) }

    func account() async throws -> AccountSync {
        let account = try await read { [key] in try $0.account(key) }
        return try #require(account)
    }

    func openGaps() async throws -> [GapRecord] { try await read { [key] in try $0.openGaps(key) } }

    func dueGaps(at now: UnixSeconds) async throws -> [String] {
        try await read { [key] in try $0.dueGaps(key, at: now, limit: 9) }
    }

    func states(of ids: [String]) async throws -> [String: MessageState] {
        try await read { [key] in try $0.states(key, of: ids) }
    }

    func dispatch() async throws -> DispatchState { try await read { try $0.dispatch() } }

    func events(after seq: Int64 = 0) async throws -> [MailEvent] {
        try await read { try $0.events(after: seq, limit: 100_000) }
    }

    func outbox() async throws -> [OutboxRow] { try await read { try $0.unpublished(limit: 100_000) } }

    /// What `sqlite3` would print, through a connection of its own; the store must be closed.
    func sql(_ sql: String) throws -> [Row] {
        var configuration = Configuration()
        configuration.readonly = true
        return try DatabaseQueue(path: path, configuration: configuration).read { try Row.fetchAll($0, sql: sql) }
    }
}

extension ChangeBatch {
    static func of(
        _ changes: [MessageChange], gaps: [String] = [], vanished: [String] = [], labels: [MailLabel]? = nil,
        cursor: String = "next", phase: SyncPhase = .live, origin: EventOrigin = .incremental
    ) -> ChangeBatch {
        ChangeBatch(
            changes: changes, gaps: gaps.map { MessageGap(id: $0, reason: "the provider answered 500") },
            vanished: vanished, labels: labels, origin: origin, cursor: MailModel.Cursor(cursor), phase: phase)
    }
}

extension MessageMeta {
    static func sample(
        _ id: String, labels: [String] = ["INBOX", "UNREAD"], version: UInt64 = 1, subject: String = "Hello World"
    ) -> MessageMeta {
        MessageMeta(
            id: id, threadID: "t-\(id)", date: 1_699_999_990, subject: subject, sender: "sender@example.com",
            to: ["recipient@example.com"], snippet: "This is a preview…",
            headers: .init(first: [.init(name: "From", value: "sender@example.com")]), labels: labels, version: version)
    }
}

extension MessageChange {
    static func new(_ id: String, labels: [String] = ["INBOX", "UNREAD"], version: UInt64 = 1) -> MessageChange {
        .read(.sample(id, labels: labels, version: version), inScope: true)
    }
}

extension MailEvent {
    /// What happened, in one line.
    var line: String {
        switch body {
        case .received(let message): "received \(message.id) \(message.labels)"
        case .updated(let update):
            "updated \(update.id) \(update.labels) +\(update.added) -\(update.removed)"
                + (update.restored ? " restored" : "")
        case .deleted(let id, _): "deleted \(id)"
        case .account(let event): event.kind
        }
    }
}

/// Numbers that a test can draw again from the seed it prints (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
