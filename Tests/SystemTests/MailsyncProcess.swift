import Foundation
import HTTPTransport
import MailTestSupport

/// A `mailsync serve` that was started.
struct MailsyncProcess: Sendable {
    let program: SpawnedProgram
    let baseURL: String
    let transport: HTTPTransport

    /// How long a start, or an end without a deadline of its own, may take on a busy machine.
    static let patience = Duration.seconds(60)

    struct EndedEarly: Error, CustomStringConvertible {
        let description: String
    }

    /// Returns when `/readyz` says so.
    func waitUntilReady() async throws {
        try await eventually("mailsync is ready", within: Self.patience) {
            if let exit = program.exit { throw EndedEarly(description: "mailsync ended at its start: \(exit)") }
            return try await answers(200, "/readyz")
        }
    }

    func answers(_ status: Int, _ path: String) async throws -> Bool {
        do {
            return try await get(path).status == status
        } catch is TransportError {
            return false
        }
    }

    func get(_ path: String, token: String? = nil) async throws -> HTTPResponse {
        let headers = token.map { [(name: "Authorization", value: "Bearer \($0)")] } ?? []
        return try await transport.send(HTTPRequest(.get, baseURL + path, headers: headers, timeout: .seconds(20)))
    }

    /// kill -9, and the end that follows.
    func kill() async {
        program.send(SIGKILL)
        _ = await program.waitForExit(within: Self.patience)
    }

    /// SIGTERM; its end, or nil when that did not come in time.
    func terminate(within limit: Duration = patience) async -> SpawnedProgram.Exit? {
        program.send(SIGTERM)
        return await program.waitForExit(within: limit)
    }

    /// Its API as a user calls it.
    func client(of user: MailUser) -> UserClient { UserClient(process: self, user: user) }
}

/// The API as one user calls it.
struct UserClient: Sendable {
    let process: MailsyncProcess
    let user: MailUser

    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    /// Connects all of the user's mailboxes with new grants of their providers.
    ///
    /// - Returns: what was sent for the first one.
    @discardableResult
    func connect() async throws -> ConnectBody {
        var sent: [ConnectBody] = []
        for mailbox in user.mailboxes { sent.append(try await connect(mailbox)) }
        return sent[0]
    }

    private func connect(_ mailbox: UserMailbox) async throws -> ConnectBody {
        let grant = try mailbox.box.grant()
        let body = ConnectBody(
            provider: mailbox.box.provider.apiName, access_token: grant.accessToken,
            refresh_token: grant.refreshToken, expires_in: grant.expiresIn, inbox_id: mailbox.inbox)
        let response = try await post("/mail/connect", JSONEncoder().encode(body))
        guard response.status == 200 else {
            let text = String(decoding: response.body, as: UTF8.self)
            throw Refused(description: "POST /mail/connect: \(response.status) \(text)")
        }
        return body
    }

    func post(_ path: String, _ body: Data) async throws -> HTTPResponse {
        try await process.transport.send(
            HTTPRequest(
                .post, process.baseURL + path,
                headers: [
                    (name: "Authorization", value: "Bearer \(user.token)"),
                    (name: "Content-Type", value: "application/json"),
                ], body: Array(body), timeout: .seconds(20)))
    }

    /// The user's first account as `GET /mail/status` shows it; nil while the service cannot be asked.
    func account() async throws -> AccountView? { try await accounts().first }

    /// The user's accounts as `GET /mail/status` shows them; none while the service cannot be asked.
    func accounts() async throws -> [AccountView] {
        do {
            let response = try await process.get("/mail/status", token: user.token)
            guard response.status == 200 else { return [] }
            return try JSONDecoder().decode(StatusView.self, from: Data(response.body)).accounts
        } catch is TransportError {
            return []
        }
    }
}

/// The body of `POST /mail/connect`, under the names of the API.
struct ConnectBody: Encodable, Sendable {
    let provider: String
    let access_token: String
    let refresh_token: String
    let expires_in: Int
    let inbox_id: String
}

private struct StatusView: Decodable {
    let accounts: [AccountView]
}

/// What tests read of `GET /mail/status`, under the names of the API.
struct AccountView: Decodable, Sendable {
    let status: String
    let phase: String
    let listed: Int
    let stored: Int
    let gone: Int
    let gaps: Int
    let given_up: Int
    let missing: Int
    let last_verified_at: Int64?
    let published: Int
    let outbox_depth: Int
    let waiting_for: String?
    let pushes: String
    let pushes_until: Int64?
    let push_error: String?
}
