import EventAudit
import Foundation
import HTTPTransport
import JetStream
import Logging
import MailModel
import MailStore
import MailTestSupport
import ProviderEmulator
import Testing

/// All tests of the real executable: one after the other, because each keeps the machine busy.
@Suite(.serialized) enum SystemTests {}

/// Everything around the service: provider, nats-server and data directory. All of it outlives the service's process.
final class Stage: Sendable {
    let emulator: ProviderEmulator
    let nats: NatsServerFixture
    let transport: HTTPTransport
    let logger: Logger
    let httpPort: Int
    private let directory: TemporaryDirectory

    init(_ kind: NatsServerKind = .newest, provider: EmulatorConfiguration = .init()) async throws {
        var logger = Logger(label: "system-test")
        logger.logLevel = .error
        self.logger = logger
        var provider = provider
        // A pass every 200 ms asks more of Graph than one mailbox is granted.
        provider.microsoft.requestsPerTenMinutesMax = 0
        emulator = try await ProviderEmulator.start(provider, logger: logger)
        nats = try await NatsServerFixture(kind)
        transport = HTTPTransport(logger: logger)
        directory = try TemporaryDirectory("system")
        httpPort = try #require(LoopbackPort.free())
    }

    /// Does not exist before the first start.
    var dataDirectory: String { "\(directory.path)/data" }
    /// Standard output and error of every process started here.
    var logPath: String { "\(directory.path)/mailsync.log" }
    var log: String { FileManager.default.contents(atPath: logPath).map { String(decoding: $0, as: UTF8.self) } ?? "" }
    /// For reports of failures: the last crash, if there was one, else the end.
    var logTail: String {
        let lines = log.split(separator: "\n").filter { !$0.hasSuffix("[MailAPI] request") }
        guard
            let crash = lines.firstIndex(where: {
                $0.contains("Fatal error") || $0.contains("Simultaneous") || $0.contains("crashed")
            })
        else {
            return lines.suffix(30).joined(separator: "\n")
        }
        return lines[crash...].prefix(60).joined(separator: "\n")
    }

    /// Starts `mailsync serve`; does not wait for it.
    ///
    /// - Parameter changes: variables in place of the stage's own.
    func spawn(_ changes: [String: String] = [:]) throws -> MailsyncProcess {
        let environment = environment.merging(changes) { $1 }
        let program = try SpawnedProgram(
            BuiltProgram.mailsync, ["serve"], environment: environment, output: logPath)
        let port = environment["HTTP_PORT"] ?? ""
        return MailsyncProcess(program: program, baseURL: "http://127.0.0.1:\(port)", transport: transport)
    }

    /// Starts `mailsync serve` and waits until it is ready.
    func serve(_ changes: [String: String] = [:]) async throws -> MailsyncProcess {
        let process = try spawn(changes)
        try await process.waitUntilReady()
        return process
    }

    var environment: [String: String] {
        BuiltProgram.environment.merging([
            "DATA_DIR": dataDirectory, "HTTP_PORT": "\(httpPort)", "HTTP_RATE_PER_USER": "1000/s",
            "NATS_URL": nats.url, "STREAM_DUPLICATE_WINDOW": "2s", "BETTER_AUTH_JWKS_URL": emulator.jwksURL,
            "GOOGLE_CLIENT_ID": OAuthConfiguration().clientID,
            "GOOGLE_CLIENT_SECRET": OAuthConfiguration().clientSecret, "GMAIL_API_URL": emulator.baseURL,
            "GOOGLE_TOKEN_URL": emulator.tokenURL, "GOOGLE_REVOKE_URL": emulator.revokeURL,
            "MICROSOFT_CLIENT_ID": MicrosoftConfiguration().clientID,
            "MICROSOFT_CLIENT_SECRET": MicrosoftConfiguration().clientSecret, "GRAPH_API_URL": emulator.graphURL,
            "MICROSOFT_TOKEN_URL": emulator.microsoftTokenURL, "GRAPH_REQUESTS_PER_MINUTE": "1000000000",
            "GMAIL_UNITS_PER_MINUTE": "1000000000", "SYNC_INTERVAL": "200ms", "DISK_RESERVE": "0%",
            "LOG_LEVEL": "debug",
        ]) { $1 }
    }

    /// Makes a user with a mailbox of so many messages at the provider.
    func makeUser(_ name: String = "ada", messages: Int, seed: UInt64 = 1) throws -> MailUser {
        try makeUser(name, [(.google, "primary", messages)], seed: seed)
    }

    /// Makes a user with several mailboxes, each of so many messages.
    func makeUser(
        _ name: String, _ mailboxes: [(provider: ProviderKind, inbox: String, messages: Int)], seed: UInt64 = 1
    ) throws -> MailUser {
        let token = try #require(emulator.issuer.issue(sub: name, expiresIn: 86_400))
        let made = try mailboxes.enumerated().map { index, wanted in
            let address = index == 0 ? "\(name)@example.com" : "\(name).\(index)@example.com"
            let box = try emulator.createMailbox(address, at: wanted.provider)
            try box.load(
                MailboxGenerator(seed: seed &+ UInt64(index), address: address, count: wanted.messages))
            return UserMailbox(inbox: wanted.inbox, box: box)
        }
        return MailUser(id: try UserID(name), token: token, mailboxes: made, google: emulator.google)
    }

    /// The user's part of the stream, from its beginning.
    func watch(_ user: MailUser) async throws -> StreamWatch {
        var configuration = NatsConfiguration(url: nats.url)
        configuration.name = "system-test"
        let consumer = try await EventConsumer.open(
            configuration, stream: "MAIL_EVENTS", subject: EventSubject.wildcard(user: user.id), logger: logger)
        return StreamWatch(consumer)
    }

    func snapshot(of user: MailUser) async throws -> StoreSnapshot {
        try await StoreSnapshot.take(of: user.id, in: dataDirectory, logger: logger)
    }

    func shutdown() async {
        await transport.shutdown()
        await emulator.shutdown()
    }
}

/// Runs `body` on a stage of its own; shows the end of the service's log when it throws.
func withStage<R: Sendable>(
    _ kind: NatsServerKind = .newest, provider: EmulatorConfiguration = .init(),
    _ body: @Sendable (Stage) async throws -> R
) async throws -> R {
    let stage = try await Stage(kind, provider: provider)
    do {
        let result = try await body(stage)
        await stage.shutdown()
        return result
    } catch {
        Issue.record("\(error)\nthe end of the service's log:\n\(stage.logTail)")
        await stage.shutdown()
        throw error
    }
}

extension NatsServerKind {
    /// The current one, or the floor where there is no other.
    static var newest: NatsServerKind { available.first ?? .current }
}

/// The executable that was built with the tests.
enum BuiltProgram {
    static let mailsync: String = {
        // The test runner stands beside it.
        let runner = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(filePath: runner).deletingLastPathComponent().appendingPathComponent("mailsync").path
    }()

    /// What a program needs of ours to run at all.
    static var environment: [String: String] {
        ProcessInfo.processInfo.environment.filter {
            ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "NATS_SERVER"].contains($0.key)
        }
    }
}
