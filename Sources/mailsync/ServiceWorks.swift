import Accounts
import EventAudit
import Logging
import MailAPI
import MailDispatch
import MailJobs
import MailModel
import MailPush
import MailRecovery
import MailStore
import MailSync
import ServiceLifecycle

/// What works in a running service, whoever asks it from outside: made in the order of their dependencies.
struct ServiceWorks: Sendable {
    let dispatcher: OutboxDispatcher
    let events: EventFeed
    let reserve: DiskReserve
    let manager: SyncManager
    let pushes: PushKeeper
    let recovery: UserRecovery
    let erasure: AccountErasure
    let verifier: Verifier
    let verifications: UserVerifications
    let reconciliation: Reconciliation
    let jobs: JobQueue
    let jobRunner: JobRunner
    let imports: ServiceImports

    /// - Parameter publisher: the stream's own, or what the demo makes of it.
    static func make(
        _ configuration: ServiceConfiguration, data: LocalData, access: ProviderAccess, stream: StreamAccess,
        publisher: any EventPublisher, time: any TimeSource, logger: Logger
    ) async throws -> ServiceWorks {
        let stores = data.stores

        // The one dispatcher that publishes.
        let behind = BehindStreamRelay()
        let dispatcher = OutboxDispatcher(
            stores: stores, publisher: publisher, settings: configuration.stream.dispatch, time: time, logger: logger,
            onBehind: { user in await behind.tell(user) })

        // The workers that ask providers; what they commit is published, and read by who waits for it.
        let events = EventFeed(stores: stores, time: time)
        let reserve = DiskReserve(directory: configuration.dataDirectory, limit: configuration.diskReserve) {
            time.nowMilliseconds()
        }
        let passes = PassRelay()
        let importMoves = ImportMoves()
        let manager = SyncManager(
            settings: SyncSettings(
                interval: configuration.syncInterval, pushInterval: configuration.waking.pushPollInterval,
                isClockOff: configuration.waking.isDrivenByCron, outboxRowsMax: configuration.outboxRowsMax),
            stores: stores, vault: access.vault, tokens: access.tokens, providers: access.providers,
            budgets: access.budgets,
            hooks: SyncHooks(
                committed: { user in
                    dispatcher.wake(user)
                    events.committed(user)
                }, obstacle: { reserve.obstacle() }, behind: { user in await behind.tell(user) },
                passEnded: { key, report in passes.tell(key, report) },
                importMoved: { importMoves.tell($0) }),
            schedules: AccountSchedules(data.registry), time: time, logger: logger)

        // What providers announce wakes workers.
        let pushes = PushKeeper(data, access, manager, time: time, logger: logger)
        passes.connect { key, report in pushes.passEnded(key, report) }

        // Imports, and the jobs that show them.
        let jobs = JobQueue(registry: data.registry, time: time)
        let imports = ServiceImports(manager: manager, queue: jobs, moves: importMoves, time: time, logger: logger)

        // What brings stores and stream together again, when one of them went back in time, and erases accounts.
        let recovery = UserRecovery(
            data, access, stream, ServiceSupervision(manager: manager, dispatcher: dispatcher, events: events),
            time: time, logger: logger)
        behind.connect { user in await recovery.restore(user) }
        let erasure = AccountErasure(
            manager: manager, recovery: recovery, jobs: jobs, data, access, configuration, time: time, logger: logger)
        try await erasure.prepare()

        // Verifying: for operators, for users, and in the background.
        let verifier = Verifier(
            stores: stores, running: (manager, dispatcher), stream: { stream }, configuration: configuration,
            time: time, logger: logger)

        // What people and systems asked for.
        let jobRunner = ServiceJobs(
            queue: jobs, manager: manager, verifier: verifier, vault: access.vault, stores: stores
        ).runner(imports, time: time, logger: logger)
        return ServiceWorks(
            dispatcher: dispatcher, events: events, reserve: reserve, manager: manager, pushes: pushes,
            recovery: recovery, erasure: erasure, verifier: verifier,
            verifications: UserVerifications(verifier: verifier, time: time),
            reconciliation: Reconciliation(
                verifier: verifier, manager: manager, interval: configuration.verifyInterval, time: time,
                logger: logger), jobs: jobs, jobRunner: jobRunner, imports: imports)
    }

    /// In the order in which they start; they are stopped in reverse.
    var services: [any ServiceLifecycle.Service] {
        [dispatcher, manager, pushes, recovery, reconciliation, verifications, imports, jobRunner]
    }

    /// For commands of operators.
    var running: ControlContext.Running {
        .init(manager: manager, dispatcher: dispatcher, verifier: verifier, recovery: recovery, jobs: jobs)
    }

    /// For the API.
    func commands(
        stream: StreamAccess, _ configuration: ServiceConfiguration, refreshes: TokenRefreshes, time: any TimeSource
    ) -> ServiceCommands {
        ServiceCommands(
            streamName: configuration.stream.name, manager: manager, erasure: erasure, pushes: pushes,
            dispatcher: dispatcher, publisher: stream.publisher, refreshes: refreshes, verifications: verifications,
            jobs: jobs,
            obstacle: { [reserve] in reserve.obstacle() }, startedAt: time.now(), time: time)
    }
}
