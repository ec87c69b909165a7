import Accounts
import JetStream
import MailAPI
import MailDispatch
import MailJobs
import MailModel
import MailPush
import MailStore
import MailSync

/// What the API asks of the service, answered by the manager, the dispatcher and the publisher.
struct ServiceCommands: AccountCommands {
    /// Users whose outbox is read anew for one overview.
    private static let refreshedUsersMax = 200
    /// Accounts shown as not progressing.
    private static let laggardsMax = 10

    let streamName: String
    let manager: SyncManager
    let erasure: AccountErasure
    let pushes: PushKeeper
    let dispatcher: OutboxDispatcher
    let publisher: JetStreamPublisher
    let refreshes: TokenRefreshes
    let verifications: UserVerifications
    let jobs: JobQueue
    let obstacle: @Sendable () -> String?
    let startedAt: UnixSeconds
    let time: any TimeSource

    func connect(_ key: AccountKey, tokens: OAuthTokens, since: UnixSeconds?) async throws {
        guard try await !erasure.isUnderway(key) else {
            throw SyncFailure(
                .retry(after: nil, scope: .account), code: "being_erased", "the account is being erased: connect later")
        }
        try await manager.connect(key, tokens: tokens, since: since)
        await pushes.follow(key)
    }

    func wake(user: UserID, provider: ProviderKind?, inbox: InboxID?) async throws -> Int {
        await manager.wake(user: user, provider: provider, inbox: inbox)
    }

    func disconnect(_ key: AccountKey) async throws -> Bool {
        guard try await leavingPushes(key, { try await manager.disconnect(key) }) else { return false }
        try await jobs.cancelJobs(of: key)
        return true
    }

    func erase(_ key: AccountKey) async throws -> ErasureReport? {
        try await leavingPushes(key) { try await erasure.erase(key) }
    }

    func accounts(of user: UserID) async throws -> [AccountReport] {
        let snapshots = try await manager.accounts(of: user)
        let standings = await pushes.standings(of: snapshots.map(\.key))
        return snapshots.map { snapshot in
            var report = AccountReport(snapshot, at: time.now())
            report.pushes = .init(standings[snapshot.key])
            return report
        }
    }

    func verify(
        user: UserID, provider: ProviderKind?, inbox: InboxID?, repairs: Bool
    ) async throws -> VerificationOutcome {
        let keys = try await manager.accounts(of: user).map(\.key).filter {
            (provider == nil || $0.provider == provider) && (inbox == nil || $0.inbox == inbox)
        }
        guard !keys.isEmpty else { return .noAccount }
        return try await verifications.outcome(of: user, accounts: keys, repairs: repairs)
    }

    func overview() async throws -> ServiceReport {
        let now = time.now()
        let accounts = try await manager.allAccounts(refreshing: Self.refreshedUsersMax)
        let dispatch = await dispatcher.metrics()
        return ServiceReport(
            version: MailsyncVersion.current, uptimeSeconds: now - startedAt, stream: await stream(dispatch),
            accounts: Dictionary(accounts.map { ($0.status, 1) }, uniquingKeysWith: +),
            pushes: accounts.pushGroups, outboxDepth: accounts.reduce(0) { $0 + ($1.stored?.outboxDepth ?? 0) },
            oldestUnpublishedSeconds: accounts.compactMap { $0.stored?.oldestUnpublishedAt }.min().map {
                max(0, now - $0)
            },
            publishLatency: dispatch.latency,
            errors: await manager.failureCounts().map { .init(code: $0.code, total: $0.total, lastHour: $0.lastHour) },
            tokenRefreshes: refreshes.succeeded.current, tokenRefreshFailures: refreshes.failed.current,
            gaps: accounts.reduce(0) { $0 + ($1.stored?.gaps ?? 0) },
            givenUp: accounts.reduce(0) { $0 + ($1.stored?.givenUp ?? 0) },
            missing: accounts.reduce(0) { $0 + ($1.stored?.missing ?? 0) },
            neverVerified: accounts.count { $0.stored?.lastVerifiedAt == nil },
            oldestVerificationSeconds: accounts.compactMap { $0.stored?.lastVerifiedAt }.min().map { max(0, now - $0) },
            jobs: try await jobs.counts(), laggards: Self.laggards(accounts))
    }

