import Foundation
import MailModel
import MailPush
import MailTestSupport
import Synchronization
import Testing

@testable import MailAPI

/// Knows what some subscriptions were told, and remembers what was announced.
final class RecordingReceiver: PushReceiver {
    private let told: [String: String]
    private let seen = Mutex<[PushAnnouncement]>([])

    init(told: [String: String] = [:]) { self.told = told }

    func receive(_ announcement: PushAnnouncement) -> PushReceipt {
        seen.withLock { $0.append(announcement) }
        guard let told = told[announcement.subscription] else { return .unknown }
        return announcement.clientState?.revealed == told ? .accepted : .forged
    }

    /// `subscription notice`, in order.
    var announced: [String] { seen.withLock { $0.map { "\($0.subscription) \($0.notice)" } } }
    var states: [String?] { seen.withLock { $0.map { $0.clientState?.revealed } } }
    var providers: Set<ProviderKind> { seen.withLock { Set($0.map(\.provider)) } }
}

/// `POST /webhooks/microsoft`, over HTTP.
@Suite struct MicrosoftWebhookTests {
    private let receiver = RecordingReceiver(told: ["sub-1": "secret-1", "sub-2": "secret-2"])

    private func run(_ body: @Sendable (API) async throws -> Void) async throws {
        var fixture = APIFixture()
        fixture.pushes = PushWebhooks(receiver: receiver)
        try await fixture.run(body)
    }

    private static let path = "/webhooks/microsoft"

