import Accounts
import JetStream
import Logging
import MailDispatch
import MailJobs
import MailModel
import MailRecovery
import MailStore
import MailSync

/// What commands work with: the parts of the running service, or the same parts opened for one command. What not every
/// command needs is opened when it is asked for.
struct ControlContext: Sendable {
    /// What only a running service has.
    struct Running: Sendable {
        let manager: SyncManager
        let dispatcher: OutboxDispatcher
        let verifier: Verifier
        let recovery: UserRecovery
        let jobs: JobQueue
    }

    let configuration: ServiceConfiguration
    let data: LocalData
    private let access: OnDemand<ProviderAccess>
    private let stream: OnDemand<StreamAccess>
    /// nil when no service runs: then nobody else syncs or publishes.
    let running: Running?
    let time: any TimeSource
    let logger: Logger

    var stores: UserStores { data.stores }
    var registry: AccountRegistry { data.registry }

    /// The service's, whose runner learns at once of what changes; else the table.
    var jobs: JobQueue { running?.jobs ?? JobQueue(registry: registry, time: time) }

    /// Tokens, adapters and budgets, to ask providers.
    ///
    /// - Throws: a line for the operator.
    func providers() async throws -> ProviderAccess { try await access.value() }

    /// The stream's server and a publisher, which may be without a connection at the moment.
    ///
    /// - Throws: `NatsFailure` when only an operator can help.
    func streamAccess() async throws -> StreamAccess { try await stream.value() }

    /// The service's, which verifies one user at a time; else one for this command.
    func verifier() -> Verifier {
        running?.verifier
            ?? Verifier(
                stores: stores, running: nil, stream: { try await streamAccess() }, configuration: configuration,
                time: time, logger: logger)
    }

    /// The parts of a running service.
    init(
        _ configuration: ServiceConfiguration, data: LocalData, access: ProviderAccess, stream: StreamAccess,
        running: Running, time: any TimeSource, logger: Logger
    ) {
        self.configuration = configuration
        self.data = data
        self.access = OnDemand(access)
        self.stream = OnDemand(stream)
        self.running = running
        self.time = time
        self.logger = logger
    }

    /// Takes the lock on the data directory, to do without a service what one would do.
    ///
    /// - Throws: `DataDirectoryLockFailure` when somebody else holds it; other lines for the operator.
    init(standalone configuration: ServiceConfiguration, time: any TimeSource, logger: Logger) throws {
        self.configuration = configuration
        data = try LocalData.open(configuration, time: time, logger: logger)
        access = OnDemand {
            try await ProviderAccess.open(configuration, refreshes: TokenRefreshes(), time: time, logger: logger)
        }
        stream = OnDemand { try await StreamAccess.open(configuration, logger: logger) }
        running = nil
        self.time = time
        self.logger = logger
    }

    /// Closes what was opened for one command; never called on the parts of a service.
    func close() async {
        await access.close { [logger] in await $0.close(logger: logger) }
        await stream.close { await $0.close() }
        await data.close(logger: logger)
    }
}
