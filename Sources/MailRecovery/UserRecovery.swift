import Logging
import MailModel
import MailStore
import ServiceLifecycle

/// Brings users' stores and the stream together again, one job per user at a time: fills stores that went back from the
/// stream, rebuilds them, erases accounts. While a job of a user lasts, nothing is synced or published for that user; jobs
/// that cannot go on (NATS is away) are tried again until they are done.
public actor UserRecovery: Service {
    /// Users whose jobs run at the same time; further ones wait.
    static let usersAtOnceMax = 4
    /// Between attempts.
    static let retryMillisecondsMax: Int64 = 15_000

    struct Work {
        var erasures: Set<AccountKey> = []
        var restores = false
        var rebuilds = false
        /// Finished when all of it is done.
        var waiting: [AsyncStream<Never>.Continuation] = []
    }

    let stores: UserStores
    let archive: any EventArchive
    let registry: any RecoveryRegistry
    private let supervision: any UserSupervision
    let time: any TimeSource
    let logger: Logger
    private var work: [UserID: Work] = [:]
    private var active: Set<UserID> = []
    private var order: [UserID] = []
    /// Accounts whose rows are off the disk.
    var scrubbed: Set<AccountKey> = []
    private var reports: [UserID: String] = [:]
    /// Where files went that rebuilds replaced.
    private var lastSetAside: [UserID: String] = [:]
    private let signals: AsyncStream<Void>
    private let signalling: AsyncStream<Void>.Continuation

    public init(
        stores: UserStores, archive: any EventArchive, registry: any RecoveryRegistry,
        supervision: any UserSupervision, time: any TimeSource, logger: Logger
    ) {
        self.stores = stores
        self.archive = archive
        self.registry = registry
        self.supervision = supervision
        self.time = time
        self.logger = logger
        (signals, signalling) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Erasures that an earlier run did not finish are taken up. Call before anything is synced or published.
    ///
    /// - Returns: their accounts: none of them may be synced.
    public func prepare() async throws -> [AccountKey] {
        let keys = try await registry.erasures()
        for key in keys {
            await supervision.suspend(key.user, because: Self.erasing)
            add(key.user) { $0.erasures.insert(key) }
        }
        return keys
    }

    public func run() async {
        await cancelWhenGracefulShutdown { await self.serve() }
    }

    /// The user's store is behind the stream: it is filled from it.
    public func restore(_ user: UserID) { add(user) { $0.restores = true } }

    /// Moves the user's file aside and makes a new one from the stream.
    ///
    /// - Returns: where the old file is; nil when there was none.
    public func rebuild(_ user: UserID) async -> String? {
        add(user) { $0.rebuilds = true }
        await finished(user)
        return lastSetAside.removeValue(forKey: user)
    }

    /// Erases an account that is stopped already. Durable when this returns; ``finished(_:)`` tells when it is done.
    ///
    /// - Throws: what the registry throws.
    public func erase(_ key: AccountKey) async throws {
        try await registry.addErasure(of: key)
        add(key.user) { $0.erasures.insert(key) }
    }

    /// Returns when nothing is left to do for the user, or the task is cancelled.
    public func finished(_ user: UserID) async {
        guard work[user] != nil else { return }
        let (stream, waiting) = AsyncStream<Never>.makeStream()
        work[user]?.waiting.append(waiting)
        for await _ in stream {}
    }

    /// True while something is done for the user.
    public func isBusy(_ user: UserID) -> Bool { work[user] != nil }

    /// What is being done, by user; for people.
    public var progress: [UserID: String] { reports }

    static let restoring = "the store to be filled from the stream"
    static let erasing = "an account to be erased"

    private func add(_ user: UserID, _ change: (inout Work) -> Void) {
        if work[user] == nil { order.append(user) }
        change(&work[user, default: Work()])
        signalling.yield()
    }

    // MARK: Running

    private func serve() async {
        await withDiscardingTaskGroup { group in
            for await _ in signals {
                if Task.isCancelled { break }
                while active.count < Self.usersAtOnceMax, let index = order.firstIndex(where: { !active.contains($0) })
                {
                    let user = order.remove(at: index)
                    active.insert(user)
                    group.addTask { await self.work(on: user) }
                }
            }
            group.cancelAll()
        }
        for left in work.values { for waiter in left.waiting { waiter.finish() } }
        work = [:]
    }

    private func work(on user: UserID) async {
        var attempts: Int64 = 0
        while let next = work[user], !Task.isCancelled {
            if next.erasures.isEmpty, !next.restores, !next.rebuilds { break }
            do {
                try await perform(next, of: user)
                attempts = 0
            } catch {
                attempts += 1
                await failed(user, error, attempts)
            }
        }
        guard !Task.isCancelled else { return }
        // What is asked for from here on is another round.
        let done = work.removeValue(forKey: user)
        reports[user] = nil
        await supervision.resume(user)
        active.remove(user)
        for waiter in done?.waiting ?? [] { waiter.finish() }
        signalling.yield()
    }

    private func failed(_ user: UserID, _ error: any Error, _ attempts: Int64) async {
        guard !Task.isCancelled else { return }
        logger.warning(
            "recovery of a user waits", metadata: ["user": "\(user)", "error": "\(error)", "attempts": "\(attempts)"])
        await report(user, "waits: \(error)")
        let wait = min(Self.retryMillisecondsMax, 250 << min(attempts, 10))
        // Cancelled at the end of the program, which the caller's loop sees.
        try? await time.sleep(for: .milliseconds(wait))
    }

    private func report(_ user: UserID, _ text: String) async {
        reports[user] = text
        await supervision.note(user, text)
    }

    /// The next thing to do for the user; what is done is taken off the list.
    private func perform(_ next: Work, of user: UserID) async throws {
        if next.rebuilds {
            await supervision.suspend(user, because: Self.restoring)
            lastSetAside[user] = try await setAside(user)
            work[user]?.rebuilds = false
            work[user]?.restores = true
            return
        }
        let isOld = try await needsRestoring(user)
        if next.restores || isOld {
            await supervision.suspend(user, because: Self.restoring)
            try await restoreNow(user)
            work[user]?.restores = false
        } else if let key = next.erasures.first {
            await supervision.suspend(user, because: Self.erasing)
            await report(user, Self.erasing)
            try await eraseNow(key)
            work[user]?.erasures.remove(key)
        }
    }

    private func needsRestoring(_ user: UserID) async throws -> Bool {
        try await stores.useExisting(user) { try await $0.needsRestoring() } ?? false
    }

    private func restoreNow(_ user: UserID) async throws {
        let restorer = StreamRestorer(stores: stores, archive: archive, time: time, logger: logger)
        _ = try await restorer.run(
            user, connected: try await registry.connected(user), floor: try await registry.floor(of: user)
        ) { report in
            await self.report(user, "\(Self.restoring): \(report.lastSeq) of \(report.targetSeq) events")
        }
    }
}
