import Accounts
import MailJobs
import MailModel
import MailStore

/// What the API asks of the sync manager: commands, and reports to show.
///
/// Every function may throw; the API logs the error and answers 503 or 500, without showing it.
public protocol AccountCommands: Sendable {
    /// Makes the account exist with these tokens, keeping store and cursor if it existed, and starts to sync it.
    ///
    /// - Parameter since: only messages dated at or after this are wanted; nil keeps what was said before.
    func connect(_ key: AccountKey, tokens: OAuthTokens, since: UnixSeconds?) async throws
    /// Starts the next pass of the user's accounts now.
    ///
    /// - Parameters:
    ///   - provider: nil for all of them.
    ///   - inbox: nil for all of them.
    /// - Returns: the number of accounts woken.
    func wake(user: UserID, provider: ProviderKind?, inbox: InboxID?) async throws -> Int
    /// Stops syncing the account and deletes its tokens; what is in its outbox is still published.
    ///
    /// - Returns: false when there is no such account.
    func disconnect(_ key: AccountKey) async throws -> Bool
    /// Stops the account like ``disconnect(_:)``, withdraws the grant where the provider can, and erases the account's
    /// rows and its messages in the stream. Certain to happen once this returns, also after a restart.
    ///
    /// - Returns: nil when there is no such account.
    func erase(_ key: AccountKey) async throws -> ErasureReport?
    /// The user's accounts, for `GET /mail/status`.
    func accounts(of user: UserID) async throws -> [AccountReport]
    /// Verifies the user; heals too, when `repairs`.
    ///
    /// - Parameters:
    ///   - provider: only accounts of this one are compared with their mailboxes; nil: of all of them.
    ///   - inbox: nil for all of them.
    /// - Returns: nothing yet when it takes longer than a caller may wait: it runs on, and the next call joins it.
    func verify(user: UserID, provider: ProviderKind?, inbox: InboxID?, repairs: Bool) async throws
        -> VerificationOutcome
    /// The whole service, for `GET /status` and `GET /metrics`.
    func overview() async throws -> ServiceReport
    /// Why requests should not be sent here now; empty when ready.
    func readiness() async -> [ReadinessProblem]
}

/// How an erasure stands when its user is answered.
public struct ErasureReport: Sendable, Hashable {
    /// The provider has withdrawn the grant.
    public var grantRevoked: Bool
    /// False: it goes on, because the stream cannot be reached or there is much to erase.
    public var isFinished: Bool

    public init(grantRevoked: Bool, isFinished: Bool) {
        self.grantRevoked = grantRevoked
        self.isFinished = isFinished
    }
}

/// One account as its user sees it.
public struct AccountReport: Sendable, Hashable {
    public var key: AccountKey
    public var status: AccountStatus
    /// True while a worker keeps the account in step, also one that waits for its next pass.
    public var isRunning: Bool
    public var phase: SyncPhase
    /// Messages in scope that the provider listed.
    public var listed: Int
    public var stored: Int
    /// Messages that were listed but no longer existed when they were read.
    public var gone: Int
    /// Messages that could not be read yet.
    public var gaps: Int
    /// Messages that could not be read and that an operator gave up.
    public var givenUp: Int
    /// Messages that the last verification found at the provider only, and did not heal.
    public var missing: Int
    /// When the account was last compared with its mailbox; nil: never.
    public var lastVerifiedAt: UnixSeconds?
    /// Events the stream has confirmed.
    public var published: Int
    /// Events it has not.
    public var outboxDepth: Int
    public var oldestUnpublishedSeconds: Int64?
    public var lastSyncedAt: UnixSeconds?
    /// Safe to show to the user.
    public var lastError: String?
    /// Failures since the last success.
    public var retryCount: Int
    public var nextAttemptAt: UnixSeconds?
    /// What the account waits for (`quota`, `back-off` …); nil when for nothing.
    public var waitingFor: String?
    /// The time a backfill still needs, when it can be told.
    public var etaSeconds: Int64?
    public var pushes = Pushes()
    /// Between two passes that nobody asks for; nil: only when somebody asks.
    public var intervalSeconds: Int64?
    /// How often the user wants it to be polled; nil: as the service does by itself.
    public var schedule: AccountSchedule?

    public init(
        key: AccountKey, status: AccountStatus, isRunning: Bool, phase: SyncPhase, listed: Int = 0, stored: Int = 0,
        gone: Int = 0, gaps: Int = 0, givenUp: Int = 0, missing: Int = 0, lastVerifiedAt: UnixSeconds? = nil,
        published: Int = 0, outboxDepth: Int = 0,
        oldestUnpublishedSeconds: Int64? = nil, lastSyncedAt: UnixSeconds? = nil, lastError: String? = nil,
        retryCount: Int = 0, nextAttemptAt: UnixSeconds? = nil, waitingFor: String? = nil, etaSeconds: Int64? = nil
    ) {
        self.key = key
        self.status = status
        self.isRunning = isRunning
        self.phase = phase
        self.listed = listed
        self.stored = stored
        self.gone = gone
        self.gaps = gaps
        self.givenUp = givenUp
        self.missing = missing
        self.lastVerifiedAt = lastVerifiedAt
        self.published = published
        self.outboxDepth = outboxDepth
        self.oldestUnpublishedSeconds = oldestUnpublishedSeconds
        self.lastSyncedAt = lastSyncedAt
        self.lastError = lastError
        self.retryCount = retryCount
        self.nextAttemptAt = nextAttemptAt
        self.waitingFor = waitingFor
        self.etaSeconds = etaSeconds
    }
}

