import Foundation
import HTTPTransport
import Logging
import MailTestSupport
import ProviderEmulator
import Testing

/// A running emulator with one mailbox and a client that holds a token for it.
struct EmulatorFixture {
    static let address = "ann@example.net"

    let emulator: ProviderEmulator
    let transport: HTTPTransport
    let time: ManualTime
    let grant: TokenGrant
    var google: GoogleEmulator { emulator.google }

    /// Starts it, runs the body, and stops both ends whatever happens.
    static func run(
        scopes: [String] = [GmailScope.full], configure: (inout EmulatorConfiguration) -> Void = { _ in },
        _ body: (EmulatorFixture) async throws -> Void
    ) async throws {
        var logger = Logger(label: "emulator-tests")
        logger.logLevel = .error
        let time = ManualTime(nowMilliseconds: 1_767_225_600_000)
        var configuration = EmulatorConfiguration()
        configuration.time = time
        configure(&configuration)
        let emulator = try await ProviderEmulator.start(configuration, logger: logger)
        let transport = HTTPTransport(logger: logger)
        do {
            try emulator.google.createMailbox(address)
            let grant = try emulator.google.grant(address, scopes: scopes)
            try await body(.init(emulator: emulator, transport: transport, time: time, grant: grant))
        } catch {
            await transport.shutdown()
            await emulator.shutdown()
            throw error
        }
        await transport.shutdown()
        await emulator.shutdown()
    }

    /// A Gmail call; `path` follows `/gmail/v1/users/me/`.
    func gmail(
        _ path: String, _ method: HTTPRequest.Method = .get, token: String? = nil, json: String? = nil
    ) async throws -> HTTPResponse {
        var headers = [("authorization", "Bearer \(token ?? grant.accessToken)")]
        if json != nil { headers.append(("content-type", "application/json")) }
        return try await transport.send(
            HTTPRequest(
                method, "\(emulator.baseURL)/gmail/v1/users/me/\(path)", headers: headers,
                body: json.map { Array($0.utf8) }, timeout: .seconds(10)))
    }

    /// The JSON object of a Gmail call that must succeed.
    func object(_ path: String) async throws -> [String: Any] {
        let response = try await gmail(path)
        #expect(response.status == 200, "\(path): \(String(decoding: response.body, as: UTF8.self))")
        return try response.object()
    }

    func send(
        _ method: HTTPRequest.Method, _ path: String, headers: [(String, String)] = [], body: String? = nil
    ) async throws -> HTTPResponse {
        try await transport.send(
            HTTPRequest(
                method, emulator.baseURL + path, headers: headers, body: body.map { Array($0.utf8) },
                timeout: .seconds(10)))
    }

    /// The token endpoint, with these fields.
    func tokenEndpoint(_ fields: [String: String], path: String = "/oauth/google/token") async throws -> HTTPResponse {
        let form = fields.map { "\($0.key)=\(Self.encoded($0.value))" }.sorted().joined(separator: "&")
        return try await send(
            .post, path, headers: [("content-type", "application/x-www-form-urlencoded")], body: form)
    }

    func refresh(_ token: String? = nil) async throws -> HTTPResponse {
        let oauth = OAuthConfiguration()
        return try await tokenEndpoint([
            "client_id": oauth.clientID, "client_secret": oauth.clientSecret, "grant_type": "refresh_token",
            "refresh_token": token ?? grant.refreshToken,
        ])
    }

    @discardableResult
    func deliver(_ subject: String, labels: [String] = ["INBOX", "UNREAD"], extra: String = "") throws -> String {
        let raw =
            "From: Bob <bob@example.org>\r\nTo: \(Self.address)\r\nSubject: \(subject)\r\n"
            + "Message-ID: <\(subject)@example.org>\r\n\(extra)\r\nhello\r\n"
        return try google.deliver(Array(raw.utf8), to: Self.address, labels: labels)
    }

    /// The ids of one listing page.
    func listed(_ query: String = "") async throws -> [String] {
        try ids(await object("messages\(query)"))
    }

    func ids(_ page: [String: Any]) -> [String] {
        (page["messages"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
    }

    private static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
    }
}

extension HTTPResponse {
    struct NotAnObject: Error {}

    func object() throws -> [String: Any] {
        guard let object = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] else {
            throw NotAnObject()
        }
        return object
    }

    /// `error.errors[0].reason` of a Gmail error.
    var reason: String? {
        let error = (try? object())?["error"] as? [String: Any]  // A body that is no JSON has no reason.
        return (error?["errors"] as? [[String: Any]])?.first?["reason"] as? String
    }

    var text: String { String(decoding: body, as: UTF8.self) }
}
