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

    var workers: [AccountKey: AccountWorker] = [:]
    /// Accounts being connected or disconnected, with who waits to do so next.
    var commands: [AccountKey: [CheckedContinuation<Void, Never>]] = [:]
    /// Users nothing is synced for, with what they wait for and the accounts that go on afterwards.
    var suspended: [UserID: Suspension] = [:]
    /// Accounts that are connected no longer, whatever the vault says: they are being erased.
    var ended: Set<AccountKey> = []
    private var schedule = Schedule()
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
        providers: [any MailProvider], budgets: [ProviderKind: Budgets], hooks: SyncHooks, time: any TimeSource,
        logger: Logger
    ) {
        self.settings = settings
        self.stores = stores
        self.vault = vault
        self.tokens = tokens
        self.providers = Dictionary(providers.map { ($0.kind, $0) }) { first, _ in first }
        self.budgets = budgets
        self.hooks = hooks
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

    private func scheduleConnectedAccounts() async throws {
        let connected = try await vault.accounts()
        let now = time.nowMilliseconds()
        let spread = min(settings.startSpread, settings.interval).milliseconds
        for (index, account) in connected.enumerated()
        where workers[account.key] == nil && !ended.contains(account.key) {
            var worker = newWorker(account)
            let needsReauth = account.reauthReason != nil
            if needsReauth {
                worker.state = .parked
                worker.waitingFor = PassVerdict.waitingForUser
            }
            workers[account.key] = worker
            if !needsReauth {
                setDue(account.key, at: now + Int64(index) * spread / Int64(connected.count))
            }
        }
        logger.info("accounts scheduled", metadata: ["accounts": "\(connected.count)"])
    }

    private func stopAllPasses() async {
        stopping = true
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

    func setDue(_ key: AccountKey, at due: Int64) {
        guard workers[key] != nil else { return }
        workers[key]?.state = .scheduled
        workers[key]?.dueAt = due
        schedule.set(key, due: due)
        signal.raise()
    }

    func unschedule(_ key: AccountKey) { schedule.remove(key) }

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
        worker.gapsBefore = worker.stored?.gaps
        worker.wasAnnounced.set(false)
        worker.isPoll = !worker.asked.take() && worker.mailboxKnown && worker.stored?.phase == .live
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
                shouldYield: { placeWanted.isRaised && time.nowMilliseconds() >= sliceEnd },
                committed: { [weak self] in await self?.committed($0, epoch: epoch) },
                takeComparison: { [weak self] in await self?.takeComparison(key, epoch: epoch) },
                importMoved: { [hooks] in hooks.importMoved($0) }),
            mailboxKnown: worker.mailboxKnown,
            resumesBackoff: worker.epoch == 0 && !worker.mailboxKnown && worker.failures == 0)
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
            ending, failures: worker.failures, settings: settings(for: worker), random: Double.random(in: 0..<1))
        workers[key]?.failures = verdict.failures
        workers[key]?.waitingFor = verdict.waitingFor
        if let wait = verdict.blockProject { budgets[key.provider]?.blockProject(for: wait) }
        // The pass is not over before this: who waits for its end would have the status overwritten.
        await recordEnding(key, epoch: epoch, ending, verdict)
        guard workers[key]?.epoch == epoch else { return }
        workers[key]?.pass = nil
        reportEnding(key, ending, verdict)
        switch verdict.next {
        case .none:
            // Whoever cancels a pass changes the epoch, or stops everything: this one was cancelled by nobody.
            if !stopping { setDue(key, at: time.nowMilliseconds() + settings.pauseRetry.milliseconds) }
        case .again(let wait):
            let woken = worker.wake.take() && verdict.failure == nil
            setDue(key, at: time.nowMilliseconds() + (woken ? 0 : wait.milliseconds))
            if worker.pushes == .healthy { pollSoonUnlessPushed(key) }
        case .park(let why):
            workers[key]?.state = .parked
            if why == .storeBehindStream { await hooks.behind(key.user) }
        }
    }
}
