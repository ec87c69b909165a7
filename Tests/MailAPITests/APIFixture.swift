import Crypto
import Foundation
import HTTPTransport
import Logging
import MailJobs
import MailModel
import MailStore
import MailTestSupport
import Synchronization

@testable import Accounts
@testable import MailAPI

/// A sync manager that remembers what it was asked.
actor FakeCommands: AccountCommands {
    struct Connect: Sendable, Hashable {
        var key: AccountKey
        var tokens: OAuthTokens
        var since: UnixSeconds?
    }
    struct Wake: Sendable, Hashable {
        var user: UserID
        var provider: ProviderKind?
        var inbox: InboxID?
    }
    struct Verify: Sendable, Hashable {
        var user: UserID
        var provider: ProviderKind?
        var inbox: InboxID?
        var repairs: Bool
    }
    struct Secretive: Error, CustomStringConvertible { var description: String { "SECRET" } }

    private(set) var connects: [Connect] = []
    private(set) var wakes: [Wake] = []
    private(set) var disconnects: [AccountKey] = []
    private(set) var verifies: [Verify] = []
    private var summary: VerificationSummary? = VerificationSummary(agrees: true, events: 3)
    private var reports: [AccountReport] = []
    private(set) var imports: [LiveImport] = []
    /// How often the accounts were asked for.
    private(set) var looks = 0
    private var failure: (any Error)?
    private var problems: [ReadinessProblem] = []

    func set(reports: [AccountReport]) { self.reports = reports }
    func set(imports: [LiveImport]) { self.imports = imports }
    func set(summary: VerificationSummary?) { self.summary = summary }
    func set(failure: any Error) { self.failure = failure }
    func set(problems: [ReadinessProblem]) { self.problems = problems }

    func connect(_ key: AccountKey, tokens: OAuthTokens, since: UnixSeconds?) async throws {
        if let failure { throw failure }
        connects.append(Connect(key: key, tokens: tokens, since: since))
    }

    func wake(user: UserID, provider: ProviderKind?, inbox: InboxID?) async throws -> Int {
        wakes.append(Wake(user: user, provider: provider, inbox: inbox))
        return reports.filter { $0.key.user == user && inbox.map { $0 == .primary } ?? true }.count
    }

    func disconnect(_ key: AccountKey) async throws -> Bool {
        disconnects.append(key)
        return reports.contains { $0.key == key }
    }

    func verify(
        user: UserID, provider: ProviderKind?, inbox: InboxID?, repairs: Bool
    ) async throws -> VerificationOutcome {
        verifies.append(Verify(user: user, provider: provider, inbox: inbox, repairs: repairs))
        guard reports.contains(where: { $0.key.user == user }) else { return .noAccount }
        return summary.map { .ended($0) } ?? .running
    }

    private(set) var erasures: [AccountKey] = []
    private var erasesAtOnce = true

    func set(erasesAtOnce: Bool) { self.erasesAtOnce = erasesAtOnce }

    func erase(_ key: AccountKey) async throws -> ErasureReport? {
        erasures.append(key)
        guard reports.contains(where: { $0.key == key }) else { return nil }
        return ErasureReport(grantRevoked: key.provider == .google, isFinished: erasesAtOnce)
    }

    /// Everybody's, to see that the API shows each user only their own.
    func accounts(of user: UserID) async throws -> [AccountReport] {
        looks += 1
        return reports
    }

    func overview() async throws -> ServiceReport {
        ServiceReport(
            version: "1.0", uptimeSeconds: 12,
            stream: .init(connected: true, name: "MAIL_EVENTS", serverVersion: "2.15.1", lastSequence: 4),
            accounts: [.active: 3, .error: 1], outboxDepth: 7, oldestUnpublishedSeconds: 9,
            publishLatency: .init(p50Milliseconds: 1.4, p99Milliseconds: 20),
            errors: [.init(code: "rate_limited", total: 5, lastHour: 2)], tokenRefreshes: 8, tokenRefreshFailures: 1,
            gaps: 2, givenUp: 1, missing: 3, neverVerified: 4, oldestVerificationSeconds: 86_400,
            laggards: reports.prefix(1).map { .init(key: $0.key, status: $0.status, reason: "quota") })
    }

    func readiness() async -> [ReadinessProblem] { problems }
}

