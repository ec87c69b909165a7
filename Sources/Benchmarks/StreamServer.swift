import JetStream
import Logging

/// A nats-server with an empty stream, for one measurement.
struct StreamServer: Sendable {
    let server: PrivateNatsServer
    private let logger: Logger

    static func start(_ directory: String, logger: Logger) async throws -> StreamServer {
        let settings = PrivateNatsServer.Settings(
            directory: directory + "/nats", binary: try NatsServerBinary.newest())
        let server = try await PrivateNatsServer.start(settings, logger: logger)
        return StreamServer(server: server, logger: logger)
    }

    var url: String { server.url.revealed }

    /// Connects, which makes the stream.
    func connect() async throws -> JetStreamPublisher {
        try await JetStreamPublisher.connect(server.configuration, stream: StreamConfiguration(), logger: logger)
    }

    func stop() async { await server.stop() }
}
