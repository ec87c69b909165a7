import Foundation
import HTTPTransport
import MailTestSupport
import ProviderEmulator
import Testing

/// The emulator's Graph, and where it posts to.
struct SubscriptionFixture {
    static let now: Int64 = 1_767_225_600

    let graph: GraphFixture
    let endpoint: GraphEndpoint
    var microsoft: MicrosoftEmulator { graph.microsoft }

    static func run(
        _ endpoint: GraphEndpoint? = nil, configure: (inout EmulatorConfiguration) -> Void = { _ in },
        _ body: (SubscriptionFixture) async throws -> Void
    ) async throws {
        let endpoint = try endpoint ?? GraphEndpoint()
        try await GraphFixture.run(configure: configure) { graph in
            try await body(SubscriptionFixture(graph: graph, endpoint: endpoint))
        }
    }

    /// The request for a subscription; a nil change takes a member out.
    func request(minutes: Int64 = 4230, _ changes: [String: Any?] = [:]) throws -> String {
        var members: [String: Any] = [
            "changeType": "created,updated,deleted", "notificationUrl": endpoint.url,
            "lifecycleNotificationUrl": endpoint.url, "resource": "me/messages",
            "expirationDateTime": Self.time(minutes: minutes), "clientState": "state",
        ]
        for (name, value) in changes { members[name] = value }
        return String(decoding: try JSONSerialization.data(withJSONObject: members), as: UTF8.self)
    }

    static func time(minutes: Int64) -> String {
        Date(timeIntervalSince1970: Double(now + minutes * 60)).formatted(.iso8601)
    }

    func call(
        _ method: HTTPRequest.Method, _ path: String = "", _ body: String? = nil, token: String? = nil,
        isImmutable: Bool = true
    ) async throws -> HTTPResponse {
        var headers = [("authorization", "Bearer \(token ?? graph.grant.accessToken)")]
        if isImmutable { headers.append(("prefer", GraphFixture.immutable)) }
        if body != nil { headers.append(("content-type", "application/json")) }
        return try await graph.base.send(method, "/v1.0/subscriptions\(path)", headers: headers, body: body)
    }

    /// Makes a subscription; the answer's members.
    @discardableResult
    func subscribe(
        minutes: Int64 = 4230, _ changes: [String: Any?] = [:], token: String? = nil, isImmutable: Bool = true
    ) async throws -> [String: Any] {
        let response = try await call(
            .post, "", try request(minutes: minutes, changes), token: token, isImmutable: isImmutable)
        #expect(response.status == 201, "\(response.text)")
        return try response.object()
    }

    /// Everything that was told by now.
    func told() async -> [[String: Any]] {
        await graph.base.emulator.courier.untilIdle()
        return endpoint.notifications.flatMap(\.entries)
    }
}

extension [[String: Any]] {
    /// `created`, `missed` …, sorted.
    var events: [String] {
        compactMap { ($0["changeType"] ?? $0["lifecycleEvent"]) as? String }.sorted()
    }

    var resourceIDs: Set<String> {
        Set(compactMap { ($0["resourceData"] as? [String: Any])?["id"] as? String })
    }
}
