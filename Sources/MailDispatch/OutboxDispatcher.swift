import Logging
import MailModel
import MailStore
import ServiceLifecycle
import Synchronization

/// Publishes what the outboxes hold: the only one that does, one for the process. Each user's events go out in order,
/// one at a time; users do not wait for each other.
///
/// Whoever commits events calls ``wake(_:)``. Rows found at the start, or after a lost connection, may have been sent
/// before: the stream is asked for the user's last message before anything is sent.
public actor OutboxDispatcher: Service {
    private let stores: UserStores
    private let publisher: any EventPublisher
    private let settings: DispatchSettings
    private let time: any TimeSource
    private let logger: Logger
    private let onBehind: @Sendable (UserID) async -> Void
    private let inbox = WakeInbox()
    private let counters: DispatchCounters
    private var schedule = DispatchSchedule()
    private var gate = StreamGate()
    private var dispatches: [UserID: UserDispatch] = [:]
    /// What the run loop starts when it looks next.
    private var chores: [Chore] = []
    private var drained: [CheckedContinuation<Void, Never>] = []
    /// Who waits for the end of a user's turn.
    private var turnWaiters: [UserID: [CheckedContinuation<Void, Never>]] = [:]
    private var turnWatchers: [AsyncStream<Void>.Continuation] = []

    private enum Chore: Sendable {
        case probe(afterMilliseconds: Int64, ticket: Int)
        case release(UserID, afterMilliseconds: Int64)
        case sweep(thorough: Bool)
        case tellBehind(UserID)
    }

    /// - Parameters:
    ///   - onBehind: called when the stream holds events of a user that the store does not have; the user's accounts
    ///     already have the status `STORE_BEHIND_STREAM`. Syncing for the user must stop.
    public init(
        stores: UserStores, publisher: any EventPublisher, settings: DispatchSettings = DispatchSettings(),
        time: any TimeSource, logger: Logger, onBehind: @escaping @Sendable (UserID) async -> Void = { _ in }
    ) {
        self.stores = stores
        self.publisher = publisher
        self.settings = settings
        self.time = time
        self.logger = logger
        self.onBehind = onBehind
        counters = DispatchCounters(latenciesKept: settings.latenciesKept)
    }

    /// The user's outbox may have new rows. Cheap; may be called from anywhere, also before ``run()``.
    public nonisolated func wake(_ user: UserID) { inbox.add(user) }

    /// Nothing of the user is published from here on, until ``release(_:)``. Returns when the turn under way has ended.
    public func hold(_ user: UserID) async {
        inbox.hold(user)
        guard schedule.isActive(user) else { return }
        await withCheckedContinuation { turnWaiters[user, default: []].append($0) }
    }

    /// Publishing for the user goes on, with a look at what the stream holds.
    public func release(_ user: UserID) {
        var dispatch = UserDispatch(settings: settings)
        dispatch.forget()
        dispatches[user] = dispatch
        inbox.release(user)
    }

    /// How publishing is doing now.
    public func metrics() -> DispatchMetrics {
        var metrics = counters.update { values in
            var metrics = values.metrics
            metrics.oldestUnpublishedAt = values.oldest.values.min()
            metrics.deadLetters = values.deadLetters.count
            metrics.behind = values.behind.count
            metrics.latencyMedianMilliseconds = values.latencies.percentile(0.5)
            metrics.latency99thPercentileMilliseconds = values.latencies.percentile(0.99)
            return metrics
        }
        metrics.state = gate.state
        metrics.usersActive = schedule.activeCount
        metrics.usersReady = schedule.readyCount
        metrics.usersWaiting = schedule.delayedCount
        return metrics
    }

    /// Publishes until the task is cancelled or a graceful shutdown begins; then what is in flight is finished and
    /// written, within `stopMillisecondsMax`.
    public func run() async {
        await withGracefulShutdownHandler {
            await serve()
        } onGracefulShutdown: { [inbox] in
            inbox.stop()
        }
    }

    /// Yields after turns ended, once for several. For tests: a signal in place of a sleep.
    func turnEnds() -> AsyncStream<Void> {
        let (stream, watcher) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        turnWatchers.append(watcher)
        return stream
    }

    // MARK: The run loop

    private func serve() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watchConnections() }
            group.addTask { await self.wakeLeftovers() }
            group.addTask { await self.sweepNowAndThen() }
            for await _ in inbox.signals {
                for user in inbox.take() { schedule.wake(user) }
                if inbox.isStopping { break }
                startChores(in: &group)
                startTurns(in: &group)
            }
            inbox.stop()
            resumeDrained()
            await finishTurns(in: &group)
            group.cancelAll()
        }
    }

    private func startTurns(in group: inout DiscardingTaskGroup) {
        while let pass = gate.pass, let user = schedule.take(max: settings.usersAtOnceMax) {
            if inbox.isHeld(user) {
                schedule.finish(user, more: false)
                continue
            }
            let dispatch = dispatches[user] ?? UserDispatch(settings: settings)
            group.addTask { await self.runTurn(user, dispatch, pass) }
        }
        if schedule.readyCount == 0 { resumeDrained() }
    }

    private func resumeDrained() {
        for waiter in drained { waiter.resume() }
        drained = []
    }

    private func startChores(in group: inout DiscardingTaskGroup) {
        for chore in chores { group.addTask { await self.run(chore) } }
        chores = []
    }

    /// Waits until the turns in progress have ended (they stop before their next message), or the time is up.
    private func finishTurns(in group: inout DiscardingTaskGroup) async {
        guard schedule.activeCount > 0, !Task.isCancelled else { return }
        group.addTask { [time, settings, inbox] in
            // Cancelled when the turns ended in time.
            try? await time.sleep(for: .milliseconds(settings.stopMillisecondsMax))
            inbox.giveUp()
        }
        for await _ in inbox.signals where schedule.activeCount == 0 || inbox.hasGivenUp { break }
        if schedule.activeCount > 0 {
            logger.warning("stopping with messages in flight", metadata: ["users": "\(schedule.activeCount)"])
        }
    }

    private func run(_ chore: Chore) async {
        switch chore {
        case .probe(let delay, let ticket):
            guard await slept(delay), gate.isCurrent(ticket) else { return }
            await probe()
        case .release(let user, let delay):
            guard await slept(delay) else { return }
            schedule.release(user)
        case .sweep(let thorough): await sweep(thorough: thorough)
        case .tellBehind(let user): await onBehind(user)
        }
        inbox.signal()
    }

    private func slept(_ milliseconds: Int64) async -> Bool {
        guard milliseconds > 0 else { return !Task.isCancelled }
        do {
            try await time.sleep(for: .milliseconds(milliseconds))
            return true
        } catch {
            return false
        }
    }

    // MARK: Turns

    private nonisolated func runTurn(_ user: UserID, _ dispatch: UserDispatch, _ pass: StreamPass) async {
        let turn = DispatchTurn(
            user: user, publisher: publisher, counters: counters, time: time, logger: logger,
            mustStop: { [inbox, publisher] in
                inbox.isStopping || inbox.isHeld(user) || Task.isCancelled
                    || publisher.connectionEpoch != pass.connection
            })
        let quantum = settings.quantumMessages
        do {
            let result = try await stores.useExisting(user) { store in
                var dispatch = dispatch
                let end = try await turn.run(store, &dispatch, pass, budget: quantum)
                return (dispatch, end)
            }
            await ended(user, result?.0, result?.1 ?? .idle, pass)
        } catch is CancellationError {
            await ended(user, nil, .idle, pass)
        } catch {
            var forgetful = dispatch
            forgetful.forget()
            await ended(user, forgetful, .storeFailed("\(error)"), pass)
        }
    }

    private func ended(_ user: UserID, _ dispatch: UserDispatch?, _ end: TurnEnd, _ pass: StreamPass) {
        dispatches[user] = dispatch
        switch end {
        case .idle, .blocked:
            gate.stored()
            schedule.finish(user, more: false)
        case .more:
            gate.stored()
            schedule.finish(user, more: true)
        case .behind:
            chores.append(.tellBehind(user))
            schedule.finish(user, more: false)
        case .wait(let delay, let reason):
            delayTurn(user, delay)
            follow(gate.suspect(pass, reason))
        case .unavailable(let reason):
            schedule.finish(user, more: true)
            follow(gate.suspect(pass, reason))
        case .trouble(let reason):
            logger.error("the stream is in trouble: publishing pauses", metadata: ["reason": "\(reason)"])
            schedule.finish(user, more: true)
            follow(gate.trouble(pass, reason, jitter: Double.random(in: 0..<1)))
        case .forbidden(let reason):
            logger.critical("NATS forbids publishing: nothing is published", metadata: ["reason": "\(reason)"])
            schedule.finish(user, more: true)
            gate.forbidden(pass, reason)
        case .storeFailed(let reason):
            logger.error("a user's store failed", metadata: ["user": "\(user)", "reason": "\(reason)"])
            delayTurn(user, Backoff.millisecondsMax)
        }
        for waiter in turnWaiters.removeValue(forKey: user) ?? [] { waiter.resume() }
        for watcher in turnWatchers { watcher.yield() }
        inbox.signal()
    }

    private func delayTurn(_ user: UserID, _ milliseconds: Int64) {
        schedule.delay(user)
        chores.append(.release(user, afterMilliseconds: milliseconds))
    }

    // MARK: The stream

    private func watchConnections() async {
        for await connection in publisher.connections() {
            follow(gate.connected(connection))
            schedule.releaseAll()
            inbox.signal()
        }
    }

    private func follow(_ action: StreamGate.Action) {
        switch action {
        case .nothing: break
        case .probe(let delay, let ticket): chores.append(.probe(afterMilliseconds: delay, ticket: ticket))
        }
    }

    private func probe() async {
        let connection = publisher.connectionEpoch
        do {
            let stream = try await publisher.streamState()
            let acknowledged = counters.update { $0.streamSequenceMax }
            found(gate.probed(stream, on: connection, acknowledged: acknowledged), stream)
        } catch {
            follow(gate.probeFailed("\(error)", jitter: Double.random(in: 0..<1)))
        }
    }

    private func found(_ finding: StreamGate.Finding, _ stream: StreamState) {
        switch finding {
        case .asExpected, .outdated: break
        case .first: chores.append(.sweep(thorough: false))
        case .wentBack(let explanation):
            logger.critical(
                "the stream went back in time: what it lost is published again", metadata: ["reason": "\(explanation)"])
            counters.update { $0.streamSequenceMax = stream.lastSequence }
            for user in dispatches.keys { dispatches[user]?.forget() }
            chores.append(.sweep(thorough: true))
        }
    }

    // MARK: Finding users

    /// Those whose last end was not in order, or who had unpublished events then.
    private func wakeLeftovers() async {
        do {
            for user in try await stores.usersLeftDirty() { wake(user) }
        } catch {
            logger.error(
                "cannot tell which users have unpublished events: all are visited", metadata: ["error": "\(error)"])
        }
    }

    private func sweepNowAndThen() async {
        guard let interval = settings.sweepIntervalMilliseconds else { return }
        while await slept(interval) {
            // A stream that was made anew under a connection that stays tells nobody.
            if publisher.connectionEpoch > 0 { await probe() }
            await sweep(thorough: false)
        }
    }

    /// Visits every user's store, a few at a time. A thorough visit asks the stream for the user's last message even
    /// when nothing waits.
    private func sweep(thorough: Bool) async {
        do {
            let users = try await stores.users()
            for (index, user) in users.enumerated() {
                if Task.isCancelled || inbox.isStopping { return }
                if thorough { dispatches[user, default: UserDispatch(settings: settings)].forget() }
                wake(user)
                if index % Self.sweepUsersAtOnce == Self.sweepUsersAtOnce - 1 { await queueDrained() }
            }
        } catch {
            logger.error("cannot list the users' stores", metadata: ["error": "\(error)"])
        }
    }

    private static let sweepUsersAtOnce = 32

    private func queueDrained() async {
        if inbox.isStopping { return }
        await withCheckedContinuation { drained.append($0) }
    }
}
