import HTTPServing
import Hummingbird
import Logging
import MailModel
import Synchronization

/// Google (OAuth and the Gmail API), Microsoft (OAuth and Graph) and an issuer of users' tokens, on a loopback port.
///
/// Paths: the Gmail API and its batch endpoint at ``baseURL``, `/oauth/google/token`, `/oauth/google/revoke`,
/// `/oauth2/v3/certs`,
/// Graph at `/v1.0`, `/{tenant}/oauth2/v2.0/token`, `/auth/jwks`, and an admin API under `/admin`.
public final class ProviderEmulator: Sendable {
    /// `http://127.0.0.1:PORT`
    public let baseURL: String
    public let google: GoogleEmulator
    public let microsoft: MicrosoftEmulator
    public let issuer: TokenIssuer
    /// Carries the pushes of both providers.
    public let courier: PushCourier
    private let server: Task<Void, any Error>

    /// `GOOGLE_TOKEN_URL`
    public var tokenURL: String { baseURL + "/oauth/google/token" }
    /// `GOOGLE_REVOKE_URL`
    public var revokeURL: String { baseURL + "/oauth/google/revoke" }
    /// `GOOGLE_OIDC_JWKS_URL`
    public var googleKeysURL: String { baseURL + "/oauth2/v3/certs" }
    /// `GRAPH_API_URL`
    public var graphURL: String { baseURL + "/v1.0" }
    /// `MICROSOFT_TOKEN_URL`
    public var microsoftTokenURL: String { baseURL + "/common/oauth2/v2.0/token" }
    /// `BETTER_AUTH_JWKS_URL`
    public var jwksURL: String { baseURL + "/auth/jwks" }

    /// Starts listening; returns when requests are answered.
    ///
    /// - Throws: what the system says when the address cannot be had.
    public static func start(_ configuration: EmulatorConfiguration = .init(), logger: Logger) async throws
        -> ProviderEmulator
    {
        let courier = PushCourier(faults: configuration.pushFaults, time: configuration.time)
        let google = GoogleEmulator(configuration, courier: courier)
        let microsoft = MicrosoftEmulator(configuration, courier: courier)
        let responder = EmulatorResponder(
            google: google, microsoft: microsoft, courier: courier, configuration: configuration)
        // Ending by cancellation is how the server is stopped; Hummingbird would report each open connection as an
        // error. What matters is thrown.
        var quiet = logger
        quiet.logLevel = .critical
        let (ports, announce) = AsyncThrowingStream.makeStream(of: Int.self)
        let application = Application(
            responder: responder,
            server: .heldHTTP1(),
            configuration: .init(address: .hostname(configuration.host, port: configuration.port)),
            onServerRunning: { channel in announce.yield(channel.localAddress?.port ?? configuration.port) },
            logger: quiet)
        // Owned by the emulator: `shutdown` cancels and awaits it.
        let server = Task {
            do {
                try await application.run()
                announce.finish()
            } catch {
                announce.finish(throwing: error)
                throw error
            }
        }
        var port: Int?
        for try await bound in ports {
            port = bound
            break
        }
        guard let port else { throw CancellationError() }
        let baseURL = "http://\(configuration.host):\(port)"
        let issuer = TokenIssuer(origin: baseURL, seed: configuration.seed, time: configuration.time)
        responder.serve(issuer)
        logger.info(
            "provider emulator listening",
            metadata: [
                "url": "\(baseURL)", "seed": "\(configuration.seed)",
                "random_fault_seed": "\(google.faults.randomSeed.map(String.init) ?? "none")",
                "random_graph_fault_seed": "\(microsoft.faults.randomSeed.map(String.init) ?? "none")",
            ])
        return ProviderEmulator(
            baseURL: baseURL, google: google, microsoft: microsoft, issuer: issuer, courier: courier,
            server: server)
    }

    private init(
        baseURL: String, google: GoogleEmulator, microsoft: MicrosoftEmulator, issuer: TokenIssuer,
        courier: PushCourier, server: Task<Void, any Error>
    ) {
        self.baseURL = baseURL
        self.google = google
        self.microsoft = microsoft
        self.issuer = issuer
        self.courier = courier
        self.server = server
    }

    /// Sends no push any more, stops listening and closes every connection.
    public func shutdown() async {
        await courier.shutdown()
        server.cancel()
        // How the server ended does not matter to who wanted it ended.
        _ = await server.result
    }

    deinit {
        courier.close()
        server.cancel()
    }
}
