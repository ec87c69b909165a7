import Accounts
import HTTPTransport
import Logging
import MailModel
import MailStore
import MailTestSupport
import Synchronization
import Testing

@testable import MailSync

/// One account with a real store and a real token vault, whose passes a case runs one by one.
struct ConformanceRun {
    let mailbox: any MailboxUnderTest
    let account: AccountKey
    /// Only mail dated at or after this is followed.
    let since: UnixSeconds?
    let stores: UserStores
    private let vault: TokenVault
    let tokens: TokenSource
    let budget = RecordingBudget()
    private let directory: TemporaryDirectory
    private let logger = Logger(label: "conformance") { _ in SwiftLogNoOpLogHandler() }

    /// Runs a case on a fresh mailbox of the adapter.
    static func on(
        _ adapter: Adapter, since: UnixSeconds? = nil, _ body: (ConformanceRun) async throws -> Void
    ) async throws {
        let mailbox = try await adapter.open()
        do {
            let run = try ConformanceRun(mailbox, since: since)
            try await run.connect()
            try await body(run)
            await run.tokens.settle()
            await run.stores.close()
            try await run.vault.close()
        } catch {
            await mailbox.close()
            throw error
        }
        await mailbox.close()
    }

    private init(_ mailbox: any MailboxUnderTest, since: UnixSeconds?) throws {
        self.mailbox = mailbox
        self.since = since
        directory = try TemporaryDirectory("conformance")
        account = AccountKey(user: try UserID("ann"), provider: mailbox.provider.kind, inbox: .primary)
        stores = UserStores(directory: "\(directory.path)/users", time: conformanceTime, logger: logger)
        vault = try TokenVault(
            path: "\(directory.path)/auth.db",
            keys: EncryptionKeys(parsing: String(repeating: "0123456789abcdef", count: 4)))
        tokens = TokenSource(vault: vault, clients: [mailbox.client], time: conformanceTime)
    }

    func connect(_ grant: OAuthTokens? = nil) async throws {
        try await vault.connect(
            account, tokens: try grant ?? mailbox.grant(), since: nil, at: conformanceTime.now())
    }

    // MARK: Passes

    /// One pass with a session of its own, as after a restart of the process.
    ///
    /// - Parameter slice: so many batches of a backfill, then the pass gives its place to others.
    @discardableResult
    func pass(slice: Int = .max, checksMailbox: Bool = false) async throws -> PassResult {
        let session = try await session()
        let asked = Counter()
        let context = PassContext(
            stores: stores, time: conformanceTime, outboxRowsMax: 1_000_000, obstacle: { nil }, takeWake: { false },
            shouldYield: {
                asked.increment()
                return asked.current > slice
            }, committed: { _ in })
        return try await SyncPass(
            account: account, session: session, context: context, mailboxKnown: !checksMailbox
        ).run()
    }

    /// Passes until one succeeds; each failure must be one that is tried again.
    func settle(_ location: SourceLocation = #_sourceLocation) async throws {
        for _ in 0..<40 {
            do {
                guard try await pass() != .caughtUp else { return }
            } catch let failure as SyncFailure {
                guard case .retry(let after, _) = failure.decision else { throw failure }
                conformanceTime.advance(by: after ?? .seconds(1))
            }
        }
        Issue.record("no pass succeeds", sourceLocation: location)
    }

    /// The failure that a pass must end with.
    func failure(_ location: SourceLocation = #_sourceLocation) async throws -> SyncFailure? {
        do {
            _ = try await pass()
            Issue.record("the pass succeeded", sourceLocation: location)
            return nil
        } catch let failure as SyncFailure {
            return failure
        }
    }

    // MARK: What came of it

    func state() async throws -> AccountSync {
        try await stores.use(account.user) { [account] store in
            try #require(try await store.read { try $0.account(account) })
        }
    }

    /// Events of mail after this number.
    func events(after seq: Int64 = 0) async throws -> [MailEvent] {
        try await stores.use(account.user) { store in
            try await store.read { try $0.events(after: seq, limit: 1_000_000) }
        }.filter { if case .account = $0.body { false } else { true } }
    }

    func lastSeq() async throws -> Int64 {
        try await stores.use(account.user) { store in try await store.read { try $0.dispatch().lastSeq } }
    }

    private func present() async throws -> [String: [String]] {
        let states = try await stores.use(account.user) { [account] store in
            try await store.read { try $0.present(account, after: nil, limit: 1_000_000) }
        }
        return Dictionary(uniqueKeysWithValues: states.map { ($0.id, $0.labels) })
    }

    /// Every message in scope is stored once with its labels; nothing that is gone exists in the store.
    func expectInStep(_ about: Comment? = nil, _ location: SourceLocation = #_sourceLocation) async throws {
        let truth = try mailbox.truth()
        let present = try await present()
        let received = try await events().compactMap { event in
            if case .received(let message) = event.body { message.id } else { nil }
        }
        let missing = try mailbox.inScope().subtracting(present.keys)
        #expect(missing.isEmpty, about, sourceLocation: location)
        #expect(Set(present.keys).subtracting(truth.keys).isEmpty, "ghosts", sourceLocation: location)
        #expect(Set(received).count == received.count, "received twice", sourceLocation: location)
        for (id, labels) in present {
            #expect(labels == (truth[id] ?? []).sorted(), "labels of \(id)", sourceLocation: location)
        }
    }
}

extension MailEvent {
    /// What happened to which message.
    var kindAndID: String {
        switch body {
        case .received(let message): "received \(message.id)"
        case .updated(let update): update.restored ? "restored \(update.id)" : "updated \(update.id)"
        case .deleted(let id, _): "deleted \(id)"
        case .account(let event): event.kind
        }
    }
}
