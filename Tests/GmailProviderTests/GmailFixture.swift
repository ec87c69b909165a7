import Foundation
import HTTPTransport
import Logging
import MailModel
import MailTestSupport
import ProviderEmulator
import Synchronization
import Testing

@testable import GmailProvider

/// The emulator with one mailbox, and a session on it that fills a store.
struct GmailFixture {
    static let address = "Ann@Example.net"

    let emulator: ProviderEmulator
    let provider: GmailProvider
    let tokens: GrantTokens
    let budget = RecordingBudget()
    let store = MemoryStore()
    let time: InstantTime
    let since: UnixSeconds?
    let session: any MailboxSession

    var google: GoogleEmulator { emulator.google }

    struct Options {
        var messages = 0
        var since: UnixSeconds?
        var scopes = [GmailScope.readonly]
        var emulator = EmulatorConfiguration()
        var gmail = GmailConfiguration()
    }

    static func run(
        _ adjust: (inout Options) -> Void = { _ in }, _ body: (GmailFixture) async throws -> Void
    ) async throws {
        var options = Options()
        adjust(&options)
        let logger = Logger(label: "gmail-tests") { _ in SwiftLogNoOpLogHandler() }
        let emulator = try await ProviderEmulator.start(options.emulator, logger: logger)
        let transport = HTTPTransport(logger: logger)
        do {
            try emulator.google.createMailbox(address)
            if options.messages > 0 {
                let generator = MailboxGenerator(seed: 7, address: address, count: options.messages)
                try emulator.google.load(generator, into: address)
            }
            try await body(try GmailFixture(emulator, transport, options, logger))
        } catch {
            await transport.shutdown()
            await emulator.shutdown()
            throw error
        }
        await transport.shutdown()
        await emulator.shutdown()
    }

    private init(
        _ emulator: ProviderEmulator, _ transport: HTTPTransport, _ options: Options, _ logger: Logger
    ) throws {
        self.emulator = emulator
        let google = emulator.google
        let scopes = options.scopes
        tokens = GrantTokens(Secret(try google.grant(Self.address, scopes: scopes).accessToken)) {
            Secret(try google.grant(Self.address, scopes: scopes).accessToken)
        }
        time = InstantTime()
        since = options.since
        var configuration = options.gmail
        configuration.apiURL = emulator.baseURL
        provider = GmailProvider(configuration: configuration, transport: transport, time: time, logger: logger)
        session = provider.session(since: since, tokens: tokens, budget: budget)
    }

    /// Another session on the same mailbox, as after a restart.
    func newSession() -> any MailboxSession { provider.session(since: since, tokens: tokens, budget: budget) }

    // MARK: Doing what the sync manager does

    func connect() async throws { await store.follow(try await session.profile()) }

    /// Reads changes until there are no more.
    @discardableResult
    func catchUp(_ session: (any MailboxSession)? = nil) async throws -> [ChangeBatch] {
        var batches: [ChangeBatch] = []
        repeat {
            batches.append(try await (session ?? self.session).changes(since: store.cursor, known: store))
            await store.apply(batches[batches.count - 1])
            try #require(batches.count < 1000, "changes do not come to an end")
        } while batches[batches.count - 1].more
        return batches
    }

    @discardableResult
    func backfillOnce(_ session: (any MailboxSession)? = nil) async throws -> ChangeBatch {
        let batch = try await (session ?? self.session).backfill(from: store.cursor, known: store)
        await store.apply(batch)
        return batch
    }

    @discardableResult
    func backfillAll(_ session: (any MailboxSession)? = nil) async throws -> [ChangeBatch] {
        var batches: [ChangeBatch] = []
        while await store.phase != .live {
            batches.append(try await backfillOnce(session))
            try #require(batches.count < 1000, "the backfill does not come to an end")
        }
        return batches
    }

    @discardableResult
    func repairAll() async throws -> [ChangeBatch] {
        var batches: [ChangeBatch] = []
        repeat {
            batches.append(try await session.repair(from: store.cursor, known: store))
            await store.apply(batches[batches.count - 1])
            try #require(batches.count < 1000, "the repair does not come to an end")
        } while batches[batches.count - 1].more
        return batches
    }

    // MARK: Comparing

    /// What is in scope at the provider.
    func expected() throws -> [String: MessageTruth] {
        try google.snapshot(Self.address).filter { _, truth in
            GmailNormalizer.outOfScopeLabels.isDisjoint(with: truth.labels) && truth.internalDate >= since ?? .min
        }
    }

    /// Every message in scope is stored once with its labels, and nothing exists in the store that does not exist at
    /// the provider.
    func expectInStep(_ location: SourceLocation = #_sourceLocation) async throws {
        let truth = try google.snapshot(Self.address)
        let expected = try expected()
        let stored = await store.messages
        let present = await store.present
        let received = await store.receivedIDs
        #expect(Set(expected.keys).subtracting(present).isEmpty, "missing messages", sourceLocation: location)
        #expect(present.subtracting(truth.keys).isEmpty, "ghosts", sourceLocation: location)
        #expect(Set(received).count == received.count, "received twice", sourceLocation: location)
        for id in present {
            #expect(stored[id]?.labels == truth[id]?.labels.sorted(), "labels of \(id)", sourceLocation: location)
        }
    }

    @discardableResult
    func deliver(
        _ subject: String = "Hello", labels: [String] = ["INBOX", "UNREAD"], notFoundTimes: Int = 0
    ) throws -> String {
        let text = "From: Bob <bob@example.org>\r\nTo: ann@example.net\r\nSubject: \(subject)\r\n\r\nHi & bye\r\n"
        return try google.deliver(
            Array(text.utf8), to: Self.address, labels: labels, notFoundTimes: notFoundTimes)
    }

    /// Calls of a method so far.
    func calls(_ method: GmailMethod) -> Int { google.stats.requests[method.rawValue] ?? 0 }
    var batchCalls: Int { google.stats.requests["batch"] ?? 0 }

    /// The decision of the failure that `body` must throw.
    func failure(_ location: SourceLocation = #_sourceLocation, _ body: () async throws -> Void) async -> SyncFailure? {
        do {
            try await body()
            Issue.record("expected a failure", sourceLocation: location)
            return nil
        } catch let failure as SyncFailure {
            return failure
        } catch {
            Issue.record("expected a SyncFailure, not \(error)", sourceLocation: location)
            return nil
        }
    }
}
