import Logging
import MailDispatch
import MailModel
import MailStore

/// (a): batches applied to stores, and everything that follows until the stream's confirmation is recorded.
struct OutboxMeasurement: Sendable {
    let material: Material
    let directory: String
    let logger: Logger

    /// Messages per transaction, as in the design.
    static let batchSize = 100

    func run() async throws -> RunResult {
        let mailboxes = try await material.mailboxes(batchOf: Self.batchSize, logger: logger)
        let events = mailboxes.reduce(0) { $0 + $1.events }
        let pipeline = try await Pipeline.start(directory, expecting: events, logger: logger)
        let measurement = try await Pipeline.drive([{ await pipeline.dispatcher.run() }]) {
            let meter = CostMeter()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for mailbox in mailboxes { group.addTask { try await Self.store(mailbox, pipeline) } }
                try await group.waitForAll()
            }
            try await pipeline.waitUntilAllConfirmed(mailboxes.map(\.account.user))
            return meter.measurement(messages: events)
        }
        await pipeline.close()
        return measurement
    }

    /// Applies a mailbox's batches one after the other, as a pass does.
    private static func store(_ mailbox: Material.Mailbox, _ pipeline: Pipeline) async throws {
        try await store(mailbox, in: pipeline.stores) { pipeline.dispatcher.wake($0) }
    }

    static func store(
        _ mailbox: Material.Mailbox, in stores: UserStores, committed: (UserID) -> Void
    ) async throws {
        let (key, time) = (mailbox.account.key, SystemTime())
        try await stores.use(key.user) { store in
            try await store.write { transaction in
                try transaction.follow(
                    key, mailbox: mailbox.identity, cursor: Cursor("0"), estimatedTotal: mailbox.events, at: time.now())
            }
        }
        for batch in mailbox.batches {
            try await stores.use(key.user) { store in
                try await store.write { transaction in
                    _ = try transaction.apply(batch, to: key, at: time.now())
                }
            }
            committed(key.user)
        }
    }
}

/// The first part of (a) alone: batches applied to stores.
struct StoreMeasurement: Sendable {
    let material: Material
    let directory: String
    let logger: Logger

    func run() async throws -> RunResult {
        let mailboxes = try await material.mailboxes(batchOf: OutboxMeasurement.batchSize, logger: logger)
        let stores = UserStores(directory: directory + "/users", time: SystemTime(), logger: logger)
        let meter = CostMeter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for mailbox in mailboxes {
                group.addTask { try await OutboxMeasurement.store(mailbox, in: stores) { _ in } }
            }
            try await group.waitForAll()
        }
        let measurement = meter.measurement(messages: mailboxes.reduce(0) { $0 + $1.events })
        await stores.close()
        return measurement
    }
}
