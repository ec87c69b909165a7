import Foundation
import HTTPTransport

/// Calls the service as its user would: over HTTP, with a JWT.
struct DemoClient: Sendable {
    typealias Answer = HTTPResponse

    let transport: HTTPTransport
    let baseURL: String
    let token: String

    func post(_ path: String, _ body: String) async throws -> HTTPResponse {
        try await send(.post, path, body: Array(body.utf8))
    }

    func get(_ path: String) async throws -> HTTPResponse { try await send(.get, path, body: nil) }

    /// The one account of the demo's user, as `GET /mail/status` shows it.
    func account() async throws -> DemoAccount? {
        let response = try await get("/mail/status")
        guard response.status == 200 else {
            throw DemoFailure(
                "GET /mail/status answered \(response.status): \(String(decoding: response.body, as: UTF8.self))")
        }
        return try JSONDecoder().decode(DemoStatus.self, from: Data(response.body)).accounts.first
    }

    private func send(_ method: HTTPRequest.Method, _ path: String, body: [UInt8]?) async throws -> HTTPResponse {
        var headers = [(name: "Authorization", value: "Bearer \(token)")]
        if body != nil { headers.append((name: "Content-Type", value: "application/json")) }
        return try await transport.send(HTTPRequest(method, baseURL + path, headers: headers, body: body))
    }
}

private struct DemoStatus: Decodable {
    let accounts: [DemoAccount]
}

/// The numbers of `GET /mail/status` that the demo shows.
struct DemoAccount: Decodable, Sendable {
    let status: String
    let phase: String
    let listed: Int
    let stored: Int
    let gone: Int
    let gaps: Int
    let published: Int
    let outboxDepth: Int
    let lastError: String?
    let waitingFor: String?
    let etaSeconds: Int?
    let pushes: String?

    private enum CodingKeys: String, CodingKey {
        case status, phase, listed, stored, gone, gaps, published, pushes
        case outboxDepth = "outbox_depth"
        case lastError = "last_error"
        case waitingFor = "waiting_for"
        case etaSeconds = "eta_s"
    }

    var isCaughtUp: Bool { phase == "live" && outboxDepth == 0 }
}

/// Why the demo could not go on; printed as it is.
struct DemoFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
