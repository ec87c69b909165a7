import MailModel

/// How much the queue keeps and lets run.
public struct JobLimits: Sendable, Hashable {
    /// Attempts before a job is a dead letter.
    public var attemptsMax = 3
    /// Jobs of one user that are waiting or delayed.
    public var waitingPerUserMax = 100
    /// Finished jobs kept per user; older ones go.
    public var completedKeptMax = 100
    public var failedKeptMax = 200
    public var cancelledKeptMax = 100
    /// Finished jobs older than this are removed by the daily cleanup, however few they are.
    public var finishedAgeMax: Duration = .seconds(30 * 86_400)
    /// Short jobs that run at once.
    public var shortMax = 32
    /// Lasting jobs (``JobKind/isLasting``) that run at once.
    public var lastingMax = 32
    /// Jobs of one user that run at once, of either sort.
    public var activePerUserMax = 4

    public init() {}

    func activeMax(lasting: Bool) -> Int { lasting ? lastingMax : shortMax }

    func keptMax(_ state: JobState) -> Int? {
        switch state {
        case .completed: completedKeptMax
        case .failed: failedKeptMax
        case .cancelled: cancelledKeptMax
        case .waiting, .active, .delayed: nil
        }
    }
}

/// When the runner looks, and gives up.
public struct JobTimes: Sendable, Hashable {
    /// How often a running job is said to be alive.
    public var beat: Duration = .seconds(10)
    /// An active job without a sign of life for this long has lost its worker.
    public var lease: Duration = .seconds(60)
    /// Progress is written this often at most.
    public var progress: Duration = .seconds(1)
    /// How long the runner waits when the queue cannot be used.
    public var failurePause: Duration = .seconds(2)
    /// How often the service tidies up.
    public var cleanup: Duration = .seconds(86_400)
    /// What a running job may take, by kind: then its attempt is ended. None for imports, which last.
    public var runMax: [JobKind: Duration] = [
        .incrementalSync: .seconds(6 * 3600), .folderSync: .seconds(6 * 3600), .fullSync: .seconds(24 * 3600),
        .verify: .seconds(6 * 3600), .cleanup: .seconds(600),
    ]
    public var backoff = JobBackoff()

    public init() {}
}

/// How long a failed job waits: exponential, jittered downwards, so that jobs that failed together do not come back
/// together.
public struct JobBackoff: Sendable, Hashable {
    /// Before the second attempt.
    public var first: Duration = .seconds(4)
    /// Each wait is so many times the one before.
    public var factor = 4.0
    public var longest: Duration = .seconds(900)

    public init() {}

    /// - Parameters:
    ///   - attempts: attempts that failed, 1 or more.
    ///   - random: uniform in 0..<1.
    /// - Returns: between half of and the whole exponential step.
    public func delay(attempts: Int, random: Double) -> Duration {
        var step = min(first.inSeconds, longest.inSeconds)
        for _ in 1..<max(1, min(attempts, 32)) { step = min(step * factor, longest.inSeconds) }
        return .milliseconds(Int64(step * (0.5 + random / 2) * 1000))
    }
}
