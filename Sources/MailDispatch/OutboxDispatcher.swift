import Logging
import MailModel
import MailStore
import ServiceLifecycle
import Synchronization

/// Empties the outboxes into the stream: the only publisher there is. One message in flight per user, in `seq` order;
/// many users at once, in turn.
///
/// A commit wakes it (``wake(_:)``); it never polls files. A row is removed only after the stream acknowledged it.
public actor OutboxDispatcher: Service {
    private let settings: DispatchSettings
    private let stores: UserStores
    private let publisher: any EventPublisher
    private let markPath: String?
    private let time: any TimeSource
    private let logger: Logger
    nonisolated let counters = DispatchCounters()

    private nonisolated let woken = Mutex<Set<UserID>>([])
    private nonisolated let signal = WakeSignal()
    private nonisolated let stopping = AtomicFlag()

    private var ready = ReadyUsers()
    private var memory: [UserID: UserDispatch] = [:]
    private var pausedUntil: Int64 = 0
    private var pauses = 0
    /// The connection on which publishing was refused.
    private var forbiddenEpoch: Int?

    /// - Parameter markPath: file that keeps how the stream was last seen; nil keeps it in memory only.
    public init(
        settings: DispatchSettings = DispatchSettings(), stores: UserStores, publisher: any EventPublisher,
        markPath: String? = nil, time: any TimeSource, logger: Logger
    ) {
        self.settings = settings
        self.stores = stores
        self.publisher = publisher
        self.markPath = markPath
        self.time = time
        self.logger = logger
    }

    /// The user's store committed something. Never blocks.
    public nonisolated func wake(_ user: UserID) {
        woken.withLock { _ = $0.insert(user) }
        signal.raise()
    }

    /// The stream is known to hold later events of the user than the store.
    public nonisolated func isBehind(_ user: UserID) -> Bool { counters.change { $0.behind.contains(user) } }

    /// Asks the stream, once per connection, whether the user's store is behind it; false when it cannot be asked now.
    public func findsBehind(_ user: UserID) async -> Bool {
        let epoch = publisher.connectionEpoch
        if epoch > 0, memory[user]?.lookedAtEpoch != epoch, !ready.isActive(user) { await compareOnly(user) }
        return isBehind(user)
    }

    /// What was done since the start.
    public func report() -> DispatchReport { counters.report(usersInFlight: ready.activeCount) }

    /// Publishes until the task is cancelled or the service shuts down; then finishes what is in flight.
    public func run() async throws {
        try await wakeUsersLeftDirty()
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                await serve()
            } onCancel: {
                stopping.raise()
                signal.raise()
            }
        } onGracefulShutdown: {
            self.stopping.raise()
            self.signal.raise()
        }
    }

    private func serve() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.followConnections() }
            while !stopping.isRaised {
                takeWoken()
                startServing(in: &group)
                await signal.wait(atMost: waitTime(), time: time)
            }
            group.cancelAll()
        }
        await saveMark()
    }

    private func wakeUsersLeftDirty() async throws {
        let users = try await stores.usersLeftDirty()
        if !users.isEmpty { logger.info("unpublished events may be left", metadata: ["users": "\(users.count)"]) }
        for user in users { ready.wake(user) }
    }

    private func takeWoken() {
        let users = woken.withLock { users in
            defer { users.removeAll(keepingCapacity: true) }
            return users
        }
        for user in users { ready.wake(user) }
    }

    private func startServing(in group: inout DiscardingTaskGroup) {
        let now = time.nowMilliseconds()
        guard mayPublish(at: now) else { return }
        while ready.activeCount < settings.usersMax, let user = ready.next(at: now) {
            group.addTask { await self.serve(user) }
        }
    }

    private func mayPublish(at now: Int64) -> Bool {
        let epoch = publisher.connectionEpoch
        return epoch > 0 && now >= pausedUntil && forbiddenEpoch != epoch
    }

    private func waitTime() -> Duration? {
        let now = time.nowMilliseconds()
        if now < pausedUntil { return .milliseconds(pausedUntil - now) }
        return ready.nextDue.map { .milliseconds(max(1, $0 - now)) }
    }

    // MARK: one user

    private func serve(_ user: UserID) async {
        let serving = makeServing(user)
        do {
            let served = try await stores.useExisting(user) { store in
                var serving = serving
                let ending = try await serving.run(store)
                return (serving.dispatch, ending)
            }
            let (dispatch, ending) = served ?? (serving.dispatch, .done)
            finished(user, dispatch, ending)
        } catch {
            logger.error("a user's outbox cannot be served", metadata: ["user": "\(user)", "error": "\(error)"])
            finished(user, serving.dispatch, .retry(after: settings.longestRetry))
        }
    }

    private func makeServing(_ user: UserID) -> UserServing {
        UserServing(
            user: user, dispatch: memory[user] ?? UserDispatch(), settings: settings, publisher: publisher,
            counters: counters, time: time, logger: logger, stopping: stopping)
    }

    private func finished(_ user: UserID, _ dispatch: UserDispatch, _ ending: ServingEnding) {
        memory[user] = dispatch
        let now = time.nowMilliseconds()
        switch ending {
        case .done:
            ready.served(user, hasMore: false, retryAt: nil)
            pauses = 0
        case .more: ready.served(user, hasMore: true, retryAt: nil)
        case .retry(let delay): ready.served(user, hasMore: true, retryAt: now + delay.milliseconds)
        case .stopped: ready.served(user, hasMore: false, retryAt: nil)
        case .pauseStream(let reason):
            ready.served(user, hasMore: true, retryAt: nil)
            pause(reason, at: now)
        case .stopAll(let reason):
            ready.served(user, hasMore: true, retryAt: nil)
            forbiddenEpoch = publisher.connectionEpoch
            counters.change { $0.stoppedBecause = reason }
            logger.critical("publishing is not permitted: \(reason)")
        }
        signal.raise()
    }

    private func pause(_ reason: String, at now: Int64) {
        pauses += 1
        let delay = min(settings.longestRetry.milliseconds, 500 << min(pauses, 10))
        pausedUntil = now + delay
        counters.change { $0.stoppedBecause = reason }
        logger.error("the stream is in trouble", metadata: ["reason": "\(reason)", "pause_ms": "\(delay)"])
    }

    /// Compares stream and store without sending anything.
    private func compareOnly(_ user: UserID) async {
        let serving = makeServing(user)
        do {
            try await stores.use(user) { store in try await serving.noteIfBehind(store) }
        } catch {
            // Not knowing is answered with “not behind”: nothing is published before the comparison succeeds.
            logger.debug("store and stream not compared", metadata: ["user": "\(user)", "error": "\(error)"])
        }
    }

    // MARK: connections

    private func followConnections() async {
        for await epoch in publisher.connections() where epoch > 0 {
            await connected()
            if stopping.isRaised { return }
        }
    }

    private func connected() async {
        counters.change { $0.stoppedBecause = nil }
        forbiddenEpoch = nil
        pausedUntil = 0
        do {
            let state = try await publisher.streamState()
            if let markPath, StreamMark.load(markPath)?.wentBack(to: state) ?? false { try await wakeEverybody() }
            try await keepMark(state)
        } catch {
            logger.error("the stream's state was not compared", metadata: ["error": "\(error)"])
        }
        ready.releaseAll()
        for user in memory.keys { ready.wake(user) }
        signal.raise()
    }

    /// The stream lost something: whoever published into it is compared with it.
    private func wakeEverybody() async throws {
        let users = try await stores.users()
        logger.warning("the stream went back in time: every user is compared", metadata: ["users": "\(users.count)"])
        for user in users { ready.wake(user) }
    }

    private func keepMark(_ state: StreamState) async throws {
        guard let markPath else { return }
        try StreamMark(state).save(markPath)
    }

    private func saveMark() async {
        guard publisher.connectionEpoch > 0 else { return }
        do {
            try await keepMark(try await publisher.streamState())
        } catch {
            // The older mark stays: it only makes more users be compared at the next start.
            logger.debug("the stream's state was not kept", metadata: ["error": "\(error)"])
        }
    }
}
