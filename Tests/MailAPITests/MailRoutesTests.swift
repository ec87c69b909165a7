import Foundation
import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import Accounts
@testable import MailAPI

@Suite struct MailRoutesTests {
    static let tokens = #""access_token":"ya29.a","refresh_token":"1//r","expires_in":3599"#

    @Test func connectsAnAccount() async throws {
        let fixture = APIFixture(time: ManualTime(nowMilliseconds: 1_700_000_000_000))
        try await fixture.run { (api: API) async throws in
            let body = #"{"provider":"google",\#(Self.tokens),"inbox_id":"work mail","since":"2024-01-01"}"#
            let answer = try await api.call("POST", "/mail/connect", user: "user/1", body: body)
            #expect(answer.status == 200)
            #expect(
                answer.text
                    == #"{"message":"mail sync started","provider":"google","user_id":"user/1","inbox_id":"work mail"}"#
            )
        }
        let connect = try #require(await fixture.commands.connects.first)
        #expect(connect.key.description == "user%2F1:work%20mail:GOOGLE")
        #expect(connect.tokens.access.revealed == "ya29.a")
        #expect(connect.tokens.refresh.revealed == "1//r")
        #expect(connect.tokens.expiry == 1_700_003_599)
        #expect(connect.since == 1_704_067_200)
    }

    @Test func theInboxIsPrimaryUnlessNamed() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let body = #"{"provider":"google",\#(Self.tokens),"inbox_id":null,"since":null,"scope":"x"}"#
            #expect(try await api.call("POST", "/mail/connect", user: "u", body: body).status == 200)
        }
        #expect(await fixture.commands.connects.first?.key.inbox == .primary)
        #expect(await fixture.commands.connects.first?.since == nil)
    }

    @Test func aVerificationIsAnsweredInCountsOrGoesOn() async throws {
        let fixture = APIFixture()
        await fixture.commands.set(reports: [try .test("u")])
        var summary = VerificationSummary(agrees: false, events: 12, messages: 5, streamed: 11)
        summary.found = ["stream_missing": 2, "counter": 1]
        summary.left = ["stream_missing": 1]
        summary.unchecked = ["u:primary:GOOGLE: the account waits for the user to sign in again"]
        await fixture.commands.set(summary: summary)
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call("POST", "/mail/verify", user: "u", body: #"{"repair":true}"#)
            #expect(answer.status == 200)
            #expect(answer.text.hasPrefix(#"{"agrees":false,"events":12,"messages":5,"in_stream":11,"expired":0,"#))
            #expect(
                answer.text.contains(#""differences":{"counter":1,"stream_missing":2},"left":{"stream_missing":1}"#))
            await fixture.commands.set(summary: nil)
            let body = #"{"provider":"outlook","inbox_id":"work"}"#
            #expect(try await api.call("POST", "/mail/verify", user: "u", body: body).status == 202)
            #expect(try await api.call("POST", "/mail/verify", user: "stranger").status == 404)
            #expect(try await api.call("POST", "/mail/verify", user: "u", body: #"{"repair":1}"#).status == 422)
        }
        let verifies = await fixture.commands.verifies
        #expect(verifies.map(\.repairs) == [true, false, false])
        #expect(verifies[1].provider == .microsoft && verifies[1].inbox?.raw == "work")
    }

    @Test func everyWrongFieldIsNamed() async throws {
        let long = String(repeating: "a", count: 16_385)
        let cases: [(field: String, body: String)] = [
            ("provider", "{\(Self.tokens)}"), ("provider", #"{"provider":"",\#(Self.tokens)}"#),
            ("provider", #"{"provider":7,\#(Self.tokens)}"#),
            ("provider", #"{"provider":"Google",\#(Self.tokens)}"#),
            ("access_token", #"{"provider":"google","refresh_token":"r","expires_in":1}"#),
            ("access_token", #"{"provider":"google","access_token":null,"refresh_token":"r","expires_in":1}"#),
            ("access_token", #"{"provider":"google","access_token":"","refresh_token":"r","expires_in":1}"#),
            ("access_token", #"{"provider":"google","access_token":["a"],"refresh_token":"r","expires_in":1}"#),
            ("access_token", #"{"provider":"google","access_token":"a\r\nX: y","refresh_token":"r","expires_in":1}"#),
            ("access_token", #"{"provider":"google","access_token":"\#(long)","refresh_token":"r","expires_in":1}"#),
            ("refresh_token", #"{"provider":"google","access_token":"a","expires_in":1}"#),
            ("refresh_token", #"{"provider":"google","access_token":"a","refresh_token":"ü","expires_in":1}"#),
            ("expires_in", #"{"provider":"google","access_token":"a","refresh_token":"r"}"#),
            ("expires_in", #"{"provider":"google","access_token":"a","refresh_token":"r","expires_in":"3599"}"#),
            ("expires_in", #"{"provider":"google","access_token":"a","refresh_token":"r","expires_in":-1}"#),
            ("expires_in", #"{"provider":"google","access_token":"a","refresh_token":"r","expires_in":1.5}"#),
            ("expires_in", #"{"provider":"google","access_token":"a","refresh_token":"r","expires_in":1e99}"#),
            ("expires_in", #"{"provider":"google","access_token":"a","refresh_token":"r","expires_in":true}"#),
            ("inbox_id", #"{"provider":"google",\#(Self.tokens),"inbox_id":""}"#),
            ("inbox_id", #"{"provider":"google",\#(Self.tokens),"inbox_id":{}}"#),
            ("inbox_id", #"{"provider":"google",\#(Self.tokens),"inbox_id":"\#(long)"}"#),
            ("since", #"{"provider":"google",\#(Self.tokens),"since":"yesterday"}"#),
            ("since", #"{"provider":"google",\#(Self.tokens),"since":1704067200}"#),
            ("since", #"{"provider":"google",\#(Self.tokens),"since":"2023-02-29"}"#),
            ("body", "[]"), ("body", "null"), ("body", "7"), ("body", #""text""#),
        ]
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            for (field, body) in cases {
                let answer = try await api.call("POST", "/mail/connect", user: "u", body: body)
                #expect(answer.status == 422, "\(body.prefix(200))")
                #expect(answer.isProblem)
                #expect(answer.string("field") == field, "\(body.prefix(200))")
                #expect(answer.string("detail")?.contains("'\(field)'") == true)
            }
            let unknown = try await api.call(
                "POST", "/mail/connect", user: "u", body: #"{"provider":"yahoo",\#(Self.tokens)}"#)
            #expect(unknown.json["accepted"] as? [String] == ["google", "microsoft", "outlook"])
        }
        #expect(await fixture.commands.connects.isEmpty)
    }

    @Test(arguments: ["microsoft", "outlook"]) func microsoftHasTwoNames(_ name: String) async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let body = #"{"provider":"\#(name)",\#(Self.tokens)}"#
            let answer = try await api.call("POST", "/mail/connect", user: "u", body: body)
            #expect(answer.status == 200)
            #expect(answer.string("provider") == "microsoft")
        }
        #expect(await fixture.commands.connects.map(\.key.provider) == [.microsoft])
    }

    @Test func aProviderWithoutCredentialsNamesTheVariable() async throws {
        let fixture = APIFixture(missing: [.google: ["GOOGLE_CLIENT_SECRET"]])
        try await fixture.run { (api: API) async throws in
            let body = #"{"provider":"google",\#(Self.tokens)}"#
            let answer = try await api.call("POST", "/mail/connect", user: "u", body: body)
            #expect(answer.status == 503)
            #expect(answer.isProblem)
            #expect(answer.string("detail")?.contains("GOOGLE_CLIENT_SECRET") == true)
        }
        #expect(await fixture.commands.connects.isEmpty)
    }

    @Test func wakesWhatIsAskedFor() async throws {
        let fixture = APIFixture()
        await fixture.commands.set(reports: [try .test("u"), try .test("other")])
        try await fixture.run { (api: API) async throws in
            for body in [nil, "{}", #"{"provider":"google"}"#, #"{"provider":"google","inbox_id":"primary"}"#] {
                let answer = try await api.call("POST", "/mail/sync", user: "u", body: body)
                #expect(answer.status == 202)
                #expect(answer.json["accounts"] as? Int == 1)
            }
            #expect(try await api.call("POST", "/mail/sync", user: "u", body: #"{"inbox_id":"x"}"#).status == 404)
            #expect(try await api.call("POST", "/mail/sync", user: "nobody").status == 404)
            #expect(try await api.call("POST", "/mail/sync", user: "u", body: #"{"provider":"x"}"#).status == 422)
        }
        let user = try UserID("u")
        #expect(
            await fixture.commands.wakes.prefix(4) == [
                .init(user: user), .init(user: user), .init(user: user, provider: .google),
                .init(user: user, provider: .google, inbox: .primary),
            ])
    }

    @Test func showsTheUsersAccountsInFull() async throws {
        let fixture = APIFixture()
        var failing = try AccountReport.test("u", inbox: "w/2", status: .error)
        failing.lastError = "Gmail said no"
        failing.nextAttemptAt = 1_700_000_100
        failing.waitingFor = "back-off"
        failing.etaSeconds = 60
        failing.pushes = .init(health: .silent, until: 1_700_086_400, error: "silence: nothing came")
        await fixture.commands.set(reports: [try .test("u"), failing])
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call("GET", "/mail/status", user: "u")
            #expect(answer.status == 200)
            let expected =
                #"{"user_id":"u","running_syncs":["u:primary:GOOGLE","u:w%2F2:GOOGLE"],"accounts":["#
                + #"{"provider":"google","inbox_id":"primary","status":"active","phase":"live","listed":10,"stored":8,"#
                + #""gone":1,"gaps":1,"given_up":0,"missing":0,"last_verified_at":null,"published":7,"outbox_depth":1,"oldest_unpublished_s":3,"#
                + #""last_synced_at":1700000000,"last_error":null,"retry_count":0,"next_attempt_at":null,"#
                + #""waiting_for":null,"eta_s":null,"interval_s":null,"pushes":"off","pushes_until":null,"push_error":null},"#
                + #"{"provider":"google","inbox_id":"w/2","status":"error","phase":"live","listed":10,"stored":8,"#
                + #""gone":1,"gaps":1,"given_up":0,"missing":0,"last_verified_at":null,"published":7,"outbox_depth":1,"oldest_unpublished_s":3,"#
                + #""last_synced_at":1700000000,"last_error":"Gmail said no","retry_count":0,"#
                + #""next_attempt_at":1700000100,"waiting_for":"back-off","eta_s":60,"interval_s":null,"pushes":"silent","#
                + #""pushes_until":1700086400,"push_error":"silence: nothing came"}]}"#
            #expect(answer.text == expected)
        }
    }

    @Test func disconnectsAnAccount() async throws {
        let fixture = APIFixture()
        await fixture.commands.set(reports: [try .test("u")])
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call(
                "POST", "/mail/disconnect", user: "u", body: #"{"provider":"google","erase":false}"#)
            #expect(answer.status == 200)
            #expect(answer.text == #"{"message":"mail sync stopped"}"#)
            let unknown = try await api.call(
                "POST", "/mail/disconnect", user: "u", body: #"{"provider":"google","inbox_id":"x"}"#)
            #expect(unknown.status == 404)
            #expect(unknown.isProblem)
            for erase in [#""true""#, "1"] {
                let refused = try await api.call(
                    "POST", "/mail/disconnect", user: "u", body: #"{"provider":"google","erase":\#(erase)}"#)
                #expect(refused.status == 422)
                #expect(refused.string("field") == "erase")
            }
        }
        #expect(await fixture.commands.disconnects.map(\.description) == ["u:primary:GOOGLE", "u:x:GOOGLE"])
    }

    @Test(arguments: [true, false]) func erasesAnAccount(atOnce: Bool) async throws {
        let fixture = APIFixture()
        await fixture.commands.set(reports: [try .test("u")])
        await fixture.commands.set(erasesAtOnce: atOnce)
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call(
                "POST", "/mail/disconnect", user: "u", body: #"{"provider":"google","erase":true}"#)
            #expect(answer.status == (atOnce ? 200 : 202))
            #expect(answer.text == #"{"message":"mail sync stopped","grant_revoked":true,"erased":\#(atOnce)}"#)
            let unknown = try await api.call(
                "POST", "/mail/disconnect", user: "u", body: #"{"provider":"google","inbox_id":"x","erase":true}"#)
            #expect(unknown.status == 404)
        }
        #expect(await fixture.commands.disconnects.isEmpty)
        #expect(await fixture.commands.erasures.count == 2)
    }

    @Test func nobodySeesOrTouchesAnothersAccounts() async throws {
        let fixture = APIFixture()
        await fixture.commands.set(reports: [try .test("u12", inbox: "secret")])
        try await fixture.run { (api: API) async throws in
            for user in ["u1", "U12", "u12 ", "u12\u{0}", "*", "%", "../u12", "u%31%32"] {
                let status = try await api.call("GET", "/mail/status?user_id=u12", user: user)
                #expect(status.status == 200)
                #expect(!status.text.contains("secret"))
                #expect(status.json["accounts"] as? [String] == [])
                let body = #"{"provider":"google","inbox_id":"secret","user_id":"u12"}"#
                #expect(try await api.call("POST", "/mail/disconnect", user: user, body: body).status == 404)
                #expect(try await api.call("POST", "/mail/sync", user: user, body: body).status == 404)
            }
        }
        let own = try UserID("u12")
        #expect(await !fixture.commands.disconnects.contains { $0.user == own })
    }

    @Test func failuresBehindTheAPIAreNotShown() async throws {
        let failures: [(any Error, Int)] = [
            (FakeCommands.Secretive(), 500), (SyncFailure(.stop, code: "x", "SECRET"), 503),
            (AccountDatabaseFailure(path: "SECRET", reason: "SECRET"), 503), (CancellationError(), 503),
        ]
        for (failure, status) in failures {
            let fixture = APIFixture()
            await fixture.commands.set(failure: failure)
            try await fixture.run { (api: API) async throws in
                let body = #"{"provider":"google",\#(Self.tokens)}"#
                let answer = try await api.call("POST", "/mail/connect", user: "u", body: body)
                #expect(answer.status == status)
                #expect(answer.isProblem)
                #expect(!answer.text.contains("SECRET"))
            }
        }
    }
}
