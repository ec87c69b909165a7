import Logging
import MailModel
import ServiceLifecycle

/// Does the work of one kind of job.
///
/// - Throws: ``JobFailure``; `SyncFailure` means what it says; anything else is tried again.
public typealias JobHandler = @Sendable (Job, JobContext) async throws -> JobResult

/// Takes jobs out of the queue and runs their handlers.
public actor JobRunner: Service {
    private let queue: JobQueue
    private let handlers: [JobKind: JobHandler]
    private let times: JobTimes
    private let time: any TimeSource
    private let logger: Logger

    /// - Parameter handlers: kinds without one stay in the queue.
    public init(
        queue: JobQueue, handlers: [JobKind: JobHandler], times: JobTimes = JobTimes(), time: any TimeSource,
        logger: Logger
    ) {
        self.queue = queue
        self.handlers = handlers
        self.times = times
        self.time = time
        self.logger = logger
    }

    /// Runs jobs until the service shuts down.
    public func run() async throws { try? await gracefulShutdown() }
}
