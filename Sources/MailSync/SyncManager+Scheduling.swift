import Accounts
import Logging
import MailModel

/// What became of a user's wish.
public enum ScheduleOutcome: Sendable, Hashable {
    case set
    /// It is not connected.
    case noAccount
    /// It names folders, and the provider's mailboxes have none.
    case noFolders
}

/// When accounts are looked at: at the start of the process, after a pass, and when what decides it changes.
extension SyncManager {
    /// How often it is noted that everybody had their turn, in milliseconds: a restart repeats no more than that.
    private static let keepEveryMilliseconds: Int64 = 5_000

    /// Every connected account gets its first turn: those that missed one, or have unfinished work, before all others,
    /// the longest overdue first.
    func scheduleConnectedAccounts() async throws {
        let connected = try await vault.accounts()
        if let schedules { kept = try await schedules.all() }
        let now = time.nowMilliseconds()
        begunAt = now
        var overdue: [(since: Int64, phase: Int64, key: AccountKey)] = []
        for key in workers.keys { workers[key]?.own = kept.own[key] }
        for account in connected where workers[account.key] == nil && !ended.contains(account.key) {
            addWorker(account)
            guard let worker = workers[account.key], worker.state == .scheduled else { continue }
            switch firstTurn(account.key, at: now) {
            case .overdue(let since): overdue.append((since, worker.phase, account.key))
            case .at(let due): setDue(account.key, at: due, byClock: true)
            case .unscheduled: workers[account.key]?.state = .unscheduled
            }
        }
        // Equals in the order of their phases, which is no order of names.
        overdue.sort { ($0.since, $0.phase) < ($1.since, $1.phase) }
        for (index, item) in overdue.enumerated() {
            setDue(item.key, at: now + Int64(index) * startSpread / Int64(overdue.count))
        }
        logger.info(
            "accounts scheduled", metadata: ["accounts": "\(connected.count)", "overdue": "\(overdue.count)"])
    }

    private func addWorker(_ account: ConnectedAccount) {
        var worker = newWorker(account)
        worker.own = kept.own[account.key]
        worker.isSettled = !kept.unsettled.contains(account.key)
        if account.reauthReason != nil {
            worker.state = .parked
            worker.waitingFor = PassVerdict.waitingForUser
        }
        workers[account.key] = worker
    }

    private func firstTurn(_ key: AccountKey, at now: Int64) -> PollingPolicy.FirstTurn {
        guard let worker = workers[key] else { return .unscheduled }
        return settings.polling.firstTurn(
            of: polled(worker), isSettled: worker.isSettled, keptUntil: kept.keptUntil, at: now)
    }

    func polled(_ worker: AccountWorker) -> PollingPolicy.Account {
        PollingPolicy.Account(
            phase: worker.phase, own: worker.own, folders: providers[worker.key.provider]?.folderSchedule,
            pushes: worker.pushes, changedAt: worker.changedAt)
    }

    /// How long the account rests between two passes that nobody asks for; nil when no clock decides.
    func interval(of worker: AccountWorker) -> Duration? {
        if settings.isClockOff || worker.state == .parked { return nil }
        return settings.polling.interval(of: polled(worker), at: time.nowMilliseconds())
    }

    /// The account has nothing to do before its next turn.
    func rest(_ key: AccountKey) {
        guard let worker = workers[key] else { return }
        guard let due = settings.polling.nextTurn(of: polled(worker), after: time.nowMilliseconds()) else {
            workers[key]?.state = .unscheduled
            workers[key]?.dueAt = nil
            return
        }
        setDue(key, at: due, byClock: true)
    }

    /// What decides how often the account is polled has changed. One that is asked for, or retried, is not concerned.
    private func reconsider(_ key: AccountKey) {
        guard let worker = workers[key], worker.state == .scheduled, !worker.isAsked else { return }
        guard worker.passes == 0 else {
            if worker.isDueByClock { rest(key) }
            return
        }
        let now = time.nowMilliseconds()
        switch firstTurn(key, at: now) {
        case .at(let due): setDue(key, at: due, byClock: true)
        case .overdue: if worker.isDueByClock { setDue(key, at: now) }
        case .unscheduled: break
        }
    }

    /// How well the account's changes are announced from now on; polling follows. It is remembered for an account whose
    /// worker does not exist yet.
    public func setPushes(_ health: PushHealth, of key: AccountKey) {
        guard let worker = workers[key] else {
            earlyPushes[key] = health == .off ? nil : health
            return
        }
        guard worker.pushes != health else { return }
        workers[key]?.pushes = health
        reconsider(key)
    }

    /// How often the user wants the account to be polled from now on; an empty schedule: as the service does by itself.
    ///
    /// - Throws: what `control.db` throws.
    public func setSchedule(_ schedule: AccountSchedule, of key: AccountKey) async throws -> ScheduleOutcome {
        await beginCommand(key)
        defer { endCommand(key) }
        guard workers[key] != nil else { return .noAccount }
        if !schedule.folders.isEmpty, providers[key.provider]?.folderSchedule == nil { return .noFolders }
        try await schedules?.set(schedule, of: key, at: time.now())
        workers[key]?.own = schedule.isEmpty ? nil : schedule
        reconsider(key)
        return .set
    }

    /// What the folders of the account need when nobody asked for the pass; nil: everything is asked.
    func folders(for worker: AccountWorker) -> FolderSchedule? {
        worker.isAsked ? nil : providers[worker.key.provider]?.folderSchedule?.applying(worker.own)
    }

    // MARK: What outlives the process

    /// Notes whether a start of the process has to take up the account before others.
    func noteSettled(_ isSettled: Bool, _ key: AccountKey) async {
        // What a command under way says of the account counts.
        guard let worker = workers[key], worker.isSettled != isSettled, commands[key] == nil else { return }
        workers[key]?.isSettled = isSettled
        await keeping(key) { try await $0.setSettled(isSettled, key) }
    }

    /// Notes how far everybody had their turn: now and then, and at the end.
    func noteKept(isLast: Bool = false) async {
        let now = time.nowMilliseconds()
        // Before, those that were overdue at the start may not have had theirs.
        guard !settings.isClockOff, let begunAt, now >= begunAt + startSpread else { return }
        guard isLast || now >= keptAt + Self.keepEveryMilliseconds else { return }
        keptAt = now
        let waiting = [nextDue(), turns.values.min()].compactMap { $0.map { $0 - 1 } }
        let until = waiting.reduce(now, min)
        await keeping(nil) { try await $0.keep(until: until) }
    }

    private var startSpread: Int64 { min(settings.startSpread, settings.interval).milliseconds }

    /// A schedule that is not kept costs a pass too early, or one interval after a restart: no reason to fail.
    func keeping(_ key: AccountKey?, _ body: (AccountSchedules) async throws -> Void) async {
        guard let schedules else { return }
        do {
            try await body(schedules)
        } catch {
            logger.error(
                "schedule not written", metadata: ["account": "\(key.map { "\($0)" } ?? "-")", "error": "\(error)"])
        }
    }
}
