import Logging
import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import MailDispatch

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Real stores in a temporary directory, with users that have events to publish.
final class DispatchFixture: Sendable {
    let directory: TemporaryDirectory
    let stores: UserStores
    let time: any TimeSource

    init(time: any TimeSource = SystemTime(), directory: TemporaryDirectory? = nil) throws {
        self.directory = try directory ?? TemporaryDirectory()
        self.time = time
        stores = UserStores(directory: self.directory.path + "/users", time: time, logger: quiet)
    }

    static func user(_ name: String) throws -> UserID { try UserID(name) }

    private func key(_ user: UserID) -> AccountKey { AccountKey(user: user, provider: .google, inbox: .primary) }

    /// Adds events to the user's outbox; the first call also adds `account.connected`.
    func add(_ count: Int, to user: UserID, prefix: String = "m") async throws {
        let key = key(user)
        let now = time.now()
        try await stores.use(user) { store in
            try await store.write { transaction in
                if try transaction.reader.account(key) == nil {
                    try transaction.follow(key, mailbox: "a@b", cursor: Cursor("0"), estimatedTotal: count, at: now)
                }
                let changes = (0..<count).map {
                    MessageChange.read(MessageMeta(id: "\(prefix)\($0)", threadID: "t", date: 1), inScope: true)
                }
                let batch = ChangeBatch(changes: changes, origin: .backfill, cursor: Cursor("1"), phase: .backfill)
                _ = try transaction.apply(batch, to: key, at: now)
            }
        }
    }

    func state(_ user: UserID) async throws -> DispatchState {
        try await stores.use(user) { try await $0.read { try $0.dispatch() } }
    }

    func status(_ user: UserID) async throws -> AccountStatus? {
        let key = key(user)
        return try await stores.use(user) { try await $0.read { try $0.account(key)?.status } }
    }

    func rows(_ user: UserID) async throws -> [OutboxRow] {
        try await stores.use(user) { try await $0.read { try $0.unpublished(limit: 10_000) } }
    }

    /// Runs a dispatcher while `body` runs, then stops it.
    func dispatching<R: Sendable>(
        _ publisher: any EventPublisher, settings: DispatchSettings = .test,
        onBehind: @escaping @Sendable (UserID) async -> Void = { _ in },
        _ body: @Sendable (OutboxDispatcher) async throws -> R
    ) async throws -> R {
        let dispatcher = OutboxDispatcher(
            stores: stores, publisher: publisher, settings: settings, time: time, logger: quiet, onBehind: onBehind)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await dispatcher.run() }
            let result = try await body(dispatcher)
            group.cancelAll()
            return result
        }
    }

    struct TookTooLong: Error {}

    /// Returns when the condition holds; looks now and after the dispatcher's turns.
    ///
    /// - Throws: ``TookTooLong`` when it does not within a minute of real time.
    func until(
        _ dispatcher: OutboxDispatcher, _ condition: @escaping @Sendable () async throws -> Bool
    ) async throws {
        let turnEnds = await dispatcher.turnEnds()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                if try await condition() { return }
                for await _ in turnEnds where try await condition() { return }
            }
            group.addTask {
                try await SystemTime().sleep(for: .seconds(60))
                throw TookTooLong()
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Returns when everything of the user is confirmed.
    func drained(_ user: UserID, _ dispatcher: OutboxDispatcher) async throws {
        try await until(dispatcher) { try await self.state(user).outboxDepth == 0 }
    }
}

extension DispatchSettings {
    static var test: DispatchSettings {
        var settings = DispatchSettings()
        settings.sweepIntervalMilliseconds = nil
        return settings
    }
}
