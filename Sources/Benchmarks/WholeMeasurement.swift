import Logging
import MailModel
import MailStore

/// (b): a backfill from the emulator over HTTP, through adapter, store and dispatcher, to the stream.
struct WholeMeasurement: Sendable {
    let material: Material
    let directory: String
    let logger: Logger

    func run() async throws -> RunResult {
        let accounts = BenchmarkAccount.all(material.workload.accounts)
        let events = try await expectedEvents(accounts)
        let emulator = try await EmulatorProcess.start(material.workload)
        let pipeline = try await Pipeline.start(directory, expecting: events, logger: logger)
        let sync = try SyncUnderTest(directory, emulator: emulator, stores: pipeline.stores, logger: logger) {
            pipeline.dispatcher.wake($0)
        }
        let measurement = try await Pipeline.drive([
            { await pipeline.dispatcher.run() }, { try await sync.manager.run() },
        ]) {
            let meter = CostMeter()
            try await sync.connect(accounts)
            try await pipeline.waitUntilAllConfirmed(accounts.map(\.user))
            return meter.measurement(messages: events)
        }
        try await sync.close()
        await pipeline.close()
        await emulator.end()
        return measurement
    }

    /// The same mailboxes make as many events as the material has.
    private func expectedEvents(_ accounts: [BenchmarkAccount]) async throws -> Int {
        let stores = UserStores(directory: material.directory + "/users", time: SystemTime(), logger: logger)
        var events = 0
        for account in accounts {
            events +=
                try await stores.useExisting(account.user) { store in
                    try await store.read { Int(try $0.dispatch().lastSeq) }
                } ?? 0
        }
        await stores.close()
        return events
    }
}