/// A server on loopback with everything it needs, and tokens for its users.
struct APIFixture: Sendable {
    static let issuer = "https://app.example.com"
    static let operatorToken = "operator-token-of-the-tests"
    static let cronSecret = "cron-secret-of-the-tests"

    let commands = FakeCommands()
    let imports = FakeImports()
    let schedules = FakeSchedules()
    let cron = FakeCron()
    var cronSecret: Secret? = Secret(APIFixture.cronSecret)
    let stores: UserStores
    let events: EventFeed
    let metrics = PrometheusMetrics()
    let time: any TimeSource
    private let directory: StoreDirectory
    private let key = Curve25519.Signing.PrivateKey()
    let configuration: MailAPIConfiguration
    /// What takes providers' pushes.
    var pushes: PushWebhooks?

    /// - Parameter limits: changes to the limits; the time to linger is short already.
    init(
        time: any TimeSource = SystemTime(), cors: [String] = [], missing: [ProviderKind: [String]] = [:],
        limits change: (inout MailAPIConfiguration.Limits) -> Void = { _ in }
    ) {
        directory = StoreDirectory()
        stores = UserStores(directory: directory.path, time: time, logger: .silent)
        events = EventFeed(stores: stores, time: time)
        var limits = MailAPIConfiguration.Limits()
        limits.linger = .milliseconds(50)
        limits.requestsPerSecond = 100_000
        limits.requestBurst = 100_000
        change(&limits)
        self.time = time
        configuration = MailAPIConfiguration(
            port: 0, corsOrigins: cors, missingCredentials: missing, limits: limits)
    }

    func server(keysAvailable: Bool = true, port: Int = 0) throws -> MailAPIServer {
        let keySet = """
            {"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"\(Self.base64(key.publicKey.rawRepresentation))"}]}
            """
        let keys = KeySetCache(url: "https://issuer.test/jwks", time: time, logger: .silent) { _ in
            guard keysAvailable else { throw TransportError.connection("no such host") }
            return HTTPResponse(status: 200, body: Array(keySet.utf8))
        }
        var configuration = configuration
        configuration.port = port
        return MailAPIServer(
            configuration: configuration, commands: commands, schedules: schedules,
            cron: CronEndpoint(commands: cron, secret: cronSecret, interval: .seconds(30)), events: events,
            imports: imports, live: LiveSources { [commands] _ in await commands.imports },
            jobs: JobDesk(queue: try jobs()) { [commands] user in
                try await commands.accounts(of: user).map(\.key).filter { $0.user == user }
            },
            verifier: JWTVerifier(
                rules: JWTRules(issuer: Self.issuer, audience: Self.issuer), keys: keys, time: time),
            pushes: pushes, operatorToken: try OperatorToken(Secret(Self.operatorToken)), metrics: metrics, time: time,
            logger: .silent)
    }

    /// The queue behind the API; nobody takes jobs out.
    func jobs() throws -> JobQueue { try directory.jobs(time) }

    /// Runs the body against a server that listens, and stops the server.
    func run(keysAvailable: Bool = true, _ body: @Sendable (API) async throws -> Void) async throws {
        let server = try server(keysAvailable: keysAvailable)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await server.run() } catch is CancellationError {}  // the end of the test
            }
            guard let port = await server.port() else { throw RawClient.Failure.cannotConnect }
            try await body(API(port: port, fixture: self, server: server))
            group.cancelAll()
        }
    }

    func token(_ user: String, lifetime: Int64 = 900) throws -> String {
        let claims: [String: Any] = [
            "iss": Self.issuer, "aud": Self.issuer, "sub": user, "exp": time.now() + lifetime,
        ]
        let payload = try JSONSerialization.data(withJSONObject: claims)
        let signed = "\(Self.base64(Data(#"{"alg":"EdDSA","kid":"1"}"#.utf8))).\(Self.base64(payload))"
        return "\(signed).\(Self.base64(try key.signature(for: Data(signed.utf8))))"
    }

    private static func base64(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }
}

