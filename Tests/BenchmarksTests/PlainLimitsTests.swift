import Foundation
import Logging
import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import Benchmarks

/// The limits mean something only if the plain programs do what the service does: their files are read back with the
/// service's own store.
@Suite struct PlainLimitsTests {
    private static let messages = 250
    private let directory: TemporaryDirectory
    private let material: Material
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() async throws {
        directory = try TemporaryDirectory("plain-limits")
        let workload = Workload(accounts: 2, messagesEach: Self.messages, mbox: nil, seed: 1)
        material = Material(workload: workload, directory: directory.path + "/material")
        try await Self.fill(material, logger: logger)
    }

    @Test func theStoreLimitWritesTheSameRows() async throws {
        let measurement = try await measure(.storeLimit)
        #expect(measurement.messages == 2 * (Self.messages + 1))
        for account in BenchmarkAccount.all(2) {
            let expected = try await contents(material.directory, account)
            let written = try await contents(try adopt(account), account)
            #expect(written.events == expected.events)
            #expect(written.outbox == expected.outbox)
            #expect(written.state.lastSeq == Int64(Self.messages + 1))
            #expect(written.state.publishedSeq == 0)
            #expect(written.state.outboxDepth == expected.state.outboxDepth)
        }
    }

    @Test(.enabled(if: NatsServerKind.current.binary != nil))
    func theCombinedLimitPublishesAndConfirmsEverything() async throws {
        _ = try await measure(.combinedLimit)
        for account in BenchmarkAccount.all(2) {
            let written = try await contents(try adopt(account), account)
            #expect(written.outbox.isEmpty)
            #expect(written.events == (try await contents(material.directory, account)).events)
            #expect(written.state.publishedSeq == written.state.lastSeq)
            #expect(written.state.outboxDepth == 0)
        }
    }

    @Test func aStoreThatHasPublishedIsRefused() async throws {
        let account = BenchmarkAccount.all(1)[0]
        let stores = UserStores(directory: material.directory + "/users", time: SystemTime(), logger: logger)
        try await stores.use(account.user) { store in
            try await store.write { try $0.confirm(through: 3, streamSequence: 3, stream: nil, at: 1) }
        }
        await stores.close()
        await #expect(throws: BenchmarkFailure.self) { try await measure(.storeLimit) }
    }

    private func measure(_ figure: Figure) async throws -> RunResult {
        try FileManager.default.createDirectory(atPath: directory.path + "/run", withIntermediateDirectories: true)
        return try await LimitMeasurement(
            figure: figure, material: material, directory: directory.path + "/run", logger: logger
        ).run()
    }

    /// Puts a plain program's file where a store looks for it.
    private func adopt(_ account: BenchmarkAccount) throws -> String {
        let home = directory.path + "/adopted/users/" + account.user.encoded
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        try FileManager.default.moveItem(
            atPath: directory.path + "/run/plain-\(account.number - 1).db", toPath: home + "/events.db")
        return directory.path + "/adopted"
    }

    private struct Contents: Sendable {
        var events: [MailEvent]
        var outbox: [OutboxRow]
        var state: DispatchState
    }

    private func contents(_ root: String, _ account: BenchmarkAccount) async throws -> Contents {
        let stores = UserStores(directory: root + "/users", time: SystemTime(), logger: logger)
        let contents = try await stores.useExisting(account.user) { store in
            try await store.read { reader in
                Contents(
                    events: try reader.events(after: 0, limit: 10_000), outbox: try reader.unpublished(limit: 10_000),
                    state: try reader.dispatch())
            }
        }
        await stores.close()
        return try #require(contents)
    }

    private static func fill(_ material: Material, logger: Logger) async throws {
        let stores = UserStores(directory: material.directory + "/users", time: SystemTime(), logger: logger)
        for account in BenchmarkAccount.all(material.workload.accounts) {
            let events = (1...messages).map { number in
                MailEvent(
                    id: "", seq: 0, recordedAt: 0, account: account.key, origin: .backfill,
                    body: .received(
                        MessageMeta(
                            id: "m\(number)", threadID: "t\(number / 3)", date: 1_700_000_000,
                            subject: "Größe \(number)",
                            sender: "a@example.org", to: ["b@example.org"], labels: ["INBOX"], version: 1)))
            }
            let mailbox = Material.Mailbox(account, events, batchOf: 100)
            try await OutboxMeasurement.store(mailbox, in: stores) { _ in }
        }
        await stores.close()
    }
}