extension AccountReport {
    /// What the store knows of the account; the manager adds what it alone knows.
    public init(
        _ sync: AccountSync, isRunning: Bool, waitingFor: String? = nil, etaSeconds: Int64? = nil, at now: UnixSeconds
    ) {
        self.init(
            key: sync.key, status: sync.status, isRunning: isRunning, phase: sync.phase, listed: sync.listed,
            stored: sync.stored, gone: sync.gone, gaps: sync.gaps, givenUp: sync.givenUp, missing: sync.missing,
            lastVerifiedAt: sync.lastVerifiedAt, published: sync.published,
            outboxDepth: sync.outboxDepth, oldestUnpublishedSeconds: sync.oldestUnpublishedAt.map { max(0, now - $0) },
            lastSyncedAt: sync.lastSyncedAt, lastError: sync.lastError, retryCount: sync.retryCount,
            nextAttemptAt: sync.nextAttemptAt, waitingFor: waitingFor, etaSeconds: etaSeconds)
    }
}

/// The service as its operator sees it. Counts are since the process started unless said otherwise.
public struct ServiceReport: Sendable, Hashable {
    /// The connection to the stream.
    public struct Stream: Sendable, Hashable {
        public var connected: Bool
        public var name: String
        /// nil while it was never reached.
        public var serverVersion: String?
        public var lastSequence: UInt64?
        /// Why it is not connected, or publishing is paused; safe to print.
        public var trouble: String?

        public init(
            connected: Bool, name: String, serverVersion: String? = nil, lastSequence: UInt64? = nil,
            trouble: String? = nil
        ) {
            self.connected = connected
            self.name = name
            self.serverVersion = serverVersion
            self.lastSequence = lastSequence
            self.trouble = trouble
        }
    }

    /// From commit to confirmation, over the recent past.
    public struct Latency: Sendable, Hashable {
        public var p50Milliseconds: Double
        public var p99Milliseconds: Double

        public init(p50Milliseconds: Double, p99Milliseconds: Double) {
            self.p50Milliseconds = p50Milliseconds
            self.p99Milliseconds = p99Milliseconds
        }
    }

    /// How often failures of one kind happened.
    public struct ErrorCount: Sendable, Hashable {
        /// ``SyncFailure/code``.
        public var code: String
        public var total: Int
        public var lastHour: Int

        public init(code: String, total: Int, lastHour: Int) {
            self.code = code
            self.total = total
            self.lastHour = lastHour
        }
    }

    /// An account that is not progressing.
    public struct Laggard: Sendable, Hashable {
        public var key: AccountKey
        public var status: AccountStatus
        /// Why; safe to print.
        public var reason: String
        public var retryCount: Int
        public var nextAttemptAt: UnixSeconds?
        public var lastSyncedAt: UnixSeconds?

        public init(
            key: AccountKey, status: AccountStatus, reason: String, retryCount: Int = 0,
            nextAttemptAt: UnixSeconds? = nil, lastSyncedAt: UnixSeconds? = nil
        ) {
            self.key = key
            self.status = status
            self.reason = reason
            self.retryCount = retryCount
            self.nextAttemptAt = nextAttemptAt
            self.lastSyncedAt = lastSyncedAt
        }
    }

    public var version: String
    public var uptimeSeconds: Int64
    public var stream: Stream
    public var accounts: [AccountStatus: Int]
    public var pushes: [PushGroup: Int] = [:]
    /// Over all users.
    public var outboxDepth: Int
    public var oldestUnpublishedSeconds: Int64?
    public var publishLatency: Latency?
    public var errors: [ErrorCount]
    public var tokenRefreshes: Int
    public var tokenRefreshFailures: Int
    /// Messages in all gap ledgers.
    public var gaps: Int
    /// Those that operators gave up.
    public var givenUp: Int
    /// Messages that verifications found at providers only, and did not heal.
    public var missing: Int
    /// Accounts that were never compared with their mailbox.
    public var neverVerified: Int
    /// Since the verification that is the longest ago of all accounts.
    public var oldestVerificationSeconds: Int64?
    /// Jobs of the queue; failed ones are dead letters.
    public var jobs: JobCounts
    /// The worst first, a handful at most.
    public var laggards: [Laggard]

    public init(
        version: String, uptimeSeconds: Int64, stream: Stream, accounts: [AccountStatus: Int] = [:],
        pushes: [PushGroup: Int] = [:],
        outboxDepth: Int = 0, oldestUnpublishedSeconds: Int64? = nil, publishLatency: Latency? = nil,
        errors: [ErrorCount] = [], tokenRefreshes: Int = 0, tokenRefreshFailures: Int = 0, gaps: Int = 0,
        givenUp: Int = 0, missing: Int = 0, neverVerified: Int = 0, oldestVerificationSeconds: Int64? = nil,
        jobs: JobCounts = JobCounts(), laggards: [Laggard] = []
    ) {
        self.version = version
        self.uptimeSeconds = uptimeSeconds
        self.stream = stream
        self.accounts = accounts
        self.pushes = pushes
        self.outboxDepth = outboxDepth
        self.oldestUnpublishedSeconds = oldestUnpublishedSeconds
        self.publishLatency = publishLatency
        self.errors = errors
        self.tokenRefreshes = tokenRefreshes
        self.tokenRefreshFailures = tokenRefreshFailures
        self.gaps = gaps
        self.givenUp = givenUp
        self.missing = missing
        self.neverVerified = neverVerified
        self.oldestVerificationSeconds = oldestVerificationSeconds
        self.jobs = jobs
        self.laggards = laggards
    }
}

/// A part the service cannot work without is not usable.
public struct ReadinessProblem: Sendable, Hashable {
    /// `nats`, `stores` …
    public var component: String
    /// Safe to show to anybody.
    public var reason: String

    public init(component: String, reason: String) {
        self.component = component
        self.reason = reason
    }
}
