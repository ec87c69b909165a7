import Accounts
import MailModel
import MailStore

extension SyncManager {
    /// Stores the tokens and makes the account's first pass due now. Connecting again replaces the tokens and heals
    /// a parked account; store and cursor stay.
    ///
    /// - Throws: what the token vault throws.
    public func connect(_ key: AccountKey, tokens newTokens: OAuthTokens, since: UnixSeconds?) async throws {
        await beginCommand(key)
        defer { endCommand(key) }
        // Before the account exists: a start of the process must not let it wait for its turn.
        await keeping(key) { try await $0.setSettled(false, key) }
        let account = try await vault.connect(key, tokens: newTokens, since: since, at: time.now())
        var worker = workers[key] ?? newWorker(account)
        let pass = worker.pass
        worker.since = account.since
        worker.epoch = newEpoch()
        worker.pass = nil
        // Not to be started by a wake-up while the old pass ends.
        worker.state = .running
        worker.mailboxKnown = false
        worker.failures = 0
        worker.waitingFor = nil
        worker.isAsked = true
        worker.isSettled = false
        workers[key] = worker
        // The old pass must be over before the new one starts: two at once would race for one cursor.
        pass?.cancel()
        await pass?.value
        if workers[key]?.epoch == worker.epoch { setDue(key, at: time.nowMilliseconds()) }
    }

    /// Makes passes due now: of all of the user's accounts, or of those that match.
    ///
    /// - Returns: how many accounts matched.
    public func wake(user: UserID, provider: ProviderKind? = nil, inbox: InboxID? = nil) -> Int {
        let matching = workers.values.filter { worker in
            worker.key.user == user && (provider == nil || worker.key.provider == provider)
                && (inbox == nil || worker.key.inbox == inbox)
        }
        for worker in matching { wake(worker) }
        return matching.count
    }

    private func wake(_ worker: AccountWorker) {
        let now = time.nowMilliseconds()
        switch worker.state {
        case .running: worker.wake.raise()
        case .scheduled, .unscheduled:
            workers[worker.key]?.isAsked = true
            workers[worker.key]?.isDueByClock = false
            // Who is due already keeps its place among those that are.
            if worker.state == .unscheduled || (worker.dueAt ?? .max) > now { setDue(worker.key, at: now) }
        case .parked: break
        }
    }

    /// Deletes the tokens and ends the account's worker; what is in the outbox is still published.
    ///
    /// - Returns: false when there is no such account.
    /// - Throws: what the token vault or the store throws.
    public func disconnect(_ key: AccountKey) async throws -> Bool {
        await beginCommand(key)
        defer { endCommand(key) }
        guard try await vault.account(key) != nil else { return false }
        refuseComparison(key, "the account was disconnected")
        let worker = workers.removeValue(forKey: key)
        if let worker { refuseWaiting(worker, .disconnected) }
        unschedule(key)
        worker?.pass?.cancel()
        await worker?.pass?.value
        do {
            // The store first: once the tokens are gone, nobody asks again for what could not be written.
            try await recordDisconnected(key)
            _ = try await vault.remove(key)
            await keeping(key) { try await $0.remove(key) }
        } catch {
            if var worker {
                worker.waiting = []
                worker.epoch = newEpoch()
                worker.pass = nil
                workers[key] = worker
                if worker.state != .parked { setDue(key, at: time.nowMilliseconds()) }
            }
            throw error
        }
        await tokens.forget(key)
        budgets[key.provider]?.drop(key)
        hooks.committed(key.user)
        return true
    }

    private func recordDisconnected(_ key: AccountKey) async throws {
        let now = time.now()
        _ = try await stores.useExisting(key.user) { store in
            // A store that is filled from the stream says what the stream says; the vault says that nothing is synced.
            if try await store.needsRestoring() { return }
            try await store.write { transaction in
                try transaction.cancelImports(of: key, atMilliseconds: now * 1000)
                guard let account = try transaction.reader.account(key), account.status != .stopped else { return }
                try transaction.setStatus(key, .stopped, at: now)
                _ = try transaction.record(.disconnected, of: key, origin: .incremental, at: now)
            }
        }
    }

    /// Connecting and disconnecting an account happen one after the other: half of the one between the halves of the
    /// other would leave an account without a worker, or a worker without an account.
    func beginCommand(_ key: AccountKey) async {
        guard commands[key] != nil else {
            commands[key] = []
            return
        }
        await withCheckedContinuation { commands[key, default: []].append($0) }
    }

    /// Hands over to who waits longest.
    func endCommand(_ key: AccountKey) {
        guard let waiting = commands[key], let next = waiting.first else {
            commands[key] = nil
            return
        }
        commands[key] = Array(waiting.dropFirst())
        next.resume()
    }

    /// The accounts of one user, as the store has them now, in a fixed order.
    public func accounts(of user: UserID) async throws -> [AccountSnapshot] {
        let stored = try await stores.useExisting(user) { store in try await store.read { try $0.accounts() } }
        for account in stored ?? [] { workers[account.key]?.stored = account }
        return workers.values.filter { $0.key.user == user }.map(snapshot).sorted(by: Self.order)
    }

    /// Every account, as last seen. Reads no store but those of users whose outbox was not empty, or who wait and
    /// were not read since the start, so many at most.
    public func allAccounts(refreshing usersMax: Int = 0) async throws -> [AccountSnapshot] {
        let stale = workers.values.filter { worker in
            worker.stored.map { $0.outboxDepth > 0 } ?? (worker.waitingFor != nil)
        }.map(\.key.user)
        for user in Set(stale).prefix(usersMax) { _ = try await accounts(of: user) }
        return workers.values.map(snapshot).sorted(by: Self.order)
    }

    /// How often passes failed since the start, the most frequent of the last hour first.
    public func failureCounts() -> [FailureCount] { failures.counts(at: time.now()) }

    private static func order(_ a: AccountSnapshot, _ b: AccountSnapshot) -> Bool {
        a.key.description < b.key.description
    }

    private func snapshot(_ worker: AccountWorker) -> AccountSnapshot {
        var waitingFor = worker.waitingFor
        let quotaUntil = budgets[worker.key.provider]?.waitingUntil(worker.key)
        if worker.state == .running, quotaUntil != nil { waitingFor = "quota" }
        let stored = worker.stored
        let inBackfill = stored?.phase == .backfill
        return AccountSnapshot(
            key: worker.key, stored: stored, isRunning: worker.state == .running, isParked: worker.state == .parked,
            waitingFor: waitingFor, pushes: worker.pushes, schedule: worker.own, interval: interval(of: worker),
            nextAttemptAt: (quotaUntil ?? worker.dueAt).map { $0 / 1000 },
            failures: worker.failures,
            etaSeconds: inBackfill ? stored?.estimatedTotal.flatMap { worker.meter.secondsLeft(total: $0) } : nil,
            messagesPerSecond: inBackfill ? worker.meter.perSecond : nil)
    }
}
