import JetStream
import Logging
import MailDispatch
import MailModel
import MailStore

/// Stores, dispatcher and publisher, put together as the service does.
struct Pipeline: Sendable {
    let stores: UserStores
    let dispatcher: OutboxDispatcher
    private let server: StreamServer
    private let publisher: JetStreamPublisher
    private let counting: CountingPublisher

    /// How often the stores are asked at the end whether everything is confirmed.
    private static let pollInterval = Duration.milliseconds(1)
    /// A run that takes longer has failed.
    private static let patience = Duration.seconds(600)

    static func start(_ directory: String, expecting events: Int, logger: Logger) async throws -> Pipeline {
        let server = try await StreamServer.start(directory, logger: logger)
        let publisher = try await server.connect()
        let counting = CountingPublisher(publisher, expecting: events)
        let stores = UserStores(directory: directory + "/users", time: SystemTime(), logger: logger)
        let dispatcher = OutboxDispatcher(
            stores: stores, publisher: counting, time: SystemTime(), logger: logger)
        return Pipeline(
            stores: stores, dispatcher: dispatcher, server: server, publisher: publisher, counting: counting)
    }

    /// Returns when every event was stored by the stream and every store knows.
    func waitUntilAllConfirmed(_ users: [UserID]) async throws {
        await counting.waitUntilAllStored()
        for user in users {
            while try await !isConfirmed(user) { try await Task.sleep(for: Self.pollInterval) }
        }
    }

    private func isConfirmed(_ user: UserID) async throws -> Bool {
        let state = try await stores.useExisting(user) { store in try await store.read { try $0.dispatch() } }
        return state.map { $0.publishedSeq == $0.lastSeq } ?? false
    }

    func close() async {
        await stores.close()
        await publisher.close()
        await server.stop()
    }

    /// Runs `body` beside services that run until they are cancelled.
    static func drive<R: Sendable>(
        _ services: [@Sendable () async throws -> Void], _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        try await withThrowingTaskGroup(of: R?.self) { group in
            for service in services {
                group.addTask {
                    try await service()
                    return nil
                }
            }
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: Self.patience)
                throw BenchmarkFailure("not done after \(Self.patience)")
            }
            guard let result = try await group.next() ?? nil else {
                throw BenchmarkFailure("a service ended before everything was done")
            }
            group.cancelAll()
            // They end by cancellation; what they say of it does not matter.
            while await group.nextResult() != nil {}
            return result
        }
    }
}
