import Foundation
import JetStream
import Logging
import MailModel

/// The NATS server the service uses: the configured one, or a private one that it starts and supervises.
struct NatsAccess: Sendable {
    let configuration: NatsConfiguration
    private let privateServer: PrivateNatsServer?
    /// For people: never credentials.
    let description: String

    /// - Throws: `NatsFailure` when the settings are wrong or no private server can be started.
    static func open(_ configuration: ServiceConfiguration, logger: Logger) async throws -> NatsAccess {
        let nats = configuration.nats
        guard nats.urls.isEmpty else { return remote(nats) }
        var environment = ProcessInfo.processInfo.environment
        if let program = nats.serverProgram { environment["NATS_SERVER"] = program }
        let binary = try NatsServerBinary.newest(environment: environment)
        let server = try await PrivateNatsServer.start(
            .init(directory: "\(configuration.dataDirectory)/nats", binary: binary, port: nats.serverPort),
            logger: logger)
        return NatsAccess(
            configuration: server.configuration, privateServer: server,
            description: "nats://127.0.0.1:\(server.port)  private, nats-server \(binary.version)")
    }

    private static func remote(_ nats: ServiceConfiguration.NATS) -> NatsAccess {
        var configuration = NatsConfiguration(urls: nats.urls)
        configuration.credentialsFile = nats.credentialsFile
        configuration.certificateAuthorityFile = nats.caFile
        configuration.certificateFile = nats.certificateFile
        configuration.keyFile = nats.keyFile
        configuration.token = nats.token.map { Secret($0) }
        return NatsAccess(configuration: configuration, privateServer: nil, description: configuration.addresses)
    }

    /// Ends the private server, if there is one.
    func close() async { await privateServer?.stop() }
}
