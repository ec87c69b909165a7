import EventAudit
import Logging
import MailDispatch
import MailModel
import MailStore
import MailSync

/// Verifies users, one at a time: proves that log, current state, counters, outbox, stream and provider agree, and heals
/// what does not.
actor Verifier {
    /// How long sending lost events again is waited for. A server that remembers them, because they were published
    /// within the duplicate window, takes them afterwards.
    private static let resendPatience: Duration = .seconds(15)
    private static let resendPoll: Duration = .milliseconds(250)

    let stores: UserStores
    private let manager: SyncManager?
    private let dispatcher: OutboxDispatcher?
    private let stream: @Sendable () async throws -> StreamAccess
    private let configuration: ServiceConfiguration
    private let time: any TimeSource
    private let logger: Logger
    private var isBusy = false
    private var waiting: [(id: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    private var lastWaiting = 0

    /// - Parameter running: nil when no service runs: then nobody asks providers, or sends lost events again.
    init(
        stores: UserStores, running: (manager: SyncManager, dispatcher: OutboxDispatcher)?,
        stream: @escaping @Sendable () async throws -> StreamAccess, configuration: ServiceConfiguration,
        time: any TimeSource, logger: Logger
    ) {
        self.stores = stores
        manager = running?.manager
        dispatcher = running?.dispatcher
        self.stream = stream
        self.configuration = configuration
        self.time = time
        self.logger = logger
    }

    /// Verifies one user, after those who came before.
    ///
    /// - Parameter report: gets every difference as it is found.
    /// - Returns: nil when the user has no store.
    /// - Throws: `StoreFailure`, `CancellationError`, or what `report` throws.
    func verify(
        _ user: UserID, _ options: VerificationOptions,
        report: @escaping @Sendable (Difference) async throws -> Void = { _ in }
    ) async throws -> Verification? {
        try await begin()
        defer { end() }
        try Task.checkCancellation()
        guard try await stores.useExisting(user, { _ in true }) != nil else { return nil }
        var verification = Verification(user: user)
        let accounts = try await read(user) { try $0.accounts() }
        if accounts.contains(where: { $0.status == .behindStream }) {
            verification.unchecked.append("the store is behind the stream: it is to be caught up first")
            return verification
        }
        var found = try await look(user, &verification, report)
        verification.found = found.counts
        verification.left = found.counts
        if options.againstProvider {
            let keys = (options.accounts ?? accounts.map(\.key)).filter { $0.user == user }
            let heals = options.repairs && !found.damageLog
            for key in keys { try await compare(key, heals: heals, &verification, report) }
        }
        guard options.repairs, found.kept.contains(where: \.kind.isHealable) else { return verification }
        try await heal(found.kept, of: user)
        let providerLeft = verification.left.filter { found.counts[$0.key] == nil }
        found = try await look(user, &verification) { _ in }
        verification.left = found.counts.merging(providerLeft) { $0 + $1 }
        return verification
    }

    // MARK: one at a time

    /// - Throws: `CancellationError` when the caller waits no more.
    private func begin() async throws {
        guard isBusy else {
            isBusy = true
            return
        }
        lastWaiting += 1
        let id = lastWaiting
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
                waiting.append((id, continuation))
            }
        } onCancel: {
            // owner: nobody; it ends by itself at once.
            Task { await self.leave(id) }
        }
    }

    private func leave(_ id: Int) {
        guard let index = waiting.firstIndex(where: { $0.id == id }) else { return }
        waiting.remove(at: index).continuation.resume(throwing: CancellationError())
    }

    private func end() {
        guard !waiting.isEmpty else {
            isBusy = false
            return
        }
        // It stays busy: the place is handed over.
        waiting.removeFirst().continuation.resume()
    }

    // MARK: looking

    /// Looks at everything but the provider.
    private func look(
        _ user: UserID, _ verification: inout Verification,
        _ report: @escaping @Sendable (Difference) async throws -> Void
    ) async throws -> FoundDifferences {
        let log = DifferenceLog(report)
        verification.unchecked = verification.unchecked.filter { !$0.hasPrefix(Self.streamLabel) }
        verification.gaps = 0
        verification.givenUp = 0
        verification.expired = 0
        verification.resending = 0
        try await StoreCheck(user: user, stores: stores, report: log.add).run(&verification)
        do {
            let check = StreamCheck(
                user: user, stores: stores, access: try await stream(), streamName: configuration.stream.name,
                streamMaxAgeSeconds: configuration.stream.maxAge.milliseconds / 1000, time: time, logger: logger,
                report: log.add)
            try await check.run(&verification)
        } catch let failure as PublisherUnavailable {
            verification.unchecked.append("\(Self.streamLabel): \(failure)")
        }
        return await log.found
    }

    private static let streamLabel = "stream"

    private func compare(
        _ key: AccountKey, heals: Bool, _ verification: inout Verification,
        _ report: @escaping @Sendable (Difference) async throws -> Void
    ) async throws {
        guard let manager else {
            verification.unchecked.append("\(key): only a running service asks providers")
            return
        }
        let findings: MailboxFindings
        do {
            findings = try await manager.compare(key, heals: heals)
        } catch let reason as CannotCompare {
            verification.unchecked.append("\(key): \(reason)")
            return
        }
        verification.listed += findings.listed
        if findings.isCut {
            verification.unchecked.append("\(key): more differences than one look takes: verify again")
        }
        let kinds: [(DifferenceKind, [String])] = [
            (.providerMissing, findings.missing), (.providerGone, findings.gone),
            (.providerUnreadable, findings.unreadable),
        ]
        for (kind, ids) in kinds where !ids.isEmpty {
            verification.found[kind.rawValue, default: 0] += ids.count
            if !heals { verification.left[kind.rawValue, default: 0] += ids.count }
            for id in ids { try await report(Difference(kind, account: key, message: id)) }
        }
    }

    // MARK: healing

    private func heal(_ differences: [Difference], of user: UserID) async throws {
        let now = time.now()
        for slice in differences.filter(\.kind.isHealable).slices(of: 500) {
            try await stores.use(user) { store in
                try await store.write { try Self.heal(slice, $0, at: now) }
            }
        }
        // Last: the others change what is counted.
        let accounts = Set(differences.filter { $0.kind == .counter }.compactMap(\.account))
        try await stores.use(user) { store in
            try await store.write { transaction in
                for account in accounts { try transaction.recount(account, at: now) }
            }
        }
        dispatcher?.wake(user)
        if differences.contains(where: { $0.kind == .streamMissing }) { try await waitForResends(of: user) }
    }

    private static func heal(_ differences: [Difference], _ store: StoreTransaction, at now: UnixSeconds) throws {
        var outbox: [Int64] = []
        for difference in differences {
            guard let seq = difference.seq else { continue }
            switch difference.kind {
            case .stateDiffers, .stateMissing: _ = try store.deriveState(seq: seq)
            case .stateWithoutMessage: try store.dropState(seq: seq)
            case .outboxMissing, .outboxDiffers, .outboxSuperfluous: outbox.append(seq)
            case .streamMissing: try store.requestResend(seq: seq, at: now)
            default: break
            }
        }
        if !outbox.isEmpty { try store.restoreOutboxRows(outbox, at: now) }
    }

    /// Returns when nothing waits to be sent again, or after a while: what waits is sent in any case.
    private func waitForResends(of user: UserID) async throws {
        guard dispatcher != nil else { return }
        let deadline = time.nowMilliseconds() + Self.resendPatience.milliseconds
        while time.nowMilliseconds() < deadline, try await !read(user, { try $0.waitingResends(limit: 1) }).isEmpty {
            dispatcher?.wake(user)
            try await time.sleep(for: Self.resendPoll)
        }
    }

    private func read<R: Sendable>(
        _ user: UserID, _ body: @escaping @Sendable (StoreReader) throws -> R
    ) async throws -> R {
        try await stores.use(user) { try await $0.read(body) }
    }
}

/// Collects differences and passes them on.
private actor DifferenceLog {
    private(set) var found = FoundDifferences()
    private let report: @Sendable (Difference) async throws -> Void

    init(_ report: @escaping @Sendable (Difference) async throws -> Void) { self.report = report }

    func add(_ differences: [Difference]) async throws {
        found.add(differences)
        for difference in differences { try await report(difference) }
    }
}

extension Array {
    fileprivate func slices(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
