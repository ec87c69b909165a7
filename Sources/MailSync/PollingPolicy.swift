import MailModel

/// When an account is polled next. Pure: everything it depends on is an input.
///
/// Every account has a *phase*, a number that follows from its name. With an interval of I it is due at the moments that
/// leave the remainder phase mod I when divided by I. So accounts are spread evenly over any interval, a restart changes
/// nobody's turn, and which turns were missed meanwhile is known without asking anybody.
struct PollingPolicy: Sendable, Hashable {
    /// Between two passes of an idle account (`SYNC_INTERVAL`). Never exceeded where there are no folders.
    var interval: Duration
    /// Of one whose pushes come (`PUSH_POLL_INTERVAL`).
    var pushInterval: Duration
    /// Passes are made due from outside (`SYNC_TRIGGER=cron`): none by time.
    var isClockOff = false

    /// An account that changed is asked twice as often for so long.
    static let activeFor = Duration.seconds(600)
    /// Activity makes no interval shorter than this.
    static let shortestWhenActive = Duration.seconds(10)

    /// What of an account decides how often it is polled.
    struct Account: Sendable, Hashable {
        /// ``PollingPolicy/phase(of:)``.
        var phase: Int64
        /// What its user wants.
        var own: AccountSchedule?
        /// What its provider's folders need; nil where there are none.
        var folders: FolderSchedule?
        var pushes = PushHealth.off
        /// When a pass last found something, in Unix milliseconds; nil: not since the start.
        var changedAt: Int64?
    }

    /// The first turn after a start of the process.
    enum FirstTurn: Sendable, Hashable {
        /// Its turn was missed at this time, or it has unfinished work (0): before all others.
        case overdue(since: Int64)
        case at(Int64)
        /// Only when somebody asks.
        case unscheduled
    }

    /// How long the account rests between two passes that nobody asks for.
    func interval(of account: Account, at now: Int64) -> Duration {
        if let own = account.own, !own.isEmpty { return ownInterval(own, account) }
        let usual = account.folders?.shortest ?? interval
        // Pushes tell of activity.
        if account.pushes == .healthy { return max(pushInterval, usual) }
        guard let changedAt = account.changedAt, now - changedAt < Self.activeFor.milliseconds else { return usual }
        return max(usual / 2, min(usual, Self.shortestWhenActive))
    }

    private func ownInterval(_ own: AccountSchedule, _ account: Account) -> Duration {
        account.folders?.applying(own).shortest ?? own.interval ?? interval
    }

    /// When its next pass is due, in Unix milliseconds: later than now, by one interval at most. nil when no clock decides.
    func nextTurn(of account: Account, after now: Int64) -> Int64? {
        isClockOff ? nil : turn(of: account, after: now)
    }

    /// - Parameters:
    ///   - isSettled: its last pass found the end of what there is.
    ///   - keptUntil: what was due before this had its turn; nil: not known.
    func firstTurn(of account: Account, isSettled: Bool, keptUntil: Int64?, at now: Int64) -> FirstTurn {
        if !isSettled { return .overdue(since: 0) }
        if isClockOff { return .unscheduled }
        let next = turn(of: account, after: now)
        let last = next - interval(of: account, at: now).milliseconds
        return last > keptUntil ?? .min ? .overdue(since: last) : .at(next)
    }

    private func turn(of account: Account, after now: Int64) -> Int64 {
        let interval = max(1, interval(of: account, at: now).milliseconds)
        let wait = (account.phase % interval - now % interval + interval) % interval
        return now + (wait == 0 ? interval : wait)
    }

    /// Follows from the account's name, the same in every process: FNV-1a, mixed so that all bits depend on all bytes.
    static func phase(of key: AccountKey) -> Int64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in key.description.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int64((hash ^ (hash >> 31)) >> 1)
    }
}
