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
import Metrics
import ServiceLifecycle

/// The running service: every part of it, made in the order of their dependencies. This is the composition root; read
/// ``make(_:logger:decorate:)`` top to bottom.
struct Service: Sendable {
    let configuration: ServiceConfiguration
    private let logger: Logger
    private let lock: DataDirectoryLock
    private let vault: TokenVault
    private let registry: AccountRegistry
    private let stores: UserStores
    private let nats: NatsAccess
    private let publisher: JetStreamPublisher
    private let transport: HTTPTransport
    private let tokens: TokenSource
    private let keySet: KeySetCache
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
        let directory = configuration.dataDirectory
        try DataDirectory.prepare(directory)
        let lock = try DataDirectoryLock(directory: directory)
        let metrics = PrometheusMetrics.installed
        let refreshes = TokenRefreshes()

        // Secrets, accounts and their tokens.
        let operatorToken = try configuration.loadOperatorToken(logger: logger)
        let keys = try configuration.loadEncryptionKeys(logger: logger)
        let vault = try TokenVault(path: configuration.authDatabasePath, keys: keys)
        try await vault.checkKeys()
        let registry = try AccountRegistry(path: "\(directory)/control.db")

        // One store per user.
        let stores = UserStores(directory: "\(directory)/users", time: time, logger: logger) { user in
            SequenceFloor(try await registry.floor(of: user))
        }

        // The stream, and the one dispatcher that publishes to it.
        let nats = try await NatsAccess.open(configuration, logger: logger)
        let publisher = try await JetStreamPublisher.connect(
            nats.configuration, stream: configuration.stream.jetStream, logger: logger)
        let behind = BehindStreamRelay()
        let dispatcher = OutboxDispatcher(
            stores: stores, publisher: decorate(publisher), settings: configuration.stream.dispatch, time: time,
            logger: logger, onBehind: { user in await behind.tell(user) })

        // Providers, and the workers that ask them.
        let transport = HTTPTransport(logger: logger)
        let clients = configuration.oauthClients(over: transport)
        let tokens = TokenSource(vault: vault, clients: clients, time: time) { refreshes.note($1) }
        let reserve = DiskReserve(directory: directory, limit: configuration.diskReserve) { time.nowMilliseconds() }
        let manager = SyncManager(
            settings: SyncSettings(interval: configuration.syncInterval, outboxRowsMax: configuration.outboxRowsMax),
            stores: stores, vault: vault, tokens: tokens,
            providers: configuration.providers(over: transport, time: time, logger: logger),
            budgets: configuration.budgets(time: time),
            hooks: SyncHooks(committed: { dispatcher.wake($0) }, obstacle: { reserve.obstacle() }),
            time: time, logger: logger)
        behind.connect { user in await manager.storeFoundBehindStream(user) }

        // The API, last: it is up when everything behind it is.
        let keySet = KeySetCache(url: configuration.jwt.jwksURL, time: time, logger: logger) { request in
            try await transport.send(request)
        }
        let api = MailAPIServer(
            configuration: configuration.api,
            commands: ServiceCommands(
                streamName: configuration.stream.name, manager: manager, dispatcher: dispatcher, publisher: publisher,
                refreshes: refreshes, obstacle: { reserve.obstacle() }, startedAt: time.now(), time: time),
            verifier: JWTVerifier(rules: configuration.jwt.rules, keys: keySet, time: time),
            operatorToken: operatorToken, metrics: metrics, time: time, logger: logger)

        // Stopped in reverse: first the API, then the workers, then the dispatcher.
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: dispatcher), .init(service: manager), .init(service: api)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        return Service(
            configuration: configuration, logger: logger, lock: lock, vault: vault, registry: registry, stores: stores,
            nats: nats, publisher: publisher, transport: transport, tokens: tokens, keySet: keySet, api: api,
            group: group)
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
        await tokens.settle()
        await stores.close()
        do {
            try await vault.close()
            try registry.close()
        } catch {
            logger.error("not closed cleanly", metadata: ["error": "\(error)"])
        }
        await publisher.close()
        await keySet.shutdown()
        await transport.shutdown()
        await nats.close()
        logger.info("stopped")
    }

    // MARK: for the demo

    /// The port of the API, once it listens.
    func boundPort() async throws -> Int {
        guard let port = await api.port() else { throw DemoFailure("the API does not listen") }
        return port
    }

    /// How to reach the stream.
    var natsConfiguration: NatsConfiguration { nats.configuration }
    var natsDescription: String { nats.description }

    /// The events of a user, as the store renders them.
    func storedEvents(of user: UserID) async throws -> [StoredEvent] {
        let events = try await stores.useExisting(user) { store in
            try await store.read { try $0.events(after: 0, limit: .max) }
        }
        return (events ?? []).map { StoredEvent(id: $0.id, payload: $0.payload()) }
    }
}

extension SequenceFloor {
    /// What the registry keeps, in the store's terms.
    fileprivate init(_ floor: UserFloor) { self.init(lastSeq: floor.lastSeq, generation: floor.generation) }
}
