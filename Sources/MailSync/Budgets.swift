import MailModel
import Synchronization

/// The quota limits of one provider.
public struct QuotaLimits: Sendable, Hashable {
    /// Units per minute and account.
    public var accountPerMinute: Int
    /// Units per minute over all accounts of the project.
    public var projectPerMinute: Int

    public init(accountPerMinute: Int, projectPerMinute: Int) {
        self.accountPerMinute = accountPerMinute
        self.projectPerMinute = projectPerMinute
    }
}

/// The quota budgets of one provider: one per account, and one that all of them share.
public final class Budgets: Sendable {
    private let limits: QuotaLimits
    private let time: any TimeSource
    private let project: Mutex<TokenBucket>
    private let accounts = Mutex<[AccountKey: AccountBudget]>([:])

    public init(limits: QuotaLimits, time: any TimeSource) {
        self.limits = limits
        self.time = time
        project = Mutex(TokenBucket(perMinute: limits.projectPerMinute, at: time.nowMilliseconds()))
    }

    /// Units that an account may spend in a minute.
    var accountPerMinute: Int { limits.accountPerMinute }

    /// The account's budget; the same object for as long as it is not dropped, whatever is connected again.
    func budget(for account: AccountKey) -> AccountBudget {
        accounts.withLock { accounts in
            if let budget = accounts[account] { return budget }
            let budget = AccountBudget(perMinute: limits.accountPerMinute, shared: self, time: time)
            accounts[account] = budget
            return budget
        }
    }

    /// Until when the account waits for quota, in Unix milliseconds; nil when it does not.
    func waitingUntil(_ account: AccountKey) -> Int64? {
        accounts.withLock { $0[account] }?.waitingUntil
    }

    func drop(_ account: AccountKey) {
        accounts.withLock { _ = $0.removeValue(forKey: account) }
    }

    /// Every account of the provider waits.
    func blockProject(for duration: Duration) {
        let now = time.nowMilliseconds()
        project.withLock { $0.block(until: now + duration.milliseconds, at: now) }
    }

    fileprivate func takeFromProject(_ units: Int, at now: Int64) -> Int64? {
        project.withLock { $0.take(units, at: now) }
    }
}

/// One account's budget. An account that waits here is "waiting for quota".
final class AccountBudget: QuotaBudget {
    private struct State {
        var bucket: TokenBucket
        var waitingUntil: Int64?
    }
    private let state: Mutex<State>
    private let shared: Budgets
    private let time: any TimeSource

    init(perMinute: Int, shared: Budgets, time: any TimeSource) {
        state = Mutex(State(bucket: TokenBucket(perMinute: perMinute, at: time.nowMilliseconds())))
        self.shared = shared
        self.time = time
    }

    func spend(_ units: Int) async throws {
        defer { state.withLock { $0.waitingUntil = nil } }
        try await wait { now in self.state.withLock { $0.bucket.take(units, at: now) } }
        try await wait { now in self.shared.takeFromProject(units, at: now) }
    }

    func throttled(for duration: Duration) async {
        let now = time.nowMilliseconds()
        state.withLock { $0.bucket.block(until: now + duration.milliseconds, at: now) }
    }

    /// Until when the account waits for quota, in Unix milliseconds; nil when it does not.
    var waitingUntil: Int64? { state.withLock { $0.waitingUntil } }

    private func wait(for take: @Sendable (Int64) -> Int64?) async throws {
        while let delay = take(time.nowMilliseconds()) {
            let until = time.nowMilliseconds() + delay
            state.withLock { $0.waitingUntil = until }
            try await time.sleep(for: .milliseconds(delay))
        }
    }
}
