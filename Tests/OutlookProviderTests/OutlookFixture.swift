import HTTPTransport
import Logging
import MailModel
import MailStore
import MailTestSupport
import ProviderEmulator
import Testing

@testable import MailSync
@testable import OutlookProvider

/// The emulator with one mailbox, a real store, and passes over the one into the other.
struct OutlookFixture {
    static let address = "Ann@Example.net"

    let emulator: ProviderEmulator
    let provider: OutlookProvider
    let tokens: GrantTokens
    let budget = RecordingBudget()
    let time: InstantTime
    let since: UnixSeconds?
    let stores: UserStores
    let key: AccountKey
    private let directory: TemporaryDirectory

    var graph: MicrosoftEmulator { emulator.microsoft }

    struct Options {
        var messages = 0
        var since: UnixSeconds?
        var emulator = EmulatorConfiguration()
        var outlook = OutlookConfiguration()
    }

    static func run(
        _ adjust: (inout Options) -> Void = { _ in }, _ body: (OutlookFixture) async throws -> Void
    ) async throws {
        var options = Options()
        adjust(&options)
        let logger = Logger(label: "outlook-tests") { _ in SwiftLogNoOpLogHandler() }
        let emulator = try await ProviderEmulator.start(options.emulator, logger: logger)
        let transport = HTTPTransport(logger: logger)
        do {
            try emulator.microsoft.createMailbox(address)
            let outlook = try OutlookFixture(emulator, transport, options, logger)
            for index in 0..<options.messages { try outlook.deliver("old \(index)", isRead: true) }
            try await body(outlook)
            await outlook.stores.close()
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
        let graph = emulator.microsoft
        tokens = GrantTokens(Secret(try graph.grant(Self.address).accessToken)) {
            Secret(try graph.grant(Self.address).accessToken)
        }
        time = InstantTime()
        since = options.since
        var configuration = options.outlook
        configuration.apiURL = "\(emulator.baseURL)/v1.0"
        provider = OutlookProvider(configuration: configuration, transport: transport, time: time, logger: logger)
        directory = try TemporaryDirectory("outlook")
        key = AccountKey(user: try UserID("ann"), provider: .microsoft, inbox: .primary)
        stores = UserStores(directory: "\(directory.path)/users", time: time, logger: logger)
    }

    func session() -> any MailboxSession { provider.session(since: since, tokens: tokens, budget: budget) }

    // MARK: Passes

    /// One pass with a session of its own, as after a restart of the process.
    ///
    /// - Parameters:
    ///   - slice: so many batches of a backfill, then the pass gives its place to others.
    ///   - due: only folders that are due by it are asked.
    /// - Returns: true when everything is stored; false when the slice was over.
    @discardableResult
    func pass(slice: Int = .max, due: FolderSchedule? = nil) async throws -> Bool {
        let asked = Counter()
        let context = PassContext(
            stores: stores, time: time, outboxRowsMax: 1_000_000, obstacle: { nil }, takeWake: { false },
            shouldYield: {
                asked.increment()
                return asked.current > slice
            }, committed: { _ in })
        let pass = SyncPass(account: key, session: session(), context: context, folders: due, mailboxKnown: true)
        return try await pass.run() == .caughtUp
    }

    /// Passes until one succeeds; each failure must be one that is tried again.
    func settle(_ location: SourceLocation = #_sourceLocation) async throws {
        for _ in 0..<40 {
            do {
                if try await pass() { return }
            } catch let failure as SyncFailure {
                guard case .retry = failure.decision else { throw failure }
            }
        }
        Issue.record("no pass succeeds", sourceLocation: location)
    }

    /// What kept a pass from succeeding.
    func failure(_ location: SourceLocation = #_sourceLocation) async throws -> SyncFailure? {
        do {
            try await pass()
            Issue.record("expected a failure", sourceLocation: location)
            return nil
        } catch let failure as SyncFailure {
            return failure
        }
    }

    /// The lines of the events that a pass adds, in order; `account.*` left out.
    func news(due: FolderSchedule? = nil, _ body: () throws -> Void = {}) async throws -> [String] {
        let seq = try await lastSeq()
        try body()
        try await pass(due: due)
        return try await lines(after: seq)
    }

    // MARK: What the store has

    func read<R: Sendable>(_ body: @Sendable (StoreReader) throws -> R) async throws -> R {
        try await stores.use(key.user) { try await $0.read(body) }
    }

    func state() async throws -> AccountSync {
        let state = try await read { [key] in try $0.account(key) }
        return try #require(state)
    }
    func events(after seq: Int64 = 0) async throws -> [MailEvent] {
        try await read { try $0.events(after: seq, limit: 1_000_000) }
    }
    func lastSeq() async throws -> Int64 { try await read { try $0.dispatch().lastSeq } }
    func lines(after seq: Int64 = 0) async throws -> [String] { try await events(after: seq).compactMap(\.line) }
    func position() async throws -> OutlookCursor { try OutlookCursor(try await state().cursor) }
    func pending() async throws -> [String] {
        try await read { [key] in try $0.pendingRemovals(key, after: nil, limit: 1000) }
    }

    // MARK: The mailbox

    @discardableResult
    func deliver(_ subject: String = "Hello", to folder: String = "inbox", isRead: Bool = false) throws -> String {
        let text =
            "From: Bob <bob@example.org>\r\nTo: ann@example.net\r\nSubject: \(subject)\r\n"
            + "Message-ID: <\(subject.hashValue)@example.org>\r\n\r\nHi & bye\r\n"
        return try graph.deliver(Array(text.utf8), to: Self.address, folder: folder, .init(isRead: isRead))
    }

    func move(_ id: String, to folder: String) throws { try graph.move(id, to: folder, in: Self.address) }
    func delete(_ id: String) throws { try graph.delete(id, in: Self.address) }

    func calls(_ method: GraphMethod) -> Int { graph.stats.requests[method.rawValue] ?? 0 }
    func fault(_ method: GraphMethod, match: String? = nil, skip: Int = 0, times: Int? = 1, _ response: FaultResponse) {
        graph.faults.add(Fault(.graph(method), match: match, skip: skip, times: times, response))
    }

    /// Every message in scope was received once and has its labels, and what is gone is gone.
    func expectInStep(_ comment: Comment? = nil, _ location: SourceLocation = #_sourceLocation) async throws {
        let truth = try graph.snapshot(Self.address).filter { $0.value.isInTree }
        let scope = truth.filter {
            Set($0.value.labels).isDisjoint(with: ["TRASH", "SPAM", "DRAFT"]) && $0.value.receivedAt >= since ?? .min
        }
        let stored = try await read { [key] in try $0.present(key, after: nil, limit: 1_000_000) }
        let present = Set(stored.map(\.id))
        let received = try await events().compactMap { event in
            if case .received(let message) = event.body { message.id } else { nil }
        }
        #expect(Set(scope.keys).subtracting(present).isEmpty, "missing messages", sourceLocation: location)
        #expect(present.subtracting(truth.keys).isEmpty, "ghosts", sourceLocation: location)
        #expect(Set(received).count == received.count, "received twice", sourceLocation: location)
        for state in stored {
            #expect(state.labels == truth[state.id]?.labels, comment, sourceLocation: location)
            #expect(state.folder == truth[state.id]?.folderID, comment, sourceLocation: location)
        }
        #expect(try await pending().isEmpty, "removals are settled", sourceLocation: location)
    }
}

extension MailEvent {
    /// What happened to a message, in one line; nil for events of the account.
    var line: String? {
        switch body {
        case .received(let message): "received \(message.id)"
        case .updated(let update):
            "updated \(update.id) +\(update.added.joined(separator: ",")) -\(update.removed.joined(separator: ","))"
                + (update.restored ? " restored" : "")
        case .deleted(let id, _): "deleted \(id)"
        case .account: nil
        }
    }
}
