import Foundation
import HTTPTransport
import ProviderEmulator
import Testing

/// A Graph client of the fixture's emulator, with a token for one Microsoft mailbox.
struct GraphFixture {
    static let address = "mia@example.com"
    static let immutable = "IdType=\"ImmutableId\""

    let base: EmulatorFixture
    let grant: TokenGrant
    var microsoft: MicrosoftEmulator { base.emulator.microsoft }

    static func run(
        configure: (inout EmulatorConfiguration) -> Void = { _ in }, _ body: (GraphFixture) async throws -> Void
    ) async throws {
        try await EmulatorFixture.run(configure: configure) { base in
            try base.emulator.microsoft.createMailbox(address)
            let grant = try base.emulator.microsoft.grant(address)
            try await body(GraphFixture(base: base, grant: grant))
        }
    }

    /// A Graph call: a path below `/v1.0`, or a link.
    func get(_ path: String, prefer: [String] = [immutable], token: String? = nil) async throws -> HTTPResponse {
        let url = path.hasPrefix("http") ? path : base.emulator.graphURL + path
        let headers =
            [("authorization", "Bearer \(token ?? grant.accessToken)")] + prefer.map { ("prefer", $0) }
        return try await base.transport.send(HTTPRequest(.get, url, headers: headers, timeout: .seconds(10)))
    }

    /// The JSON object of a call that must succeed.
    func object(_ path: String, prefer: [String] = [immutable]) async throws -> [String: Any] {
        let response = try await get(path, prefer: prefer)
        #expect(response.status == 200, "\(path): \(response.text)")
        return try response.object()
    }

    /// A whole round from a path or a link: its entries in order, the page sizes, and the link to the next round.
    func round(
        _ path: String, prefer: [String] = [immutable]
    ) async throws -> (entries: [[String: Any]], pages: [Int], deltaLink: String) {
        var entries: [[String: Any]] = []
        var pages: [Int] = []
        var next = path
        while true {
            let page = try await object(next, prefer: prefer)
            let value = page["value"] as? [[String: Any]] ?? []
            entries += value
            pages.append(value.count)
            if let link = page["@odata.deltaLink"] as? String {
                #expect(page["@odata.nextLink"] == nil)
                return (entries, pages, link)
            }
            next = try #require(page["@odata.nextLink"] as? String)
        }
    }

    func messagesRound(_ folder: String, _ options: String = "$select=subject,isRead,parentFolderId") async throws
        -> (entries: [[String: Any]], pages: [Int], deltaLink: String)
    {
        try await round("/me/mailFolders/\(folder)/messages/delta?\(options)")
    }

    @discardableResult
    func deliver(_ subject: String, folder: String = "inbox", extra: String = "") throws -> String {
        let raw =
            "From: Bob <bob@example.org>\r\nTo: \(Self.address)\r\nSubject: \(subject)\r\n"
            + "Message-ID: <\(subject)@example.org>\r\n\(extra)\r\nhello\r\n"
        return try microsoft.deliver(Array(raw.utf8), to: Self.address, folder: folder)
    }

    func post(_ path: String, _ json: String) async throws -> HTTPResponse {
        try await base.send(
            .post, path,
            headers: [("authorization", "Bearer \(grant.accessToken)"), ("content-type", "application/json")],
            body: json)
    }

    /// The answers of a batch by id.
    func batch(_ requests: [[String: Any]]) async throws -> [String: [String: Any]] {
        let body = try JSONSerialization.data(withJSONObject: ["requests": requests])
        let response = try await post("/v1.0/$batch", String(decoding: body, as: UTF8.self))
        #expect(response.status == 200, "\(response.text)")
        let parts = try response.object()["responses"] as? [[String: Any]] ?? []
        return Dictionary(uniqueKeysWithValues: parts.map { ($0["id"] as? String ?? "", $0) })
    }

    func refresh(_ token: String? = nil, _ changes: [String: String] = [:]) async throws -> HTTPResponse {
        let configuration = MicrosoftConfiguration()
        let fields = [
            "client_id": configuration.clientID, "client_secret": configuration.clientSecret,
            "grant_type": "refresh_token", "refresh_token": token ?? grant.refreshToken,
        ]
        return try await base.tokenEndpoint(
            fields.merging(changes) { $1 }.filter { !$0.value.isEmpty }, path: "/common/oauth2/v2.0/token")
    }
}

extension [[String: Any]] {
    var ids: [String] { compactMap { $0["id"] as? String } }
    /// The ids of entries told as removed.
    var removed: [String] { filter { $0["@removed"] != nil }.ids }
    /// The ids of the others.
    var present: [String] { filter { $0["@removed"] == nil }.ids }
}

extension HTTPResponse {
    /// `error.code` of a Graph error.
    var code: String? {
        ((try? object())?["error"] as? [String: Any])?["code"] as? String  // A body that is no JSON has no code.
    }
}
