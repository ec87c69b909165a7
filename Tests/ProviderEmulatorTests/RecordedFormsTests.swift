import Foundation
import MailTestSupport
import Testing

@testable import ProviderEmulator

/// The emulator's errors and answers against recorded ones.
@Suite(.enabled(if: SharedMaterial.specs != nil)) struct RecordedFormsTests {
    @Test(arguments: [
        ("400-missing-startHistoryId", GmailError.missingStartHistoryID),
        ("400-precondition", .precondition), ("401-authError", .authError),
        ("403-dailyLimitExceeded", .dailyLimit),
        ("403-insufficient-scopes", .insufficientScopes(method: "caribou.api.proto.MailboxService.ListMessages")),
        ("403-metadata-scope-full", .metadataScopeFull), ("403-metadata-scope-q", .metadataScopeQuery),
        ("403-per-user-quota-metric", .perUserQuota), ("403-userRateLimitExceeded", .userRateLimit),
        ("404-history-too-old", .notFound), ("404-message-not-found", .notFound),
        ("429-resource-exhausted", .resourceExhausted), ("429-too-many-concurrent", .tooManyConcurrent),
        ("429-user-rate-retry-after-in-message", .userRateRetryAfter("2026-01-21T12:57:51.196Z")),
        ("500-backendError", .backendError),
    ])
    func gmailErrors(_ file: String, _ error: GmailError) throws {
        #expect(try Self.json(Data(error.body)) == Self.file("gmail/errors/\(file).json"))
        #expect(file.hasPrefix(String(error.code)))
    }

    @Test(arguments: [
        ("google-400-invalid_grant", OAuthError.invalidGrant),
        ("google-400-invalid_grant-bad-request", .invalidGrantBadRequest),
        ("google-400-invalid_rapt", .invalidRapt), ("google-401-invalid_client", .invalidClient),
        ("google-revoke-400", .invalidToken),
    ])
    func oauthErrors(_ file: String, _ error: OAuthError) throws {
        #expect(try Self.json(Data(error.body)) == Self.file("oauth/\(file).json"))
    }

    @Test func everyPlaceThatAnswersAnErrorUsesTheForms() async throws {
        try await EmulatorFixture.run(scopes: [GmailScope.metadata]) { fixture in
            let id = try fixture.deliver("x")
            for (path, file) in [
                ("history", "400-missing-startHistoryId"), ("history?startHistoryId=1", "404-history-too-old"),
                ("messages/0000000000000001?format=metadata", "404-message-not-found"),
                ("messages/\(id)", "403-metadata-scope-full"),
                ("messages?q=in:inbox", "403-metadata-scope-q"),
            ] {
                let response = try await fixture.gmail(path)
                #expect(try Self.json(Data(response.body)) == Self.file("gmail/errors/\(file).json"), "\(path)")
            }
            let unauthorized = try await fixture.gmail("profile", token: "nonsense")
            #expect(unauthorized.status == 401)
            #expect(try Self.json(Data(unauthorized.body)) == Self.file("gmail/errors/401-authError.json"))
        }
    }

    @Test func sampleKeys() async throws {
        try await EmulatorFixture.run { fixture in
            let address = EmulatorFixture.address
            let start = try fixture.google.historyID(of: address)
            #expect(try await Self.keys(fixture.object("messages")) == Self.keys("messages.list.empty"))
            let quiet = try await fixture.object("history?startHistoryId=\(start)")
            #expect(Self.keys(quiet) == (try Self.keys("history.list.no-changes")))
            let id = try fixture.deliver("a")
            let doomed = try fixture.deliver("b")
            try fixture.google.modify(id, in: address, remove: ["UNREAD"])
            try fixture.google.delete(doomed, in: address)
            _ = try fixture.google.createLabel("Clients/Acme", in: address)
            try fixture.deliver("c")
            #expect(try await Self.keys(fixture.object("messages?maxResults=1")) == Self.keys("messages.list"))
            #expect(try await Self.keys(fixture.object("profile")) == Self.keys("profile"))
            #expect(
                try await Self.keys(fixture.object("history?startHistoryId=\(start)"))
                    == Self.keys("history.list"))
            let labels = try await Self.keys(fixture.object("labels"))
            #expect(labels.isSubset(of: try Self.keys("labels.list")))
            #expect(labels.contains("labels.messageListVisibility"))
        }
    }

    /// All keys of a value, nested ones as `a.b`.
    private static func keys(_ value: Any) -> Set<String> {
        if let array = value as? [Any] { return array.reduce(into: []) { $0.formUnion(keys($1)) } }
        guard let object = value as? [String: Any] else { return [] }
        return object.reduce(into: []) { all, entry in
            all.insert(entry.key)
            all.formUnion(keys(entry.value).map { "\(entry.key).\($0)" })
        }
    }

    private static func keys(_ sample: String) throws -> Set<String> {
        keys(try JSONSerialization.jsonObject(with: data("gmail/samples/\(sample).json")))
    }

    private static func data(_ path: String) throws -> Data {
        try Data(contentsOf: URL(filePath: "\(SharedMaterial.specs ?? "")/\(path)"))
    }

    private static func file(_ path: String) throws -> NSDictionary? { try json(data(path)) }

    private static func json(_ data: Data) throws -> NSDictionary? {
        try JSONSerialization.jsonObject(with: data) as? NSDictionary
    }
}
