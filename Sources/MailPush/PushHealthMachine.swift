import MailModel

/// What an account's provider granted.
struct PushGrant: Sendable, Hashable {
    var subscription: PushSubscription
    /// Of what the provider was told to send back.
    var digest: ClientStateDigest

    /// In Unix milliseconds.
    var expiry: Int64 { subscription.expiresAt * 1000 }
}

/// How an account stands with its pushes, and what is to be done next. A value: what happened goes in, with its time.
///
/// ```mermaid
/// stateDiagram-v2
///     [*] --> pending: connected
///     pending --> healthy: granted
///     pending --> lapsed: refused
///     healthy --> lapsed: expired, gone, removed
///     lapsed --> healthy: granted
///     healthy --> silent: changes that nobody announced
///     silent --> healthy: announced
///     silent --> lapsed: expired, gone, removed
/// ```
struct PushHealthMachine: Sendable, Hashable {
    enum Step: Sendable, Hashable {
        case subscribe
        case renew(PushGrant)
    }

    private let plan: PushPlan
    private(set) var grant: PushGrant?
    /// Since the last success.
    private(set) var failures = 0
    /// Safe to print; nil after a success.
    private(set) var lastError: String?
    /// When something is to be asked of the provider; nil: not before the account is connected again.
    private(set) var dueAt: Int64?
    private(set) var isSilent = false
    /// There was a grant, and it was taken away before its time.
    private var isLost = false
    /// A request is under way.
    private(set) var isTrying = false
    /// What happened during the request makes its answer doubtful.
    private var triesAgain = false
    private var lastPushAt: Int64?
    /// When changes were found that nobody had announced yet.
    private var suspectedAt: Int64?

    /// An account that was just connected.
    init(plan: PushPlan, at now: Int64) {
        self.plan = plan
        dueAt = now
    }

    /// An account of an earlier run, as its record has it.
    init(plan: PushPlan, record: PushRecord, at now: Int64) {
        self.plan = plan
        grant = record.grant
        failures = record.failures
        lastError = record.lastError
        isSilent = record.health == .silent
        isLost = record.health == .lapsed && record.grant == nil
        dueAt = record.dueAt ?? now
    }

    func health(at now: Int64) -> PushHealth {
        guard let grant else { return failures == 0 && !isLost ? .pending : .lapsed }
        if grant.expiry <= now || isParked { return .lapsed }
        return isSilent ? .silent : .healthy
    }

    /// Nothing is tried until the user signs in again.
    var isParked: Bool { dueAt == nil && !isTrying }

    /// When to look at the account again, if nothing happens; nil: never.
    func nextAt(_ now: Int64) -> Int64? {
        var times: [Int64] = []
        if !isTrying, let dueAt { times.append(dueAt) }
        if let grant, grant.expiry > now { times.append(grant.expiry) }
        if let suspectedAt { times.append(suspectedAt + plan.grace.milliseconds) }
        return times.min()
    }

    /// What is to be asked of the provider now.
    mutating func begin(at now: Int64) -> Step? {
        guard !isTrying, let dueAt, dueAt <= now else { return nil }
        isTrying = true
        triesAgain = false
        guard let grant, grant.expiry > now, !isSilent else { return .subscribe }
        return .renew(grant)
    }

    // MARK: what the provider answered

    mutating func granted(_ new: PushGrant, at now: Int64, random: Double) {
        guard new.expiry > now else {
            let past = SyncFailure(
                .retry(after: nil, scope: .account), code: "expired_grant",
                "the provider granted a subscription that is over already: compare this machine's clock")
            return failed(past, at: now, random: random)
        }
        // What was silent was the grant before, if that is over.
        if (grant?.expiry ?? 0) <= now { isSilent = false }
        grant = new
        failures = 0
        lastError = nil
        isLost = false
        dueAt = plan.renewal(at: now, expiry: new.expiry, random: random)
        if isSilent { dueAt = min(dueAt ?? .max, plan.silentRenewal(at: now, random: random)) }
        ended(at: now)
    }

    /// The provider does not know the subscription any more.
    mutating func gone(at now: Int64) {
        lose(at: now)
        ended(at: now)
    }

    mutating func failed(_ failure: SyncFailure, at now: Int64, random: Double) {
        failures += 1
        lastError = failure.description
        dueAt = plan.retry(at: now, failures: failures, after: failure, random: random)
        ended(at: now)
    }

    private mutating func ended(at now: Int64) {
        isTrying = false
        if triesAgain { dueAt = now }
        triesAgain = false
    }

    // MARK: what happened otherwise

    /// The user signed in again.
    mutating func connected(at now: Int64) {
        failures = 0
        ask(at: now)
    }

    /// The user has to sign in again before anything is asked.
    mutating func park() { dueAt = nil }

    /// Somebody has reason to believe that the subscription is not what it was: it is asked for again.
    mutating func doubted(at now: Int64) { if !isParked { ask(at: now) } }

    /// The provider announced changes.
    mutating func pushed(at now: Int64) {
        lastPushAt = now
        suspectedAt = nil
        isSilent = false
    }

    /// The provider took the subscription away.
    mutating func removed(at now: Int64) {
        let wasParked = isParked
        lose(at: now)
        if wasParked { dueAt = nil }
    }

    /// A look by the clock found changes that nobody had announced.
    mutating func foundUnannounced(at now: Int64) {
        guard let grant, grant.expiry > now, suspectedAt == nil else { return }
        if let lastPushAt, now - lastPushAt <= plan.grace.milliseconds { return }
        suspectedAt = now
    }

    /// Time passed: a grace may be over.
    mutating func passed(to now: Int64) {
        guard let suspectedAt, now >= suspectedAt + plan.grace.milliseconds else { return }
        self.suspectedAt = nil
        if isSilent { return }
        isSilent = true
        doubted(at: now)
    }

    private mutating func lose(at now: Int64) {
        grant = nil
        isLost = true
        isSilent = false
        suspectedAt = nil
        ask(at: now)
    }

    private mutating func ask(at now: Int64) {
        dueAt = now
        if isTrying { triesAgain = true }
    }
}
