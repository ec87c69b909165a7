import MailModel
import Metrics
import Synchronization

/// Where live streams get what is not in the event log.
public struct LiveSources: Sendable {
    /// A user's imports, running and recent.
    public var imports: @Sendable (UserID) async throws -> [LiveImport]

    public init(imports: @escaping @Sendable (UserID) async throws -> [LiveImport] = { _ in [] }) {
        self.imports = imports
    }
}

/// The live streams there are: how many, and what their users' accounts are like, asked once for all streams of a user.
final class LiveStreams: Sendable {
    private struct Viewing {
        var streams = 0
        var view: LiveView?
        var takenAtMs = Int64.min
        /// Somebody is asking now.
        var isTaking = false
    }

    let limits: LiveLimits
    private let commands: any AccountCommands
    private let sources: LiveSources
    private let time: any TimeSource
    private let users = Mutex<[UserID: Viewing]>([:])
    private let gauge: Gauge

    init(
        limits: LiveLimits, commands: any AccountCommands, sources: LiveSources, metrics: any MetricsFactory,
        time: any TimeSource
    ) {
        self.limits = limits
        self.commands = commands
        self.sources = sources
        self.time = time
        gauge = Gauge(label: "mailsync_live_streams", dimensions: [], factory: metrics)
        gauge.record(0)
    }

    /// How many there are.
    var count: Int { users.withLock { $0.values.reduce(0) { $0 + $1.streams } } }

    /// A place for one more stream.
    ///
    /// - Throws: ``APIProblem`` 429, 503 when there is none.
    func place(for user: UserID) throws(APIProblem) -> LivePlace {
        let problem = users.withLock { users -> APIProblem? in
            guard users[user]?.streams ?? 0 < limits.streamsPerUserMax else {
                return .tooManyStreams(limits.streamsPerUserMax)
            }
            guard users.values.reduce(0, { $0 + $1.streams }) < limits.streamsMax else { return .noStreamLeft }
            users[user, default: Viewing()].streams += 1
            return nil
        }
        if let problem { throw problem }
        recordCount()
        return LivePlace { [weak self] in self?.leave(user) }
    }

    private func leave(_ user: UserID) {
        users.withLock { users in
            users[user]?.streams -= 1
            if users[user]?.streams == 0 { users[user] = nil }
        }
        recordCount()
    }

    private func recordCount() { gauge.record(count) }

    /// The user's accounts and imports, at most ``LiveLimits/busyLook`` old when nobody else is asking just now.
    func view(of user: UserID) async throws -> LiveView {
        let now = time.nowMilliseconds()
        let known = users.withLock { users -> LiveView? in
            guard let viewing = users[user] else { return nil }
            let isFresh = viewing.takenAtMs > now - limits.busyLook.milliseconds
            if let view = viewing.view, isFresh || viewing.isTaking { return view }
            users[user]?.isTaking = true
            return nil
        }
        if let known { return known }
        defer { users.withLock { $0[user]?.isTaking = false } }
        // The commands answer for one user only; what they answer is checked all the same.
        let view = LiveView(
            accounts: try await commands.accounts(of: user).filter { $0.key.user == user },
            imports: try await sources.imports(user).filter { $0.account.user == user })
        users.withLock { users in
            users[user]?.view = view
            users[user]?.takenAtMs = now
        }
        return view
    }
}

/// One stream's right to be: given back when nothing refers to it any more, whatever became of the request.
final class LivePlace: Sendable {
    private let giveBack: @Sendable () -> Void

    init(giveBack: @escaping @Sendable () -> Void) { self.giveBack = giveBack }

    deinit { giveBack() }
}

extension APIProblem {
    fileprivate static func tooManyStreams(_ max: Int) -> APIProblem {
        var problem = APIProblem(
            .tooManyRequests, "too-many-streams", "Too many live streams",
            "at most \(max) live streams of a user are served at a time; end one of them")
        problem.retryAfterSeconds = retrySeconds
        return problem
    }

    fileprivate static let noStreamLeft = APIProblem.unavailable(
        "no-stream-left", "as many live streams as can be are being served; GET /mail/events serves the same events",
        retryAfterSeconds: retrySeconds)

    private static let retrySeconds: Int64 = 5
}
