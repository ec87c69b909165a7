import Logging
import MailModel
import MailStore

/// A pass that was asked for, and that nobody else will be given.
public struct PassClaim: Sendable, Hashable {
    public let key: AccountKey
    /// The number of the pass that will do, or any later one.
    let pass: Int

    public init(key: AccountKey, pass: Int) {
        self.key = key
        self.pass = pass
    }
}

/// How many accounts there are, and how many are late.
public struct OverdueCounts: Sendable, Hashable {
    public var accounts = 0
    /// Accounts whose last successful pass is longer ago than their interval; parked ones left out.
    public var overdue = 0
    /// Accounts whose last pass failed, and parked ones.
    public var failing = 0

    public init(accounts: Int = 0, overdue: Int = 0, failing: Int = 0) {
        self.accounts = accounts
        self.overdue = overdue
        self.failing = failing
    }
}

/// For those who drive syncing from outside.
extension SyncManager {
    /// Stores read at once for learning when accounts were synced.
    private static let loadsMax = 16

    /// Asks for a pass over the accounts that are overdue longest. An account is given to one caller only until its pass has
    /// ended: one that is being synced, rests after a failure, or is parked, is left out.
    public func claimOverdue(_ countMax: Int) async -> [PassClaim] {
        await loadStored()
        let now = time.nowMilliseconds()
        let candidates = workers.values.filter { isFree($0, at: now) && isOverdue($0, at: now) }
            .map { (syncedAt: syncedAt($0) ?? .min, worker: $0) }
            .sorted { ($0.syncedAt, $0.worker.phase) < ($1.syncedAt, $1.worker.phase) }
        return candidates.prefix(countMax).map { candidate in
            let key = candidate.worker.key
            _ = wake(user: key.user, provider: key.provider, inbox: key.inbox)
            return PassClaim(key: key, pass: candidate.worker.passes + 1)
        }
    }

    /// Waits for the end of a claimed pass.
    ///
    /// - Throws: `CancellationError` when the caller is cancelled, or the service ends; the pass goes on.
    public func report(of claim: PassClaim) async throws -> PassReport {
        try await end(ofPass: claim.pass, of: claim.key)
    }

    public func overdueCounts() async -> OverdueCounts {
        await loadStored()
        let now = time.nowMilliseconds()
        var counts = OverdueCounts(accounts: workers.count)
        for worker in workers.values {
            if worker.state != .parked, isOverdue(worker, at: now) { counts.overdue += 1 }
            let isInTrouble = worker.stored?.status.isTrouble ?? false
            if worker.state == .parked || worker.failures > 0 || isInTrouble { counts.failing += 1 }
        }
        return counts
    }

    /// Nobody has asked for it, and nothing keeps it from being asked for.
    private func isFree(_ worker: AccountWorker, at now: Int64) -> Bool {
        switch worker.state {
        case .unscheduled: true
        case .scheduled: worker.waitingFor == nil && (worker.dueAt ?? now) > now
        case .running, .parked: false
        }
    }

    private func isOverdue(_ worker: AccountWorker, at now: Int64) -> Bool {
        guard let syncedAt = syncedAt(worker) else { return true }
        return now - syncedAt >= settings.polling.interval(of: polled(worker), at: now).milliseconds
    }

    /// When a pass last found the end, in Unix milliseconds; nil: never.
    private func syncedAt(_ worker: AccountWorker) -> Int64? {
        worker.caughtUpAt ?? worker.stored?.lastSyncedAt.map { $0 * 1000 }
    }

    /// Reads, once, when the accounts were synced before the start. Every caller waits for it.
    private func loadStored() async {
        guard begunAt != nil else { return }
        // Ended and awaited by `stopAllPasses`.
        let task = loading ?? Task { await self.readStored() }
        loading = task
        await task.value
    }

    private func readStored() async {
        var users = Set(workers.values.filter { $0.stored == nil }.map(\.key.user)).makeIterator()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.loadsMax {
                guard let user = users.next() else { break }
                group.addTask { await self.readStored(user) }
            }
            while await group.next() != nil {
                guard !Task.isCancelled, let user = users.next() else { continue }
                group.addTask { await self.readStored(user) }
            }
        }
    }

    /// A store that cannot be read makes its accounts look as if they were never synced: their pass tells what is wrong.
    private func readStored(_ user: UserID) async {
        do {
            _ = try await accounts(of: user)
        } catch {
            logger.warning("store not read", metadata: ["user": "\(user)", "error": "\(error)"])
        }
    }
}

extension AccountStatus {
    fileprivate var isTrouble: Bool {
        switch self {
        case .error, .reauthRequired, .wrongMailbox, .behindStream: true
        case .starting, .active, .stopped: false
        }
    }
}
