import Accounts
import Logging
import MailModel
import MailStore
import ServiceLifecycle

/// Supervises one worker per connected account: schedules passes, runs them, and decides what follows from how they
/// end. Everything that makes an account sync (the interval, a person, a reconnect) only sets its worker due.
public actor SyncManager: Service {
    let settings: SyncSettings
    let stores: UserStores
    let vault: TokenVault
    let tokens: TokenSource
    let providers: [ProviderKind: any MailProvider]
    let budgets: [ProviderKind: Budgets]
    let time: any TimeSource
    let logger: Logger
    let hooks: SyncHooks
    /// What of the schedule outlives the process; nil: nothing.
    let schedules: AccountSchedules?

    var workers: [AccountKey: AccountWorker] = [:]
    /// Accounts being connected or disconnected, with who waits to do so next.
    var commands: [AccountKey: [CheckedContinuation<Void, Never>]] = [:]
    /// Users nothing is synced for, with what they wait for and the accounts that go on afterwards.
    var suspended: [UserID: Suspension] = [:]
    /// Accounts that are connected no longer, whatever the vault says: they are being erased.
    var ended: Set<AccountKey> = []
    private var schedule = Schedule()
    /// What of the schedule outlived the process before.
    var kept = AccountSchedules.Kept()
    /// When accounts were scheduled, in Unix milliseconds.
    var begunAt: Int64?
    /// When it was last noted how far everybody had their turn, in Unix milliseconds.
    var keptAt: Int64 = 0
    /// Reads when accounts were synced before the start; nil before somebody needs it.
    var loading: Task<Void, Never>?
    /// Passes under way of accounts that were up to date: when their turn had come, in Unix milliseconds.
    var turns: [AccountKey: Int64] = [:]
    private let signal = WakeSignal()
    private var running = 0
    private var stopping = false
    private var lastEpoch = 0
    /// How well changes are announced of accounts whose workers do not exist yet.
    var earlyPushes: [AccountKey: PushHealth] = [:]
    var failures = FailureTally()
    /// Raised while accounts are due but have no place; read by passes without entering the actor.
    private let placeWanted = AtomicFlag()

    public init(
        settings: SyncSettings, stores: UserStores, vault: TokenVault, tokens: TokenSource,
        providers: [any MailProvider], budgets: [ProviderKind: Budgets], hooks: SyncHooks,
        schedules: AccountSchedules? = nil, time: any TimeSource, logger: Logger
    ) {
        self.settings = settings
        self.stores = stores
        self.vault = vault
        self.tokens = tokens
        self.providers = Dictionary(providers.map { ($0.kind, $0) }) { first, _ in first }
        self.budgets = budgets
        self.hooks = hooks
        self.schedules = schedules
        self.time = time
        self.logger = logger
    }

    /// Schedules every connected account and supervises until the task is cancelled or the service shuts down; then
    /// ends every pass and returns.
    public func run() async throws {
        try await scheduleConnectedAccounts()
        await cancelWhenGracefulShutdown { await self.supervise() }
        await stopAllPasses()
    }

    private func supervise() async {
        while !Task.isCancelled {
            startDuePasses()
            let next = running < settings.passesMax ? schedule.nextDue() : nil
            let wait = next.map { Duration.milliseconds(max(1, $0 - time.nowMilliseconds())) }
            await signal.wait(atMost: wait, time: time)
        }
    }

    private func stopAllPasses() async {
        stopping = true
        loading?.cancel()
        await loading?.value
        await noteKept(isLast: true)
        for (key, worker) in workers {
            refuseComparison(key, "the service stops")
            refuseWaiting(worker, nil)
        }
        let passes = workers.values.compactMap(\.pass)
        for pass in passes { pass.cancel() }
        for pass in passes { await pass.value }
    }

    /// Never used before, so that a worker that was removed and added again is not taken for the old one.
    func newEpoch() -> Int {
        lastEpoch += 1
        return lastEpoch
    }

    // MARK: scheduling

    /// - Parameter byClock: because its turn has come then, and for nothing else.
    func setDue(_ key: AccountKey, at due: Int64, byClock: Bool = false) {
        guard workers[key] != nil else { return }
        workers[key]?.state = .scheduled
        workers[key]?.isDueByClock = byClock
        workers[key]?.dueAt = due
        schedule.set(key, due: due)
        signal.raise()
    }

    func unschedule(_ key: AccountKey) { schedule.remove(key) }

    /// When the next pass of all is due, in Unix milliseconds.
    func nextDue() -> Int64? { schedule.nextDue() }

    private func startDuePasses() {
        let now = time.nowMilliseconds()
        while !stopping, running < settings.passesMax, let key = schedule.takeDue(at: now) { startPass(key) }
        placeWanted.set(running >= settings.passesMax && (schedule.nextDue() ?? .max) <= now)
    }

    private func startPass(_ key: AccountKey) {
        guard var worker = workers[key], worker.state == .scheduled, worker.pass == nil else { return }
        if parkIfSuspended(key) { return }
        worker.state = .running
        worker.wake.set(false)
        worker.passes += 1
        worker.eventsBefore = worker.stored?.events
        worker.wasAnnounced.set(false)
        worker.foundChanges.set(false)
        worker.isPoll = worker.isDueByClock && worker.mailboxKnown && worker.stored?.phase == .live
        if worker.isSettled { turns[key] = worker.dueAt }
        worker.dueAt = nil
        worker.waitingFor = nil
        running += 1
        let epoch = worker.epoch
        // Owned by the worker; awaited by `stopAllPasses`, `connect` and `disconnect`.
        let pass = Task { await self.runPass(key, epoch: epoch) }
        worker.pass = pass
        workers[key] = worker
    }

    // MARK: passes

    private func runPass(_ key: AccountKey, epoch: Int) async {
        let ending: PassEnding
        do {
            ending = .ended(try await makePass(key, epoch: epoch).run())
        } catch {
            ending = .failed(error)
        }
        running -= 1
        await passEnded(key, epoch: epoch, ending)
        if workers[key]?.pass == nil { turns[key] = nil }
        await noteKept()
        signal.raise()
    }

    private func makePass(_ key: AccountKey, epoch: Int) async throws -> SyncPass {
        guard let worker = workers[key], worker.epoch == epoch, let provider = providers[key.provider],
            let budgets = budgets[key.provider]
        else {
            throw CancellationError()
        }
        let session = provider.session(
            since: worker.since, tokens: try await tokens.tokens(for: key), budget: budgets.budget(for: key))
        let sliceEnd = time.nowMilliseconds() + settings.slice.milliseconds
        let time = time
        let placeWanted = placeWanted
        return SyncPass(
            account: key, session: session,
            context: PassContext(
                stores: stores, time: time, outboxRowsMax: settings.outboxRowsMax, obstacle: hooks.obstacle,
                takeWake: { worker.wake.take() }, takeAnnouncement: { worker.takeAnnouncement() },
                foundChanges: { worker.foundChanges.raise() },
                shouldYield: { placeWanted.isRaised && time.nowMilliseconds() >= sliceEnd },
                began: { [weak self] in await self?.began($0, of: key, epoch: epoch) },
                committed: { [weak self] in await self?.committed($0, epoch: epoch) },
                takeComparison: { [weak self] in await self?.takeComparison(key, epoch: epoch) },
                importMoved: { [hooks] in hooks.importMoved($0) }),
            folders: folders(for: worker), mailboxKnown: worker.mailboxKnown,
            resumesBackoff: worker.epoch == 0 && !worker.mailboxKnown && worker.failures == 0)
    }

    /// A pass begins: what the store has of the account.
    private func began(_ stored: AccountSync?, of key: AccountKey, epoch: Int) {
        guard let worker = workers[key], worker.epoch == epoch else { return }
        workers[key]?.eventsBefore = stored?.events ?? 0
        if worker.stored == nil { workers[key]?.stored = stored }
    }

    private func committed(_ stored: AccountSync, epoch: Int) {
        hooks.committed(stored.key.user)
        guard var worker = workers[stored.key], worker.epoch == epoch else { return }
        worker.mailboxKnown = true
        // An answer alone is no progress: history that works beside a backfill that fails must not end the back-off.
        if let before = worker.stored, stored.events > before.events { worker.failures = 0 }
        worker.stored = stored
        if stored.phase == .backfill { worker.meter.note(listed: stored.listed, at: time.nowMilliseconds()) }
        workers[stored.key] = worker
    }

    /// Draws what follows from the end of a pass; a pass of an older epoch concerns nobody any more.
    private func passEnded(_ key: AccountKey, epoch: Int, _ ending: PassEnding) async {
        guard let worker = workers[key], worker.epoch == epoch else { return }
        endComparison(key, ending)
        let verdict = PassVerdict.decide(
            ending, failures: worker.failures, settings: settings, random: Double.random(in: 0..<1))
        workers[key]?.failures = verdict.failures
        workers[key]?.waitingFor = verdict.waitingFor
        if let wait = verdict.blockProject { budgets[key.provider]?.blockProject(for: wait) }
        // The pass is not over before this: who waits for its end would have the status overwritten.
        await recordEnding(key, epoch: epoch, ending, verdict)
        if verdict.next != .none { await noteSettled(verdict.next == .onSchedule, key) }
        guard workers[key]?.epoch == epoch else { return }
        workers[key]?.pass = nil
        reportEnding(key, ending, verdict)
        // A wake-up that the pass took for itself is not the pass that somebody waits for.
        let isAwaited = workers[key]?.waiting.isEmpty == false
        let isWoken = worker.wake.take() || isAwaited
        if isWoken { workers[key]?.isAsked = true }
        switch verdict.next {
        case .onSchedule:
            workers[key]?.isAsked = isWoken
            if isWoken { setDue(key, at: time.nowMilliseconds()) } else { rest(key) }
        case .none:
            // Whoever cancels a pass changes the epoch, or stops everything: this one was cancelled by nobody.
            if !stopping { setDue(key, at: time.nowMilliseconds() + settings.pauseRetry.milliseconds) }
        case .again(let wait):
            setDue(key, at: time.nowMilliseconds() + (isWoken && verdict.failure == nil ? 0 : wait.milliseconds))
        case .park(let why):
            workers[key]?.state = .parked
            if let parked = workers[key] { refuseWaiting(parked, verdict.failure) }
            if why == .storeBehindStream { await hooks.behind(key.user) }
        }
    }
}
