import Accounts
import EventAudit
import Foundation
import HTTPTransport
import JetStream
import Logging
import MailAPI
import MailDispatch
import MailModel
import MailStore
import MailSync
import ServiceLifecycle

/// The running service: every part of it, made in the order of their dependencies. This is the composition root; read
/// ``make(_:logger:decorate:)`` top to bottom, and ``ServiceWorks`` where it stands.
struct Service: Sendable {
    let configuration: ServiceConfiguration
    private let logger: Logger
    private let data: LocalData
    private let access: ProviderAccess
    private let stream: StreamAccess
    private let keySet: KeySetCache
    private let pushes: PushAccess
    private let api: MailAPIServer
    private let group: ServiceGroup

    /// - Parameter decorate: wraps the publisher; only the demo falsifies it.
    /// - Throws: a line for the operator: what is wrong, with what, and what to do.
    static func make(
        _ configuration: ServiceConfiguration, logger: Logger,
        decorate: @Sendable (any EventPublisher) -> any EventPublisher = { $0 }
    ) async throws -> Service {
        let time = SystemTime()

        // The data directory is ours alone.
        let data = try LocalData.open(configuration, time: time, logger: logger)
        let operatorToken = try configuration.loadOperatorToken(logger: logger)
        let refreshes = TokenRefreshes()

        // Accounts, their tokens, and the providers; and the stream.
        let access = try await ProviderAccess.open(configuration, refreshes: refreshes, time: time, logger: logger)
        let stream = try await StreamAccess.open(configuration, logger: logger)

        // What syncs, publishes, recovers and verifies.
        let works = try await ServiceWorks.make(
            configuration, data: data, access: access, stream: stream, publisher: decorate(stream.publisher),
            time: time, logger: logger)

        // The API and the control socket, last: they are up when everything behind them is.
        let transport = access.transport
        let keySet = KeySetCache(url: configuration.jwt.jwksURL, time: time, logger: logger) { request in
            try await transport.send(request)
        }
        let pushes = PushAccess(configuration, access, receiver: works.pushes.receiver, time: time, logger: logger)
        let api = MailAPIServer(
            configuration: configuration.api,
            commands: works.commands(stream: stream, configuration, refreshes: refreshes, time: time),
            schedules: works.manager, cron: configuration.cron(works.manager), events: works.events,
            imports: works.imports,
            live: LiveSources { user in try await works.imports.imports(of: user).map(LiveImport.init) },
            jobs: JobDesk(queue: works.jobs) { try await access.vault.accounts(of: $0).map(\.key) },
            verifier: JWTVerifier(rules: configuration.jwt.rules, keys: keySet, time: time),
            pushes: pushes.webhooks, operatorToken: operatorToken, metrics: PrometheusMetrics.installed, time: time,
            logger: logger)
        let control = ControlServer(
            socket: ControlSocket(directory: configuration.dataDirectory), commands: ControlCommands.all,
            context: ControlContext(
                configuration, data: data, access: access, stream: stream, running: works.running, time: time,
                logger: logger))

        // Stopped in reverse: first who is asked from outside, then the workers, then the dispatcher.
        let services: [any ServiceLifecycle.Service] = works.services + [api, control]
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger))
        return Service(
            configuration: configuration, logger: logger, data: data, access: access, stream: stream, keySet: keySet,
            pushes: pushes, api: api, group: group)
    }

    /// Runs until SIGTERM, SIGINT, cancellation or ``stop()``; then closes everything.
    func run() async throws {
        let outcome: Result<Void, any Error>
        do {
            try await group.run()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await close()
        try outcome.get()
    }

    /// Begins a graceful shutdown.
    func stop() async { await group.triggerGracefulShutdown() }

    private func close() async {
        await keySet.shutdown()
        await pushes.close()
        await access.close(logger: logger)
        await data.close(logger: logger)
        await stream.close()
        logger.info("stopped")
    }

    // MARK: for the demo

    /// The port of the API, once it listens.
    func boundPort() async throws -> Int {
        guard let port = await api.port() else { throw DemoFailure("the API does not listen") }
        return port
    }

    /// How to reach the stream.
    var natsConfiguration: NatsConfiguration { stream.nats.configuration }
    var natsDescription: String { stream.nats.description }

    /// The events of a user, as the store renders them.
    func storedEvents(of user: UserID) async throws -> [StoredEvent] {
        let events = try await data.stores.useExisting(user) { store in
            try await store.read { try $0.events(after: 0, limit: .max) }
        }
        return (events ?? []).map { StoredEvent(id: $0.id, payload: $0.payload()) }
    }
}
