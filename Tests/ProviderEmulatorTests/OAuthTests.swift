import Foundation
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite struct OAuthTests {
    private let oauth = OAuthConfiguration()

    @Test func refreshGivesATokenThatWorksUntilItIsOver() async throws {
        try await EmulatorFixture.run { fixture in
            let body = try await fixture.refresh().object()
            #expect(body.keys.sorted() == ["access_token", "expires_in", "scope", "token_type"])
            #expect(body["expires_in"] as? Int == 3599)
            #expect(body["scope"] as? String == GmailScope.full)
            let token = try #require(body["access_token"] as? String)
            #expect(token != fixture.grant.accessToken)
            #expect(try await fixture.gmail("profile", token: token).status == 200)
            fixture.time.advance(by: .seconds(3599))
            #expect(try await fixture.gmail("profile", token: token).status == 401)
        }
    }

    @Test func rotationReplacesTheRefreshToken() async throws {
        try await EmulatorFixture.run {
            $0.oauth.rotatesRefreshTokens = true
        } _: { fixture in
            let next = try #require(await fixture.refresh().object()["refresh_token"] as? String)
            #expect(next != fixture.grant.refreshToken)
            let old = try await fixture.refresh()
            #expect(old.status == 400)
            #expect(try old.object()["error"] as? String == "invalid_grant")
            #expect(try await fixture.refresh(next).status == 200)
        }
    }

    @Test func aLostAnswerHasRotatedAllTheSame() async throws {
        try await EmulatorFixture.run {
            $0.oauth.rotatesRefreshTokens = true
        } _: { fixture in
            fixture.google.faults.add(Fault(.token, .loseAnswer))
            await #expect(throws: (any Error).self) { try await fixture.refresh() }
            let second = try await fixture.refresh()
            #expect(second.status == 400)
        }
    }

    @Test func everyWrongRequestHasItsAnswer() async throws {
        try await EmulatorFixture.run { fixture in
            let good = [
                "client_id": oauth.clientID, "client_secret": oauth.clientSecret, "grant_type": "refresh_token",
                "refresh_token": fixture.grant.refreshToken,
            ]
            let cases: [(String, String?, Int, String)] = [
                ("client_id", "other", 401, "invalid_client"), ("client_secret", "wrong", 401, "invalid_client"),
                ("grant_type", nil, 400, "invalid_request"), ("grant_type", "password", 400, "unsupported_grant_type"),
                ("refresh_token", nil, 400, "invalid_request"), ("refresh_token", "1//unknown", 400, "invalid_grant"),
            ]
            for (name, value, status, error) in cases {
                var fields = good
                fields[name] = value
                let response = try await fixture.tokenEndpoint(fields)
                #expect(response.status == status, "\(name)")
                #expect(try response.object()["error"] as? String == error, "\(name)")
            }
            let json = try await fixture.send(
                .post, "/oauth/google/token", headers: [("content-type", "application/json")], body: "{}")
            #expect(json.status == 400)
        }
    }

    @Test func revokingEitherTokenEndsTheGrant() async throws {
        try await EmulatorFixture.run { fixture in
            let revoke = "/oauth/google/revoke"
            let first = try await fixture.tokenEndpoint(["token": fixture.grant.accessToken], path: revoke)
            #expect(first.status == 200)
            #expect(try await fixture.gmail("profile").status == 401)
            #expect(try await fixture.refresh().status == 400)
            let second = try await fixture.tokenEndpoint(["token": fixture.grant.accessToken], path: revoke)
            #expect(second.status == 400)
            #expect(try second.object()["error"] as? String == "invalid_token")
            let other = try fixture.google.grant(EmulatorFixture.address)
            #expect(try await fixture.tokenEndpoint(["token": other.refreshToken], path: revoke).status == 200)
            #expect(try await fixture.gmail("profile", token: other.accessToken).status == 401)
        }
    }

    @Test func grantsEndAndTokensExpireFromOutside() async throws {
        try await EmulatorFixture.run { fixture in
            fixture.google.expireAccessTokens(of: "ANN@example.net")
            #expect(try await fixture.gmail("profile").status == 401)
            let token = try #require(await fixture.refresh().object()["access_token"] as? String)
            #expect(try await fixture.gmail("profile", token: token).status == 200)
            fixture.google.revokeGrant(of: EmulatorFixture.address)
            #expect(try await fixture.gmail("profile", token: token).status == 401)
            #expect(try await fixture.refresh().status == 400)
        }
    }

    @Test func scriptedAnswers() async throws {
        try await EmulatorFixture.run { fixture in
            let faults = fixture.google.faults
            faults.add(Fault(.token, .oauthError(.invalidRapt)))
            faults.add(Fault(.token, .status(503)))
            faults.add(Fault(.token, .narrowScopes([GmailScope.labels])))
            faults.add(Fault(.token, .shortLifetime(seconds: 60)))
            #expect(try await fixture.refresh().object()["error_subtype"] as? String == "invalid_rapt")
            #expect(try await fixture.refresh().status == 503)
            let narrow = try await fixture.refresh().object()
            #expect(narrow["scope"] as? String == GmailScope.labels)
            let token = try #require(narrow["access_token"] as? String)
            #expect(try await fixture.gmail("messages", token: token).status == 403)
            #expect(try await fixture.gmail("labels", token: token).status == 200)
            let short = try await fixture.refresh().object()
            #expect(short["expires_in"] as? Int == 60)
            fixture.time.advance(by: .seconds(61))
            let over = try #require(short["access_token"] as? String)
            #expect(try await fixture.gmail("profile", token: over).status == 401)
        }
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func theRecordedKeys() async throws {
        let path = "\(SharedMaterial.specs ?? "")/oauth/google-refresh-200.json"
        let sample = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any]
        try await EmulatorFixture.run { fixture in
            let body = try await fixture.refresh().object()
            #expect(body.keys.sorted() == sample?.keys.sorted())
        }
    }
}
