import Accounts
import Logging
import MailModel
import ServiceLifecycle

/// Keeps every account's pushes: subscribes, renews, tries again and ends them, takes what is announced, and says how
/// well each account's changes are announced. It only wakes workers; nothing here reads a mailbox or moves a cursor.
///
/// What follows from what is decided by ``PushHealthMachine``; here is what it does to the world.
public actor PushKeeper: Service {
    struct Followed {
        var machine: PushHealthMachine
        /// New with every connect: what a request of an older one brings concerns nobody here.
        let epoch: Int
        /// Returns what it was granted, for whoever has to end it.
        var attempt: Task<PushGrant?, Never>?
    }

    /// Takes announcements.
    public nonisolated var receiver: any PushReceiver { desk }

    let desk = PushDesk()
    let plan: PushPlan
    let ports: PushPorts
    let records: PushRecords
    let time: any TimeSource
    let logger: Logger

    var followed: [AccountKey: Followed] = [:]
    private var lastEpoch = 0
    private let signal = WakeSignal()
    /// Accounts for which the provider is to be asked, in order.
    private var ready: [AccountKey] = []
    private var isReady: Set<AccountKey> = []
    /// One for each of the plan's delays.
    private var followUps: [FollowUps]
    private var firstLooks = FollowUps()
    /// Requests under way.
    private var trying = 0
    /// No account needs a look before, in Unix milliseconds.
    private var nextLook = Int64.min
    /// Accounts whose record and health are to be told.
    private var changed: Set<AccountKey> = []
    private var told: [AccountKey: PushHealth] = [:]
    private var telling: Task<Void, Never>?

    public init(
        registry: AccountRegistry, ports: PushPorts, plan: PushPlan = PushPlan(), time: any TimeSource, logger: Logger
    ) {
        records = PushRecords(registry: registry)
        self.ports = ports
        self.plan = plan
        followUps = plan.followUps.map { _ in FollowUps() }
        self.time = time
        self.logger = logger
    }

    /// Takes up what an earlier run left, and keeps it until the task is cancelled or the service shuts down.
    ///
    /// - Throws: what reading accounts and records throws.
    public func run() async throws {
        try await load()
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.deliver() }
                group.addTask { await self.keep() }
            }
        }
        let attempts = followed.values.compactMap(\.attempt)
        for attempt in attempts { attempt.cancel() }
        for attempt in attempts { _ = await attempt.value }
        await tell()
    }

    private func load() async throws {
        let kept = Dictionary(try await records.all().map { ($0.key, $0) }) { first, _ in first }
        let accounts = try await ports.accounts()
        let begun = time.nowMilliseconds()
        for account in accounts where followed[account.key] == nil {
            guard await hasPushes(account.key), followed[account.key] == nil else { continue }
            let now = time.nowMilliseconds()
            var machine =
                kept[account.key].map { PushHealthMachine(plan: plan, record: $0, at: now) }
                ?? PushHealthMachine(plan: plan, at: now)
            if account.waitsForUser { machine.park() }
            add(account.key, machine)
            let turn = plan.firstLooksApart * followed.count
            firstLooks.add(account.key, at: begun + ((plan.followUps.max() ?? .zero) + turn).milliseconds)
        }
        // Rows of accounts that are gone, or whose provider has no pushes any more.
        changed.formUnion(kept.keys)
        logger.info("pushes are kept", metadata: ["accounts": "\(followed.count)"])
    }

    private func hasPushes(_ key: AccountKey) async -> Bool {
        do {
            return try await ports.pushes(key) != nil
        } catch {
            // Asking for the subscription will say why.
            return true
        }
    }

    private func add(_ key: AccountKey, _ machine: PushHealthMachine) {
        lastEpoch += 1
        followed[key] = Followed(machine: machine, epoch: lastEpoch)
        desk.assign(key, machine.grant)
        touched(key)
    }

    // MARK: accounts come and go

    /// The account was connected, or connected again: its changes are to be announced.
    public func follow(_ key: AccountKey) async {
        let now = time.nowMilliseconds()
        guard await hasPushes(key) else { return drop(key) }
        if followed[key] == nil {
            add(key, PushHealthMachine(plan: plan, at: now))
        } else {
            change(key) { $0.connected(at: now) }
        }
    }

    /// The account is about to be disconnected or erased: ends its announcements, unless other accounts follow the same
    /// mailbox. Call while its tokens are there. Waits a few seconds at most; what fails is logged.
    public func leave(_ key: AccountKey) async {
        guard let account = followed[key] else { return }
        drop(key)
        await farewell(key, account)
        await tell()
    }

    /// The account is not there any more, or nothing announces it.
    func drop(_ key: AccountKey) {
        followed[key] = nil
        desk.assign(key, nil)
        changed.insert(key)
        signal.raise()
    }

    private func farewell(_ key: AccountKey, _ account: Followed) async {
        let limit = plan.farewellTimeout
        do {
            let ended: Void? = try await bounded(limit) {
                // A request under way may still be granted something.
                let attempted = await account.attempt?.valueOrCancelled ?? nil
                guard let grant = attempted ?? account.machine.grant else { return }
                try await self.end(grant, of: key)
            }
            if ended == nil { logger.warning("a push subscription was not ended in time", metadata: about(key)) }
        } catch {
            // It ends by itself in days; what it announces until then is for nobody.
            logger.warning("a push subscription was not ended: \(error)", metadata: about(key))
        }
    }

    /// Ends a subscription that no account here uses any more.
    func end(_ grant: PushGrant, of key: AccountKey) async throws {
        let name = PushName(provider: key.provider, subscription: grant.subscription.id)
        guard desk.followers(of: name).isEmpty else { return }
        defer { doubt(name) }
        try await ports.pushes(key)?.unsubscribe(grant.subscription)
    }

    /// A subscription was ended while accounts may have been granted the same one: they ask again.
    private func doubt(_ name: PushName) {
        guard name.provider.namesPushesByMailbox else { return }
        let now = time.nowMilliseconds()
        let trying = followed.filter { $0.key.provider == name.provider && $0.value.machine.isTrying }.map(\.key)
        for key in Set(trying + desk.followers(of: name)) { change(key) { $0.doubted(at: now) } }
    }

    // MARK: what is announced

    /// A pass by the clock, over a mailbox that was read before, found changes although no push had announced them.
    public nonisolated func foundUnannounced(_ key: AccountKey) { desk.noteUnannounced(key) }

    private nonisolated func deliver() async {
        while !Task.isCancelled {
            await desk.signal.wait(atMost: nil, time: time)
            let taken = desk.take()
            for (key, notices) in taken.announced where notices.callsForPass { await ports.announce(key) }
            await note(taken)
        }
    }

    private func note(_ taken: PushDesk.Taken) {
        let now = time.nowMilliseconds()
        for (key, notices) in taken.announced {
            if notices.contains(.changed), key.provider.dropsPushes {
                for (index, delay) in plan.followUps.enumerated() {
                    followUps[index].add(key, at: now + delay.milliseconds)
                }
                signal.raise()
            }
            change(key) { machine in
                if notices.contains(.changed) { machine.pushed(at: now) }
                if notices.contains(.reauthorize) { machine.doubted(at: now) }
                if notices.contains(.removed) { machine.removed(at: now) }
            }
        }
        for key in taken.unannounced { change(key) { $0.foundUnannounced(at: now) } }
    }

    // MARK: what is due

    private func keep() async {
        while !Task.isCancelled {
            collectDue()
            startReady()
            for key in takeFollowUps() { await ports.look(key) }
            await tell()
            let next = (followUps + [firstLooks]).compactMap(\.nextAt).reduce(nextLook, min)
            let wait = next == .max ? nil : Duration.milliseconds(max(1, next - time.nowMilliseconds()))
            await signal.wait(atMost: wait, time: time)
        }
    }

    private func takeFollowUps() -> [AccountKey] {
        let now = time.nowMilliseconds()
        return firstLooks.take(at: now) + followUps.indices.flatMap { followUps[$0].take(at: now) }
    }

    private func collectDue() {
        let now = time.nowMilliseconds()
        guard nextLook <= now else { return }
        nextLook = .max
        for key in followed.keys {
            change(key) { $0.passed(to: now) }
            guard let machine = followed[key]?.machine else { continue }
            // A grant ends without anything happening.
            if machine.health(at: now) != told[key] { changed.insert(key) }
            schedule(key, machine.nextAt(now), at: now)
        }
    }

    private func schedule(_ key: AccountKey, _ next: Int64?, at now: Int64) {
        guard let next else { return }
        if next > now {
            nextLook = min(nextLook, next)
        } else if isReady.insert(key).inserted {
            ready.append(key)
        }
    }

    private func startReady() {
        let count = min(ready.count, plan.attemptsMax - trying)
        guard count > 0 else { return }
        let starting = ready.prefix(count)
        ready.removeFirst(count)
        isReady.subtract(starting)
        for key in starting { start(key) }
    }

    private func start(_ key: AccountKey) {
        guard var account = followed[key], let step = account.machine.begin(at: time.nowMilliseconds()) else { return }
        trying += 1
        let epoch = account.epoch
        // Owned by the account; awaited by `run` and `leave`.
        account.attempt = Task { await self.attempt(step, of: key, epoch: epoch) }
        followed[key] = account
    }

    /// A request is over: another one may begin.
    func attemptEnded(_ key: AccountKey, epoch: Int) {
        trying -= 1
        if followed[key]?.epoch == epoch { followed[key]?.attempt = nil }
        signal.raise()
    }

    // MARK: what is told

    /// Something happened to the account; its new name, record, health and next moment follow from it.
    func change(_ key: AccountKey, _ event: (inout PushHealthMachine) -> Void) {
        guard let before = followed[key]?.machine else { return }
        var machine = before
        event(&machine)
        guard machine != before else { return }
        followed[key]?.machine = machine
        if machine.grant != before.grant { desk.assign(key, machine.grant) }
        let now = time.nowMilliseconds()
        // Most announcements change neither.
        if PushRecord(key, machine, at: now) != PushRecord(key, before, at: now)
            || machine.nextAt(now) != before.nextAt(now)
        {
            touched(key)
        }
    }

    private func touched(_ key: AccountKey) {
        let now = time.nowMilliseconds()
        guard let machine = followed[key]?.machine else { return }
        schedule(key, machine.nextAt(now), at: now)
        changed.insert(key)
        signal.raise()
    }

    /// Tells workers and records what changed: one telling after the other, so that none overtakes another.
    private func tell() async {
        let before = telling
        // Awaited here, and by the next one.
        let task = Task {
            await before?.value
            await self.tellNow()
        }
        telling = task
        await task.value
    }

    private func tellNow() async {
        let keys = changed
        changed = []
        if keys.isEmpty { return }
        let now = time.nowMilliseconds()
        for key in keys {
            let health = followed[key]?.machine.health(at: now)
            guard told[key] != health else { continue }
            told[key] = health
            await ports.setHealth(key, health ?? .off)
        }
        await record(keys)
    }

    private func record(_ keys: Set<AccountKey>) async {
        let now = time.nowMilliseconds()
        let kept = keys.compactMap { key in followed[key].map { PushRecord(key, $0.machine, at: now) } }
        do {
            try await records.save(kept, removing: keys.filter { followed[$0] == nil }, at: now / 1000)
        } catch {
            changed.formUnion(keys)
            logger.error("push subscriptions not recorded", metadata: ["error": "\(error)"])
        }
    }

    // MARK: for status

    /// How each of these accounts stands; those that have no pushes are left out.
    public func standings(of keys: [AccountKey]) -> [AccountKey: PushStanding] {
        let now = time.nowMilliseconds()
        return Dictionary(
            keys.compactMap { key in
                followed[key].map { account in
                    let machine = account.machine
                    return (
                        key,
                        PushStanding(
                            health: machine.health(at: now), until: machine.grant?.subscription.expiresAt,
                            error: machine.lastError)
                    )
                }
            }, uniquingKeysWith: { first, _ in first })
    }

    /// How many announcements came to what, since the start.
    public nonisolated var receipts: [PushCount: Int] { desk.counts }

    func about(_ key: AccountKey) -> Logger.Metadata { ["account": "\(key)"] }
}

extension PushRecord {
    fileprivate init(_ key: AccountKey, _ machine: PushHealthMachine, at now: Int64) {
        self.init(
            key: key, grant: machine.grant, dueAt: machine.dueAt, health: machine.health(at: now),
            failures: machine.failures, lastError: machine.lastError)
    }
}

extension Task where Failure == Never {
    /// What it returns; it is cancelled when who waits for it is.
    fileprivate var valueOrCancelled: Success {
        get async {
            await withTaskCancellationHandler {
                await value
            } onCancel: {
                cancel()
            }
        }
    }
}
