import Foundation
import HTTPTransport
import JetStream
import Logging
import MailModel
import ProviderEmulator

/// A `mailsync serve` in a process of its own, to which an emulated Gmail pushes.
struct PushedService: Sendable {
    /// Accounts that are connected at once.
    static let connectsMax = 16
    private static let patience = Duration.seconds(600)
    private static let operatorToken = "benchmark-operator-token-0123456789abcdef"

    private let process: Process
    private let emulator: ProviderEmulator
    private let transport: HTTPTransport
    private let directory: String
    private let baseURL: String

    static var besideThisProgram: String {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("mailsync").path
    }

    /// Starts it and waits until it is ready.
    static func start(
        _ program: String, directory: String, emulator: ProviderEmulator, _ logger: Logger
    ) async throws -> PushedService {
        guard let port = LoopbackPort.free() else { throw BenchmarkFailure("no port is free") }
        let service = try PushedService(program, directory, emulator, port: port, logger)
        emulator.google.pushEndpoint = GooglePushEndpoint(url: "\(service.baseURL)/webhooks/google")
        try await service.wait("it is ready") { try await service.get("/readyz").status == 200 }
        return service
    }

    private init(
        _ program: String, _ directory: String, _ emulator: ProviderEmulator, port: Int, _ logger: Logger
    ) throws {
        self.emulator = emulator
        self.directory = directory + "/pushed"
        baseURL = "http://127.0.0.1:\(port)"
        transport = HTTPTransport(logger: logger)
        try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
        let log = self.directory + "/mailsync.log"
        try Data().write(to: URL(filePath: log))
        process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = ["serve"]
        process.environment = Self.environment(emulator, baseURL, dataDirectory: self.directory + "/data", port: port)
        process.standardOutput = FileHandle(forWritingAtPath: log)
        process.standardError = process.standardOutput
        try process.run()
    }

    private static func environment(
        _ emulator: ProviderEmulator, _ baseURL: String, dataDirectory: String, port: Int
    ) -> [String: String] {
        let inherited = ProcessInfo.processInfo.environment.filter {
            ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "NATS_SERVER"].contains($0.key)
        }
        return inherited.merging([
            "DATA_DIR": dataDirectory, "HTTP_PORT": "\(port)", "BETTER_AUTH_JWKS_URL": emulator.jwksURL,
            "OPERATOR_TOKEN": operatorToken, "GOOGLE_CLIENT_ID": OAuthConfiguration().clientID,
            "GOOGLE_CLIENT_SECRET": OAuthConfiguration().clientSecret, "GMAIL_API_URL": emulator.baseURL,
            "GOOGLE_TOKEN_URL": emulator.tokenURL, "GOOGLE_REVOKE_URL": emulator.revokeURL,
            "GOOGLE_OIDC_JWKS_URL": emulator.googleKeysURL, "GOOGLE_PUBSUB_TOPIC": "projects/emulated/topics/mail",
            "GOOGLE_PUBSUB_SERVICE_ACCOUNT": GooglePushEndpoint.standardServiceAccount, "PUBLIC_URL": baseURL,
            "PUSH_POLL_INTERVAL": "15m", "DISK_RESERVE": "0%", "LOG_LEVEL": "warning", "VERIFY_INTERVAL": "0s",
        ]) { $1 }
    }

    /// How to read its stream.
    func stream() throws -> NatsConfiguration {
        let path = directory + "/data/nats/url"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw BenchmarkFailure("\(path) cannot be read")
        }
        return NatsConfiguration(
            url: String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    func connect(_ account: BenchmarkAccount, _ grant: TokenGrant) async throws {
        guard let token = emulator.issuer.issue(sub: account.user.raw, expiresIn: 3600) else {
            throw BenchmarkFailure("the emulator issues no tokens")
        }
        let body =
            #"{"provider":"google","access_token":"\#(grant.accessToken)","refresh_token":"\#(grant.refreshToken)","#
            + #""expires_in":\#(grant.expiresIn)}"#
        let answer = try await transport.send(
            HTTPRequest(
                .post, baseURL + "/mail/connect",
                headers: [("Authorization", "Bearer \(token)"), ("Content-Type", "application/json")],
                body: Array(body.utf8), timeout: .seconds(60)))
        guard answer.status == 200 else { throw BenchmarkFailure("connecting was answered \(answer.status)") }
    }

    /// Waits until so many accounts are pushed and everything was read and published.
    ///
    /// - Returns: the stream sequence of what comes next.
    func waitUntilPushed(_ accounts: Int) async throws -> UInt64 {
        var last: UInt64 = 0
        try await wait("\(accounts) accounts are pushed") { try await status().pushes["healthy"] == accounts }
        try await wait("the stream is quiet") {
            try await Task.sleep(for: .seconds(3))
            let status = try await status()
            defer { last = status.nats.last_sequence ?? 0 }
            return status.outbox_depth == 0 && last > 0 && status.nats.last_sequence == last
        }
        return last + 1
    }

    private struct Status: Decodable {
        struct Stream: Decodable { var last_sequence: UInt64? }
        var nats: Stream
        var pushes: [String: Int]
        var outbox_depth: Int
    }

    private func status() async throws -> Status {
        let answer = try await get("/status", token: Self.operatorToken)
        guard answer.status == 200 else { throw BenchmarkFailure("GET /status was answered \(answer.status)") }
        return try JSONDecoder().decode(Status.self, from: Data(answer.body))
    }

    private func get(_ path: String, token: String? = nil) async throws -> HTTPResponse {
        let headers = token.map { [(name: "Authorization", value: "Bearer \($0)")] } ?? []
        return try await transport.send(HTTPRequest(.get, baseURL + path, headers: headers, timeout: .seconds(20)))
    }

    private func wait(_ what: String, until holds: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + Self.patience
        while true {
            do {
                if try await holds() { return }
            } catch is TransportError where process.isRunning {
                // It does not listen yet.
            }
            guard ContinuousClock.now < end, process.isRunning else {
                throw BenchmarkFailure("mailsync: not in time, or ended, before \(what); see \(directory)/mailsync.log")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Ends the process in order.
    func end() async {
        process.terminate()
        await offPool { [process] in process.waitUntilExit() }
        await transport.shutdown()
    }
}
