import Logging
import MailModel
import MailStore

/// The second part of (a) alone: what is in the outboxes, published one after the other for each user.
struct PublishMeasurement: Sendable {
    let material: Material
    let directory: String
    let logger: Logger

    func run() async throws -> RunResult {
        let users = try await messages()
        let server = try await StreamServer.start(directory, logger: logger)
        let publisher = try await server.connect()
        let meter = CostMeter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for messages in users { group.addTask { try await Self.publish(messages, publisher) } }
            try await group.waitForAll()
        }
        let measurement = meter.measurement(messages: users.reduce(0) { $0 + $1.count })
        await publisher.close()
        await server.stop()
        return measurement
    }

    private static func publish(_ messages: [OutboundMessage], _ publisher: any EventPublisher) async throws {
        for message in messages {
            guard case .stored(_, duplicate: false) = await publisher.publish(message) else {
                throw BenchmarkFailure("event \(message.seq) of \(message.user) was not stored")
            }
        }
    }

    private func messages() async throws -> [[OutboundMessage]] {
        let stores = UserStores(directory: material.directory + "/users", time: SystemTime(), logger: logger)
        var users: [[OutboundMessage]] = []
        for user in BenchmarkAccount.all(material.workload.accounts).map(\.user) {
            let rows = try await stores.useExisting(user) { store in
                try await store.read { try $0.unpublished(limit: .max) }
            }
            users.append((rows ?? []).map { $0.message(of: user) })
        }
        await stores.close()
        return users
    }
}
