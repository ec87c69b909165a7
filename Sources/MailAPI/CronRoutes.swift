import Foundation
import Hummingbird
import MailModel
import MailSync
import ServiceLifecycle

/// What `/api/cron/sync-emails` asks of the sync manager.
public protocol CronCommands: Sendable {
    /// Asks for a pass over the accounts that are overdue longest; an account is given to one caller only.
    func claimOverdue(_ countMax: Int) async -> [PassClaim]
    /// Waits for the end of a claimed pass.
    ///
    /// - Throws: `CancellationError` when the caller is cancelled; the pass goes on.
    func report(of claim: PassClaim) async throws -> PassReport
    func overdueCounts() async -> OverdueCounts
}

extension SyncManager: CronCommands {}

/// `/api/cron/sync-emails`: syncing driven from outside.
public struct CronEndpoint: Sendable {
    /// Accounts that one call may sync.
    public static let batchSizes = 1...1000

    public var commands: any CronCommands
    /// `CRON_SECRET`; nil: the endpoint is off.
    public var secret: Secret?
    /// `EMAIL_SYNC_BATCH_SIZE`
    public var batchSize: Int
    /// `SYNC_INTERVAL`
    public var interval: Duration
    /// A call is answered within this: what is not finished by then goes on behind.
    public var answerWithin = Duration.seconds(25)

    public init(commands: any CronCommands, secret: Secret?, batchSize: Int = 5, interval: Duration) {
        self.commands = commands
        self.secret = secret
        self.batchSize = batchSize
        self.interval = interval
    }
}

struct CronRoutes: Sendable {
    static let path = "/api/cron/sync-emails"

    let endpoint: CronEndpoint
    let time: any TimeSource

    var all: [Route] {
        [
            Route(method: .post, path: Self.path, access: .cron, handle: sync),
            Route(method: .get, path: Self.path, access: .cron, handle: counts),
        ]
    }

    @Sendable private func sync(_ call: Route.Call) async throws -> Response {
        let batchSize = try Self.batchSize(call.query) ?? endpoint.batchSize
        let claims = await endpoint.commands.claimOverdue(batchSize)
        // An answer does not hold up the end of the service.
        let outcomes = await cancelWhenGracefulShutdown { await endings(of: claims) }
        return .json { json in
            json.field("success", true)
            json.field("total", outcomes.count)
            json.field("successful", outcomes.count { $0.status == .synced })
            json.field("failed", outcomes.count { $0.status == .failed })
            json.key("accounts")
            json.array(outcomes) { json, outcome in json.object { $0.cronOutcome(outcome) } }
        }
    }

    @Sendable private func counts(_ call: Route.Call) async throws -> Response {
        let counts = await endpoint.commands.overdueCounts()
        let now = Date(timeIntervalSince1970: Double(time.now()))
        return .json { json in
            json.field("success", true)
            json.field("timestamp", now.ISO8601Format())
            json.field("totalAccounts", counts.accounts)
            json.field("pendingSync", counts.overdue)
            json.field("errorAccounts", counts.failing)
            json.field("syncInterval", Int64((endpoint.interval.inSeconds / 60).rounded(.up)))
        }
    }

    private static func batchSize(_ query: [(name: String, value: String)]) throws(APIProblem) -> Int? {
        var found: Int?
        for (name, value) in query {
            guard name == "batchSize", found == nil else {
                throw .field(name, name == "batchSize" ? "is given more than once" : "is not a parameter")
            }
            let sizes = CronEndpoint.batchSizes
            guard let size = Int(value), sizes.contains(size), value.utf8.allSatisfy({ $0 != UInt8(ascii: "+") })
            else {
                throw .field(name, "must be a whole number from \(sizes.lowerBound) to \(sizes.upperBound)")
            }
            found = size
        }
        return found
    }

    /// How the claimed passes end, in the order of the claims; those that have not in time are running.
    private func endings(of claims: [PassClaim]) async -> [CronOutcome] {
        var reports = [PassReport?](repeating: nil, count: claims.count)
        var left = claims.count
        await withTaskGroup(of: (index: Int, report: PassReport?)?.self) { group in
            for (index, claim) in claims.enumerated() {
                // Cancelled when time is up: the pass goes on.
                group.addTask { (index, try? await endpoint.commands.report(of: claim)) }
            }
            group.addTask {
                // Cancelled when everything has ended.
                try? await time.sleep(for: endpoint.answerWithin)
                return nil
            }
            while left > 0, let next = await group.next() {
                guard let (index, report) = next else { break }
                reports[index] = report
                left -= 1
            }
            group.cancelAll()
        }
        return zip(claims, reports).map { CronOutcome($0.key, $1) }
    }
}

/// What became of one account.
private struct CronOutcome {
    enum Status: String {
        case synced, failed
        /// Not at its end yet: it goes on.
        case running
    }

    let key: AccountKey
    let status: Status
    let report: PassReport?

    init(_ key: AccountKey, _ report: PassReport?) {
        self.key = key
        self.report = report
        if report?.failure != nil {
            status = .failed
        } else {
            status = report?.isCaughtUp == true ? .synced : .running
        }
    }
}

extension JSONText {
    fileprivate mutating func cronOutcome(_ outcome: CronOutcome) {
        field("accountId", outcome.key.description)
        field("user_id", outcome.key.user.raw)
        field("provider", outcome.key.provider.apiName)
        field("inbox_id", outcome.key.inbox.raw)
        field("status", outcome.status.rawValue)
        field("events", outcome.report?.events ?? 0)
        field("error", outcome.report?.failure?.code)
    }
}