    private static func entry(
        _ subscription: String = "sub-1", _ state: String? = "secret-1", _ more: String = ""
    ) -> String {
        let state = state.map { #","clientState":"\#($0)""# } ?? ""
        return #"{"subscriptionId":"\#(subscription)"\#(state)\#(more)}"#
    }

    private static func post(_ entries: String...) -> String { #"{"value":[\#(entries.joined(separator: ","))]}"# }

    private func count(_ outcome: String, _ api: API) -> Bool {
        api.fixture.metrics.render().contains(
            #"mailsync_pushes_total{provider="microsoft",outcome="\#(outcome)"} 1"#)
    }

    // MARK: The handshake

    @Test(arguments: [
        (
            "Validation%3a+Testing+client+application+reachability+for+subscription+Request-Id%3a+877cb92e-a60b",
            "Validation: Testing client application reachability for subscription Request-Id: 877cb92e-a60b"
        ),
        ("abc", "abc"), ("a%20b+c%2Bd", "a b c+d"), ("100%2525", "100%25"), ("%C3%A9%e2%82%ac", "é€"),
        ("%3Cscript%3Ealert(1)%3C/script%3E", "<script>alert(1)</script>"), ("a=b=c", "a=b=c"),
        ("50%", "50%"), ("%zz%1", "%zz%1"), ("%0D%0AX-Evil:%201", "\r\nX-Evil: 1"), ("%26amp%3B", "&amp;"),
        ("%00", "\0"),
    ])
    func theTokenComesBackDecodedOnce(sent: String, expected: String) async throws {
        try await run { (api: API) async throws in
            let answer = try await api.call(
                "POST", "\(Self.path)?validationToken=\(sent)", body: "",
                headers: ["Content-Type": "text/plain; charset=utf-8"])
            #expect(answer.status == 200 && answer.text == expected)
            #expect(answer.headers["content-type"] == "text/plain")
            #expect(answer.headers["x-content-type-options"] == "nosniff" && answer.headers["x-evil"] == nil)
            let among = try await api.call("POST", "\(Self.path)?a=1&validationToken=\(sent)&b=2")
            #expect(among.text == expected)
        }
        #expect(receiver.announced.isEmpty)
    }

    @Test func theBytesOfATokenNeedNotBeText() async throws {
        try await run { (api: API) async throws in
            let answer = try await api.call("POST", "\(Self.path)?validationToken=%ff%fe")
            #expect(answer.status == 200 && answer.body == [0xff, 0xfe])
        }
    }

    @Test(arguments: [
        "validationToken=", "validationToken", "validationToken=a&validationToken=b",
        "validationToken=" + String(repeating: "x", count: 2049),
    ])
    func otherTokensAreRefused(query: String) async throws {
        try await run { (api: API) async throws in
            let answer = try await api.call("POST", "\(Self.path)?\(query)")
            #expect(answer.status == 422 && answer.isProblem && answer.string("field") == "validationToken")
        }
    }

    @Test func theHandshakeNeedsNobodyElse() async throws {
        try await run { (api: API) async throws in
            // Requests that have not come to their end, on other connections.
            let pending = try (0..<20).map { _ in try RawClient(port: api.port) }
            for client in pending {
                await client.send("POST \(Self.path) HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
            }
            let answer = try await api.call("POST", "\(Self.path)?validationToken=now")
            #expect(answer.text == "now")
            _ = pending
        }
    }

    // MARK: Announcements

    @Test func anEntryWakesItsAccount() async throws {
        try await run { (api: API) async throws in
            let answer = try await api.call("POST", Self.path, body: Self.post(Self.entry()))
            #expect(answer.status == 202 && count("accepted", api))
        }
        #expect(receiver.announced == ["sub-1 changed"] && receiver.states == ["secret-1"])
        #expect(receiver.providers == [.microsoft])
    }

    @Test(.enabled(if: SharedMaterial.specs != nil), arguments: ["message-created", "lifecycle"])
    func theDocumentedPosts(name: String) async throws {
        let specs = try #require(SharedMaterial.specs)
        let body = try String(contentsOfFile: "\(specs)/graph/docs-samples/notification-\(name).json", encoding: .utf8)
        try await run { (api: API) async throws in
            #expect(try await api.call("POST", Self.path, body: body).status == 202)
        }
        let id = "7f105c7d-2dc5-4530-97cd-4e7ae6534c07"
        let notices = name == "lifecycle" ? ["reauthorize", "removed", "missed"] : ["changed"]
        #expect(receiver.announced == notices.map { "\(id) \($0)" })
        #expect(Set(receiver.states) == ["SecretClientState"])
    }

    @Test func severalSubscriptionsInOnePost() async throws {
        try await run { (api: API) async throws in
            let answer = try await api.call(
                "POST", Self.path,
                body: Self.post(
                    Self.entry("sub-1", "secret-1", #","changeType":"created","tenantId":"a""#),
                    Self.entry("sub-2", "secret-2", #","lifecycleEvent":"missed""#),
                    Self.entry("sub-1", "secret-1", #","changeType":"updated","future":{"x":[1,null]}"#),
                    Self.entry("nobody", "x"), Self.entry("sub-2", "wrong"), Self.entry("sub-1", nil), "7", "{}",
                    #"{"subscriptionId":5,"clientState":"secret-1"}"#,
                    #"{"SubscriptionID":"sub-2","CLIENTSTATE":"secret-2","lifecycleEvent":"SUBSCRIPTIONREMOVED"}"#,
                    Self.entry("sub-2", "secret-2", #","lifecycleEvent":"somethingNew""#)))
            #expect(answer.status == 202)
            let text = api.fixture.metrics.render()
            for (outcome, number) in [
                ("accepted", 4), ("unknown", 1), ("forged", 1), ("unsigned", 1), ("malformed", 2),
            ] {
                let line = #"mailsync_pushes_total{provider="microsoft",outcome="\#(outcome)"} \#(number)"#
                #expect(text.contains(line + "\n"), "\(line)")
            }
        }
        #expect(
            receiver.announced == [
                "sub-1 changed", "sub-2 missed", "nobody changed", "sub-2 changed", "sub-2 removed", "sub-2 changed",
            ])
    }

    @Test func aForgedTwinHidesNothing() async throws {
        try await run { (api: API) async throws in
            let body = Self.post(Self.entry("sub-1", "wrong"), Self.entry(), Self.entry("sub-1", "wrong"))
            #expect(try await api.call("POST", Self.path, body: body).status == 202)
        }
        #expect(receiver.states == ["wrong", "secret-1"])
    }

    @Test(arguments: [
        [entry("sub-1", "wrong")], [entry("sub-1", nil)], [entry("sub-1", "")], [entry("sub-2", "secret-1"), "{}"],
        [entry("sub-1", "wrong", #","lifecycleEvent":"subscriptionRemoved""#), entry("sub-2", nil)],
    ])
    func whatNobodyToldIsRefused(entries: [String]) async throws {
        try await run { (api: API) async throws in
            let answer = try await api.call(
                "POST", Self.path, body: #"{"value":[\#(entries.joined(separator: ","))]}"#)
            #expect(answer.status == 401 && answer.isProblem && answer.headers["www-authenticate"] != nil)
            #expect(count("forged", api) || count("unsigned", api))
            #expect(!answer.text.contains("secret") && !answer.text.contains("wrong"))
        }
    }

    @Test func whatIsForNobodyIsTaken() async throws {
        try await run { (api: API) async throws in
            #expect(try await api.call("POST", Self.path, body: Self.post(Self.entry("gone", "x"))).status == 202)
            #expect(count("unknown", api))
        }
    }

    @Test(arguments: [
        ("{", 400), ("", 400), ("null", 422), ("[]", 422), ("7", 422), ("{}", 422), (#"{"value":null}"#, 422),
        (#"{"value":{}}"#, 422), (#"{"value":[]}"#, 422), (#"{"value":["x",{}]}"#, 422),
    ])
    func garbageIsRefused(body: String, status: Int) async throws {
        try await run { (api: API) async throws in
            let answer = try await api.call("POST", Self.path, body: body)
            #expect(answer.status == status && answer.isProblem, "\(answer.status) \(answer.text)")
            #expect(api.fixture.metrics.render().contains(#"outcome="malformed"}"#))
        }
        #expect(receiver.announced.isEmpty)
    }

    @Test func onlyJSONOfABoundedSizeIsRead() async throws {
        try await run { (api: API) async throws in
            let text = try await api.call("POST", Self.path, body: "{}", headers: ["Content-Type": "text/plain"])
            #expect(text.status == 415 && text.isProblem)
            let filler = String(repeating: "x", count: Route.bodyBytesMax)
            let large = try await api.call("POST", Self.path, body: Self.post(Self.entry("sub-1", filler)))
            #expect(large.status == 413 && large.isProblem)
            let some = String(repeating: "x", count: Route.bodyBytesMax - 1000)
            let fits = try await api.call(
                "POST", Self.path, body: Self.post(Self.entry(), Self.entry("sub-1", "secret-1", #","x":"\#(some)""#)))
            #expect(fits.status == 202)
            #expect(try await api.call("GET", Self.path).status == 405)
        }
        #expect(receiver.announced == ["sub-1 changed"])
    }

    @Test func withoutAReceiverNothingIsTaken() async throws {
        try await APIFixture().run { (api: API) async throws in
            let answer = try await api.call("POST", Self.path, body: Self.post(Self.entry()))
            #expect(answer.status == 503 && answer.isProblem)
        }
    }

    @Test func twoHundredAtOnce() async throws {
        try await run { (api: API) async throws in
            let answers = try await withThrowingTaskGroup(of: (status: Int, Duration).self) { group in
                for index in 0..<200 {
                    group.addTask {
                        let isHandshake = index % 10 == 0
                        let client = try RawClient(port: api.port)
                        let request = try api.request(
                            "POST", isHandshake ? "\(Self.path)?validationToken=t" : Self.path,
                            body: isHandshake ? nil : Array(Self.post(Self.entry(), Self.entry("sub-2", "x")).utf8))
                        let start = ContinuousClock.now
                        await client.send(request)
                        return (try await client.receive().status, ContinuousClock.now - start)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(
                answers.map(\.status).sorted() == Array(repeating: 200, count: 20) + Array(repeating: 202, count: 180))
            // Graph waits ten seconds; on a machine with nothing else to do this takes milliseconds.
            let slowest = try #require(answers.map(\.1).max())
            #expect(slowest < .seconds(5), "\(slowest)")
        }
        #expect(receiver.announced.count == 360)
    }
}
