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

    func run() async throws -> Measurement {
        let mailboxes = try await material.mailboxes(batchOf: Self.batchSize, logger: logger)
        let events = mailboxes.reduce(0) { $0 + $1.events }
        let pipeline = try await Pipeline.start(directory, expecting: events, logger: logger)
        let measurement = try await Measurement.take {
            let seconds = try await Pipeline.drive([{ await pipeline.dispatcher.run() }]) {
                let began = ContinuousClock.now
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for mailbox in mailboxes { group.addTask { try await Self.store(mailbox, pipeline) } }
                    try await group.waitForAll()
                }
                try await pipeline.waitUntilAllConfirmed(mailboxes.map(\.account.user))
                return (ContinuousClock.now - began).inSeconds
            }
            return (events, seconds)
        }
        await pipeline.close()
        return measurement
    }

    /// Applies a mailbox's batches one after the other, as a pass does.
    private static func store(_ mailbox: Material.Mailbox, _ pipeline: Pipeline) async throws {
        let (key, time) = (mailbox.account.key, SystemTime())
        try await pipeline.stores.use(key.user) { store in
            try await store.write { transaction in
                try transaction.follow(
                    key, mailbox: mailbox.identity, cursor: Cursor("0"), estimatedTotal: mailbox.events, at: time.now())
            }
        }
        for batch in mailbox.batches {
            try await pipeline.stores.use(key.user) { store in
                try await store.write { transaction in
                    _ = try transaction.apply(batch, to: key, at: time.now())
                }
            }
            pipeline.dispatcher.wake(key.user)
        }
    }
}