    func readiness() async -> [ReadinessProblem] {
        var problems: [ReadinessProblem] = []
        if !publisher.isConnected {
            problems.append(.init(component: "nats", reason: "the event stream is not reachable"))
        }
        if let obstacle = obstacle() { problems.append(.init(component: "stores", reason: obstacle)) }
        return problems
    }

    private func stream(_ dispatch: DispatchMetrics) async -> ServiceReport.Stream {
        var stream = ServiceReport.Stream(
            connected: publisher.isConnected, name: streamName,
            serverVersion: publisher.server?.version.map { "\($0)" },
            trouble: dispatch.state.trouble ?? publisher.lastFailure.map { "\($0)" })
        do {
            if stream.connected { stream.lastSequence = try await publisher.streamState().lastSequence }
        } catch {
            stream.trouble = "\(error)"
        }
        return stream
    }

    private static func laggards(_ accounts: [AccountSnapshot]) -> [ServiceReport.Laggard] {
        let waiting = accounts.filter { $0.waitingFor != nil }
        let worst = waiting.sorted { ($0.isParked ? 1 : 0, $0.failures) > ($1.isParked ? 1 : 0, $1.failures) }
        return worst.prefix(laggardsMax).map { account in
            .init(
                key: account.key, status: account.status,
                reason: [account.waitingFor, account.stored?.lastError].compactMap { $0 }.joined(separator: ": "),
                retryCount: account.failures, nextAttemptAt: account.nextAttemptAt,
                lastSyncedAt: account.stored?.lastSyncedAt)
        }
    }
}

/// How often access tokens were refreshed since the start.
struct TokenRefreshes: Sendable {
    let succeeded = Counter()
    let failed = Counter()

    func note(_ result: RefreshResult) {
        switch result {
        case .refreshed: succeeded.increment()
        case .failed: failed.increment()
        }
    }
}

extension AccountSnapshot {
    var status: AccountStatus { stored?.status ?? .starting }
}

extension AccountReport {
    /// The account as the manager sees it now.
    init(_ snapshot: AccountSnapshot, at now: UnixSeconds) {
        guard let stored = snapshot.stored else {
            self.init(
                key: snapshot.key, status: .starting, isRunning: !snapshot.isParked, phase: .starting,
                retryCount: snapshot.failures, nextAttemptAt: snapshot.nextAttemptAt, waitingFor: snapshot.waitingFor)
            take(snapshot)
            return
        }
        self.init(
            stored, isRunning: !snapshot.isParked, waitingFor: snapshot.waitingFor,
            etaSeconds: snapshot.etaSeconds.map(Int64.init), at: now)
        nextAttemptAt = snapshot.nextAttemptAt
        take(snapshot)
    }
}

extension AccountReport {
    /// How often it is polled.
    fileprivate mutating func take(_ snapshot: AccountSnapshot) {
        intervalSeconds = snapshot.interval.map { Int64($0.inSeconds.rounded(.up)) }
        schedule = snapshot.schedule
    }
}

extension DispatchMetrics {
    fileprivate var latency: ServiceReport.Latency? {
        guard let latencyMedianMilliseconds, let latency99thPercentileMilliseconds else { return nil }
        return .init(p50Milliseconds: latencyMedianMilliseconds, p99Milliseconds: latency99thPercentileMilliseconds)
    }
}

extension DispatchMetrics.State {
    /// Why nothing is published; nil when it is.
    fileprivate var trouble: String? {
        switch self {
        case .open, .disconnected: nil
        case .paused(let reason), .halted(let reason): reason
        }
    }
}
