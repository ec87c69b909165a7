import JetStream
import Logging

/// The event stream: the server that has it, and our connection to it.
struct StreamAccess: Sendable {
    let nats: NatsAccess
    let publisher: JetStreamPublisher

    /// - Throws: `NatsFailure` when only an operator can help.
    static func open(_ configuration: ServiceConfiguration, logger: Logger) async throws -> StreamAccess {
        let nats = try await NatsAccess.open(configuration, logger: logger)
        do {
            let publisher = try await JetStreamPublisher.connect(
                nats.configuration, stream: configuration.stream.jetStream, logger: logger)
            return StreamAccess(nats: nats, publisher: publisher)
        } catch {
            await nats.close()
            throw error
        }
    }

    func close() async {
        await publisher.close()
        await nats.close()
    }
}