/// Where the users' stores are made when a test needs one; goes away with the fixture.
private final class StoreDirectory: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("api-\(UUID().uuidString)").path
    private let queue = Mutex<JobQueue?>(nil)

    /// Opened once: a file has one connection.
    func jobs(_ time: any TimeSource) throws -> JobQueue {
        try queue.withLock { queue in
            let opened = try queue ?? JobQueue(registry: AccountRegistry(path: path + "/control.db"), time: time)
            queue = opened
            return opened
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Calls to a fixture's server.
struct API: Sendable {
    let port: Int
    let fixture: APIFixture
    let server: MailAPIServer

    /// One request on a connection of its own, with the user's token.
    func call(
        _ method: String, _ path: String, user: String? = nil, bearer: String? = nil, body: String? = nil,
        headers: [String: String] = [:]
    ) async throws -> RawClient.Answer {
        let client = try RawClient(port: port)
        await client.send(
            try request(method, path, user: user, bearer: bearer, body: body.map { Array($0.utf8) }, headers: headers))
        return try await client.receive(hasBody: method != "HEAD")
    }

    func request(
        _ method: String, _ path: String, user: String? = nil, bearer: String? = nil, body: [UInt8]? = nil,
        headers: [String: String] = [:]
    ) throws -> [UInt8] {
        var fields = headers
        fields["Host"] = "localhost"
        if let token = try bearer ?? user.map({ try fixture.token($0) }) { fields["Authorization"] = "Bearer \(token)" }
        if let body {
            fields["Content-Type"] = headers["Content-Type"] ?? "application/json"
            fields["Content-Length"] = String(body.count)
        }
        let lines = ["\(method) \(path) HTTP/1.1"] + fields.map { "\($0): \($1)" }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? [])
    }
}

extension EventStreamClient {
    /// Opens a live stream.
    ///
    /// - Parameter token: in place of the user's.
    static func open(
        _ api: API, _ user: String, _ query: String = "", lastEventID: String? = nil, token: String? = nil,
        receiveBufferBytes: Int32? = nil
    ) async throws -> EventStreamClient {
        let path = "/mail/live" + (query.isEmpty ? "" : "?\(query)")
        let headers = lastEventID.map { ["Last-Event-ID": $0] } ?? [:]
        return try await EventStreamClient(
            port: api.port, request: try api.request("GET", path, user: user, bearer: token, headers: headers),
            receiveBufferBytes: receiveBufferBytes)
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension AccountReport {
    static func test(_ user: String, inbox: String = "primary", status: AccountStatus = .active) throws -> AccountReport
    {
        AccountReport(
            key: AccountKey(user: try UserID(user), provider: .google, inbox: try InboxID(inbox)), status: status,
            isRunning: status != .stopped, phase: .live, listed: 10, stored: 8, gone: 1, gaps: 1, published: 7,
            outboxDepth: 1, oldestUnpublishedSeconds: 3, lastSyncedAt: 1_700_000_000, retryCount: 0)
    }
}

extension RawClient.Answer {
    /// Whether this is a problem document that names its request.
    var isProblem: Bool {
        headers["content-type"] == "application/problem+json" && json["status"] as? Int == status
            && string("type")?.hasPrefix("urn:mailsync:problem:") == true && string("title") != nil
            && string("detail") != nil && string("request_id") == headers["x-request-id"]
            && headers["x-request-id"]?.isEmpty == false
    }
}
