import Foundation
import HTTPTransport
import MailModel
import MailPush
import MailTestSupport
import Testing

@testable import Accounts
@testable import MailAPI

/// `POST /webhooks/google`, over HTTP.
@Suite struct GoogleWebhookTests {
    private static let path = "/webhooks/google"
    private static let payload = #"{"emailAddress":"Ann@Example.net","historyId":9876543210}"#

    private let receiver = MailboxReceiver(knows: "ann@example.net")
    private let fetches = Counter()

    /// The bytes are signed as Google's, unless said otherwise.
    private struct Google: Sendable {
        let api: API
        let token: String

        func push(_ body: String, bearer: String? = nil, headers: [String: String] = [:]) async throws
            -> RawClient.Answer
        {
            try await api.call("POST", path, bearer: bearer ?? token, body: body, headers: headers)
        }

        func count(_ outcome: PushOutcome) -> Int {
            let name = #"mailsync_pushes_total{provider="google",outcome="\#(outcome.rawValue)"} "#
            let line = api.fixture.metrics.render().split(separator: "\n").first { $0.hasPrefix(name) }
            return line.flatMap { Int($0.dropFirst(name.count)) } ?? 0
        }

        /// All outcomes that were counted.
        var counted: [PushOutcome: Int] {
            Dictionary(uniqueKeysWithValues: PushOutcome.allCases.map { ($0, count($0)) }).filter { $0.value > 0 }
        }
    }

    private func run(
        hasKeys: Bool = true, isConfigured: Bool = true, _ body: @Sendable (Google) async throws -> Void
    ) async throws {
        let signer = try GoogleSigner.published.get()
        let time = FixedWallTime(GoogleSigner.now * 1000)
        var fixture = APIFixture(time: time)
        let verifier = PushTokenVerifier.test(
            keySet: hasKeys ? try signer.keySet() : nil, time: time, fetches: fetches)
        fixture.pushes = PushWebhooks(receiver: receiver, google: isConfigured ? verifier : nil)
        let token = try signer.token()
        try await fixture.run { api in try await body(Google(api: api, token: token)) }
    }

    private static func wrapped(_ data: String) -> String {
        #"{"message":{"data":"\#(data)","messageId":"1","publishTime":"2026-02-26T19:13:55.749Z"},"subscription":"s"}"#
    }

    // MARK: What is taken

    @Test(
        .enabled(if: SharedMaterial.specs != nil),
        arguments: ["gmail", "gmail-string-historyId", "max"])
    func recordedPushesWakeTheirMailbox(_ name: String) async throws {
        let file = "\(SharedMaterial.specs ?? "")/pubsub/push-wrapped.\(name).json"
        let body = try String(contentsOfFile: file, encoding: .utf8)
        try await run { (google: Google) async throws in
            let answer = try await google.push(body)
            #expect(answer.status == 204 && answer.body.isEmpty)
            #expect(google.counted == [.accepted: 1])
        }
        #expect(receiver.mailboxes == ["ann@example.net"])
        #expect(receiver.announcements.map(\.provider) == [.google])
        #expect(receiver.announcements.map(\.notice) == [.changed])
    }

