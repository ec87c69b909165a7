import MailModel
import MailTestSupport
import Testing

@testable import Accounts
@testable import MailAPI

@Suite struct AccessTests {
    static let mail = [
        ("POST", "/mail/connect"), ("POST", "/mail/sync"), ("GET", "/mail/status"), ("POST", "/mail/disconnect"),
    ]

    @Test func usersNeedATokenOfTheIssuer() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let stranger = APIFixture()
            let bad = [
                nil, "", "x", "a.b.c", APIFixture.operatorToken, try fixture.token("u", lifetime: -100),
                try stranger.token("u"), try fixture.token(""),
            ]
            for (method, path) in Self.mail {
                for token in bad {
                    let answer = try await api.call(method, path, bearer: token, body: "{}")
                    #expect(answer.status == 401, "\(path) \(token ?? "nil")")
                    #expect(answer.isProblem)
                    let challenge = answer.headers["www-authenticate"] ?? ""
                    #expect(challenge.hasPrefix(#"Bearer realm="mailsync""#))
                    if let token, token.count > 20 { #expect(!answer.text.contains(token)) }
                }
            }
            let other = try await api.call("GET", "/mail/status", headers: ["Authorization": "Basic dTpw"])
            #expect(other.status == 401)
            #expect(other.headers["www-authenticate"]?.contains("error=") == false)
            let expired = try await api.call("GET", "/mail/status", bearer: try fixture.token("u", lifetime: -100))
            #expect(expired.headers["www-authenticate"]?.contains(#"error="invalid_token""#) == true)
        }
    }

    @Test func theSchemeIsReadInAnyCase() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let token = try fixture.token("u")
            let answer = try await api.call("GET", "/mail/status", headers: ["authorization": "bEARER   \(token)"])
            #expect(answer.status == 200)
        }
    }

    @Test func operatorsNeedTheirOwnToken() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            for path in ["/status", "/metrics"] {
                #expect(try await api.call("GET", path).status == 401)
                #expect(try await api.call("GET", path, user: "u").status == 401)
                #expect(try await api.call("GET", path, bearer: APIFixture.operatorToken + "x").status == 401)
                #expect(try await api.call("GET", path, bearer: APIFixture.operatorToken).status == 200)
            }
            for path in ["/healthz", "/readyz"] { #expect(try await api.call("GET", path).status == 200) }
            #expect(try await api.call("GET", "/openapi.json").status == 401)
            #expect(try await api.call("GET", "/openapi.json", user: "u").status == 200)
            #expect(try await api.call("GET", "/openapi.json", bearer: APIFixture.operatorToken).status == 200)
        }
    }

    @Test func keysThatCannotBeFetchedAreNotTheUsersFault() async throws {
        let fixture = APIFixture()
        try await fixture.run(keysAvailable: false) { (api: API) async throws in
            let answer = try await api.call("GET", "/mail/status", user: "u")
            #expect(answer.status == 503)
            #expect(answer.isProblem)
            #expect(Int(answer.headers["retry-after"] ?? "") ?? 0 >= 1)
        }
    }

    @Test func readinessSaysWhatIsMissing() async throws {
        let fixture = APIFixture()
        await fixture.commands.set(problems: [.init(component: "nats", reason: "not connected")])
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call("GET", "/readyz")
            #expect(answer.status == 503)
            #expect(answer.isProblem)
            #expect(answer.string("detail") == "nats: not connected")
            #expect(try await api.call("GET", "/healthz").status == 200)
        }
    }

    @Test func theOperatorSeesTheWholeService() async throws {
        let fixture = APIFixture()
        await fixture.commands.set(reports: [try .test("u", status: .error)])
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call("GET", "/status", bearer: APIFixture.operatorToken)
            #expect(answer.status == 200)
            #expect((answer.json["accounts"] as? [String: Int])?["active"] == 3)
            #expect((answer.json["nats"] as? [String: Any])?["server_version"] as? String == "2.15.1")
            #expect((answer.json["publish_latency_ms"] as? [String: Int]) == ["p50": 1, "p99": 20])
            #expect(answer.json["missing"] as? Int == 3 && answer.json["given_up"] as? Int == 1)
            #expect(answer.json["oldest_verification_s"] as? Int == 86_400)
            let metrics = try await api.call("GET", "/metrics", bearer: APIFixture.operatorToken).text
            for line in [
                "mailsync_gaps 2", "mailsync_gaps_given_up 1", "mailsync_missing_messages 3",
                "mailsync_oldest_verification_seconds 86400",
            ] { #expect(metrics.contains(line), "\(line)") }
            let worst = (answer.json["worst_accounts"] as? [[String: Any]])?.first
            #expect(worst?["reason"] as? String == "quota")
        }
    }

    @Test func browsersOfConfiguredOriginsMayCall() async throws {
        let fixture = APIFixture(cors: ["https://app.example.com"])
        try await fixture.run { (api: API) async throws in
            let ours = ["Origin": "https://app.example.com"]
            let preflight = try await api.call(
                "OPTIONS", "/mail/connect", headers: ours.merging(["Access-Control-Request-Method": "POST"]) { $1 })
            #expect(preflight.status == 204)
            #expect(preflight.headers["access-control-allow-origin"] == "https://app.example.com")
            #expect(preflight.headers["access-control-allow-methods"]?.contains("POST") == true)
            #expect(preflight.headers["access-control-allow-headers"] == "Authorization, Content-Type, Last-Event-ID")
            let refused = try await api.call("GET", "/mail/status", headers: ours)
            #expect(refused.status == 401)
            #expect(refused.headers["access-control-allow-origin"] == "https://app.example.com")
            #expect(refused.headers["vary"] == "Origin")
            for origin in ["https://evil.example", "null", "https://app.example.com.evil", "http://app.example.com"] {
                for method in ["GET", "OPTIONS"] {
                    let answer = try await api.call(method, "/mail/status", headers: ["Origin": origin])
                    #expect(answer.headers["access-control-allow-origin"] == nil)
                    #expect(answer.headers["access-control-allow-methods"] == nil)
                }
            }
            let status = try await api.call("GET", "/status", bearer: APIFixture.operatorToken, headers: ours)
            #expect(status.headers["access-control-allow-origin"] == nil)
        }
    }

    @Test func eachUserHasARate() async throws {
        let time = ManualTime()
        let fixture = APIFixture(time: time) {
            $0.requestsPerSecond = 20
            $0.requestBurst = 20
        }
        try await fixture.run { (api: API) async throws in
            for _ in 0..<20 { #expect(try await api.call("GET", "/mail/status", user: "busy").status == 200) }
            let refused = try await api.call("GET", "/mail/status", user: "busy")
            #expect(refused.status == 429)
            #expect(refused.isProblem)
            #expect(refused.headers["retry-after"] == "1")
            #expect(try await api.call("GET", "/mail/status", user: "calm").status == 200)
            time.advance(by: .milliseconds(50))
            #expect(try await api.call("GET", "/mail/status", user: "busy").status == 200)
            #expect(try await api.call("GET", "/mail/status", user: "busy").status == 429)
        }
    }
}

@Suite struct RateLimiterTests {
    @Test func memoryIsBoundedAndNobodyIsRefusedForIt() throws {
        var limiter = RateLimiter(perSecond: 1, burst: 1, usersMax: 100)
        for number in 0..<10_000 {
            #expect(limiter.admit(try UserID("u\(number)"), atMs: Int64(number)) == nil)
            #expect(limiter.rememberedUsers <= 100)
        }
    }

    @Test func aClockThatGoesBackRefusesNobodyForLong() throws {
        var limiter = RateLimiter(perSecond: 20, burst: 1, usersMax: 10)
        let user = try UserID("u")
        #expect(limiter.admit(user, atMs: 1_000_000) == nil)
        #expect(limiter.admit(user, atMs: 0) == .milliseconds(50))
        #expect(limiter.admit(user, atMs: 1_000_050) == nil)
    }
}