    @Test func everyFormOfAPayloadIsRead() async throws {
        // Base64 with the characters in which the alphabets differ.
        let odd = #"{"emailAddress":"a>>??~~@example.net","historyId":"18446744073709551615","more":[{}]}"#
        let standard = Data(odd.utf8).base64EncodedString()
        let url = standard.replacing("+", with: "-").replacing("/", with: "_")
        #expect(standard != url)
        let bodies = [
            Self.payload, odd, Self.wrapped(standard), Self.wrapped(url),
            Self.wrapped(standard.replacing("=", with: "")),
            Self.wrapped(url.replacing("=", with: "")), " \n" + Self.payload + "\n",
        ]
        try await run { (google: Google) async throws in
            for body in bodies { #expect(try await google.push(body).status == 204, "\(body)") }
            for type in ["application/octet-stream", "text/plain"] {
                #expect(try await google.push(Self.payload, headers: ["Content-Type": type]).status == 204)
            }
        }
        let ann = "ann@example.net"
        let other = "a>>??~~@example.net"
        #expect(receiver.mailboxes == [ann, other, other, other, other, other, ann, ann, ann])
    }

    @Test func aMailboxNobodyHasConnectedIsAcknowledgedAndCounted() async throws {
        try await run { (google: Google) async throws in
            let answer = try await google.push(#"{"emailAddress":"bob@example.net","historyId":1}"#)
            #expect(answer.status == 204)
            #expect(google.counted == [.unknown: 1])
        }
        #expect(receiver.mailboxes == ["bob@example.net"])
    }

    // MARK: Who may push

    @Test func anUnsignedPushIsRefusedBeforeItIsRead() async throws {
        try await run { (google: Google) async throws in
            for body in [Self.payload, "nonsense"] {
                let bare = try await google.api.call("POST", Self.path, body: body)
                #expect(bare.status == 401 && bare.isProblem)
                #expect(bare.headers["www-authenticate"] == #"Bearer realm="mailsync pushes""#)
            }
            let basic = try await google.api.call(
                "POST", Self.path, body: Self.payload, headers: ["Authorization": "Basic dTpw"])
            #expect(basic.status == 401)
            #expect(google.counted == [.unsigned: 3])
        }
        #expect(receiver.announcements.isEmpty)
    }

    @Test func onlyOurOwnPushSubscriptionIsBelieved() async throws {
        let signer = try GoogleSigner.published.get()
        let stranger = try GoogleSigner(keyID: signer.keyID)
        let tokens = [
            try signer.token(audience: "https://other.example.com/webhooks/google"),
            try signer.token(account: "others@example.iam.gserviceaccount.com"), try signer.token(expiresIn: -60),
            try stranger.token(), try GoogleSigner(keyID: "unknown").token(), "a.b.c", "x",
            String(repeating: "a", count: 9000),
        ]
        try await run { (google: Google) async throws in
            for token in tokens {
                for body in [Self.payload, "nonsense"] {
                    let answer = try await google.push(body, bearer: token)
                    #expect(answer.status == 401 && answer.isProblem, "\(token.prefix(40))")
                    #expect(answer.headers["www-authenticate"]?.contains("invalid_token") == true)
                    #expect(!answer.text.contains("example.iam.gserviceaccount.com"))
                }
            }
            // A user's or the operator's token is no push token.
            let user = try google.api.fixture.token("u")
            #expect(try await google.push(Self.payload, bearer: user).status == 401)
            #expect(try await google.push(Self.payload, bearer: APIFixture.operatorToken).status == 401)
            #expect(google.counted == [.forged: 2 * tokens.count + 2])
        }
        #expect(receiver.announcements.isEmpty)
    }

    // MARK: What is no push

    @Test(arguments: [
        ("", 400), ("nonsense", 400), ("[]", 400), ("7", 400), ("null", 400), ("\u{0}", 400), ("{", 400),
        ("{}", 422), (#"{"message":null}"#, 422), (#"{"message":"x"}"#, 422), (#"{"message":{}}"#, 422),
        (#"{"message":{"data":7}}"#, 422), (#"{"message":{"data":""}}"#, 400), (#"{"message":{"data":"e"}}"#, 422),
        (#"{"message":{"data":"e30"}}"#, 422), (#"{"message":{"data":"e30=="}}"#, 422),
        (#"{"message":{"data":"e3%3D"}}"#, 422), (#"{"message":{"data":"e3=0"}}"#, 422),
        (#"{"message":{"data":"bm9uc2Vuc2U="}}"#, 400), (#"{"message":{"data":"W10="}}"#, 400),
        (#"{"emailAddress":"a@b"}"#, 422), (#"{"historyId":1}"#, 422), (#"{"emailAddress":"","historyId":1}"#, 422),
        (#"{"emailAddress":7,"historyId":1}"#, 422), (#"{"emailAddress":"a@b","historyId":-1}"#, 422),
        (#"{"emailAddress":"a@b","historyId":1.5}"#, 422), (#"{"emailAddress":"a@b","historyId":"x"}"#, 422),
        (#"{"emailAddress":"a@b","historyId":true}"#, 422), (#"{"emailAddress":"a@b","historyId":""}"#, 422),
    ])
    func whatIsNoAnnouncementIsSaidSo(_ body: String, _ status: Int) async throws {
        try await run { (google: Google) async throws in
            let answer = try await google.push(body)
            #expect(answer.status == status && answer.isProblem, "\(answer.text)")
            #expect(google.counted == [.malformed: 1])
        }
        #expect(receiver.announcements.isEmpty)
    }

    @Test func anAddressHasALimit() async throws {
        try await run { (google: Google) async throws in
            let long = String(repeating: "a", count: GmailAnnouncement.addressBytesMax + 1)
            let answer = try await google.push(#"{"emailAddress":"\#(long)","historyId":1}"#)
            #expect(answer.status == 422 && !answer.text.contains("aaaa"))
        }
    }

    @Test func aBodyHasALimit() async throws {
        try await run { (google: Google) async throws in
            let limit = 256 * 1024
            let filler = { (count: Int) in Self.payload + String(repeating: " ", count: count - Self.payload.utf8.count)
            }
            #expect(try await google.push(filler(limit)).status == 204)
            let answer = try await google.push(filler(limit + 1))
            #expect(answer.status == 413 && answer.isProblem)
        }
        #expect(receiver.mailboxes == ["ann@example.net"])
    }

    @Test func onlyPostIsThere() async throws {
        try await run { (google: Google) async throws in
            #expect(try await google.api.call("GET", Self.path, bearer: google.token).status == 405)
        }
    }

    // MARK: When it cannot be told

    @Test func withoutGooglesKeysAPushIsToComeAgain() async throws {
        try await run(hasKeys: false) { (google: Google) async throws in
            let answer = try await google.push(Self.payload)
            #expect(answer.status == 503 && answer.isProblem)
            #expect(answer.headers["retry-after"] != nil)
            #expect(google.counted.isEmpty)
        }
        #expect(receiver.announcements.isEmpty)
    }

    @Test func withoutSettingsTheyAreNamed() async throws {
        try await run(isConfigured: false) { (google: Google) async throws in
            let answer = try await google.push(Self.payload)
            #expect(answer.status == 503 && answer.isProblem)
            for name in ["GOOGLE_PUBSUB_TOPIC", "GOOGLE_PUBSUB_SERVICE_ACCOUNT", "GOOGLE_PUBSUB_AUDIENCE"] {
                #expect(answer.string("detail")?.contains(name) == true)
            }
        }
    }

    // MARK: Many at once

    @Test func twoHundredAreAnsweredAtOnceAndTheKeysFetchedOnce() async throws {
        try await run { (google: Google) async throws in
            let url = "http://127.0.0.1:\(google.api.port)\(Self.path)"
            let transport = HTTPTransport(logger: .silent)
            let milliseconds = try await withThrowingTaskGroup(of: [Double].self) { group in
                for _ in 0..<8 {
                    group.addTask { try await Self.latencies(of: 25, transport, url, google.token) }
                }
                return try await group.reduce(into: []) { $0 += $1 }.sorted()
            }
            await transport.shutdown()
            #expect(milliseconds[milliseconds.count / 2] < 100, "\(milliseconds)")
            #expect(google.counted == [.accepted: 200])
        }
        #expect(receiver.announcements.count == 200)
        #expect(fetches.current == 1)
    }

    /// Pushes one after the other.
    private static func latencies(
        of count: Int, _ transport: HTTPTransport, _ url: String, _ token: String
    ) async throws -> [Double] {
        var milliseconds: [Double] = []
        for _ in 0..<count {
            let request = HTTPRequest(
                .post, url, headers: [("Authorization", "Bearer \(token)")], body: Array(payload.utf8))
            let start = ContinuousClock.now
            #expect(try await transport.send(request).status == 204)
            milliseconds.append((ContinuousClock.now - start).inSeconds * 1000)
        }
        return milliseconds
    }
}

/// A wall clock that stands still; sleeping takes its real time.
private struct FixedWallTime: TimeSource {
    private let milliseconds: Int64

    init(_ milliseconds: Int64) { self.milliseconds = milliseconds }

    func nowMilliseconds() -> Int64 { milliseconds }
    func sleep(for duration: Duration) async throws { try await SystemTime().sleep(for: duration) }
}
