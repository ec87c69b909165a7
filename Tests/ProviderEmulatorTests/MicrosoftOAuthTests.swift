import Foundation
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite struct MicrosoftOAuthTests {
    private let address = GraphFixture.address

    @Test func everyRefreshGivesANewRefreshTokenAndTheOldOneWorksAWhile() async throws {
        try await GraphFixture.run { fixture in
            let body = try await fixture.refresh().object()
            #expect(body["expires_in"] as? Int == 3599 && body["ext_expires_in"] as? Int == 3599)
            #expect(
                body["scope"] as? String
                    == "https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/User.Read")
            let next = try #require(body["refresh_token"] as? String)
            let access = try #require(body["access_token"] as? String)
            #expect(next != fixture.grant.refreshToken)
            #expect(try await fixture.get("/me", token: access).status == 200)
            let again = try await fixture.refresh().object()
            #expect(again["refresh_token"] as? String != next)
            #expect(try await fixture.refresh(next).status == 200)
            fixture.base.time.advance(by: .seconds(86_400))
            let late = try await fixture.refresh()
            #expect(late.status == 400)
            #expect(try late.object()["error"] as? String == "invalid_grant")
            #expect(try await fixture.refresh(again["refresh_token"] as? String).status == 200)
        }
    }

    @Test func strictRotationEndsTheOldToken() async throws {
        try await GraphFixture.run {
            $0.microsoft.usedRefreshTokenLifetimeSeconds = 0
        } _: { fixture in
            let next = try await fixture.refresh().object()["refresh_token"] as? String
            #expect(try await fixture.refresh().status == 400)
            #expect(try await fixture.refresh(next).status == 200)
        }
    }

    @Test func aWithdrawnGrantIsInvalid() async throws {
        try await GraphFixture.run { fixture in
            fixture.microsoft.revokeGrant(of: address)
            let response = try await fixture.refresh()
            #expect(response.status == 400)
            let body = try response.object()
            #expect(body["error_codes"] as? [Int] == [50173] && body["suberror"] as? String == "bad_token")
            #expect(try await fixture.get("/me").status == 401)
            #expect(try await fixture.refresh("nonsense").object()["error_codes"] as? [Int] == [9_002_313])
        }
    }

    @Test(arguments: [
        (["client_id": "other"], 400, "unauthorized_client"), (["client_secret": "other"], 401, "invalid_client"),
        (["grant_type": "password"], 400, "unsupported_grant_type"), (["client_id": ""], 400, "invalid_request"),
        (["refresh_token": ""], 400, "invalid_request"), (["grant_type": ""], 400, "invalid_request"),
    ])
    func wrongRequestsAreRefused(_ changes: [String: String], _ status: Int, _ error: String) async throws {
        try await GraphFixture.run { fixture in
            let response = try await fixture.refresh(nil, changes)
            #expect(response.status == status)
            #expect(try response.object()["error"] as? String == error)
        }
    }

    @Test func everyErrorFormCanBeInjected() async throws {
        try await GraphFixture.run { fixture in
            for (name, error) in MicrosoftOAuthError.named {
                fixture.microsoft.faults.add(try FaultText.parse(["token", name]))
                let response = try await fixture.refresh()
                #expect(response.status == error.status, "\(name)")
                let body = try response.object()
                #expect(body["error"] as? String == error.error, "\(name)")
                #expect(body["error_codes"] as? [Int] == error.codes, "\(name)")
                #expect(body["claims"] as? String == error.claims, "\(name)")
            }
            #expect(try await fixture.refresh().status == 200)
        }
    }

    @Test func lifetimesAndScopes() async throws {
        try await GraphFixture.run { fixture in
            let faults = fixture.microsoft.faults
            faults.add(Fault(.token, .shortLifetime(seconds: 60)))
            let short = try await fixture.refresh().object()
            #expect(short["expires_in"] as? Int == 60)
            faults.add(Fault(.token, .narrowScopes(["User.Read"])))
            let narrow = try await fixture.refresh().object()
            #expect(narrow["scope"] as? String == "https://graph.microsoft.com/User.Read")
            let token = try #require(narrow["access_token"] as? String)
            #expect(try await fixture.get("/me/messages", token: token).status == 403)
            fixture.base.time.advance(by: .seconds(60))
            #expect(try await fixture.get("/me", token: short["access_token"] as? String).status == 401)
        }
    }

    @Test func aLostAnswerIsSurvivedUnlessRotationIsStrict() async throws {
        for (graceSeconds, status) in [(86_400, 200), (0, 400)] {
            try await GraphFixture.run {
                $0.microsoft.usedRefreshTokenLifetimeSeconds = graceSeconds
            } _: { fixture in
                fixture.microsoft.faults.add(Fault(.token, .loseAnswer))
                // The first request of a connection: the transport asks again on one that was used before.
                await #expect(throws: (any Error).self) { try await fixture.refresh() }
                let second = try await fixture.refresh()
                #expect(second.status == status)
            }
        }
    }

    @Test(
        .enabled(if: SharedMaterial.specs != nil),
        arguments: [
            ("ms-400-AADSTS50076-mfa", MicrosoftOAuthError.multiFactor),
            ("ms-400-AADSTS50173-password-changed", .passwordChanged), ("ms-400-AADSTS65001-consent", .consentRequired),
            ("ms-400-AADSTS70008-multi-codes", .expired), ("ms-400-AADSTS700082-inactive-90d", .inactive),
            ("ms-400-AADSTS9002313-malformed", .malformed), ("ms-401-AADSTS7000215-invalid_client", .wrongSecret),
        ])
    func recordedErrors(_ file: String, _ error: MicrosoftOAuthError) throws {
        let recorded = try Self.file(file)
        let now = try #require(
            MailDate.parseTimestamp(((recorded?["timestamp"] as? String) ?? "").replacing(" ", with: "T")))
        let ours = try JSONSerialization.jsonObject(with: Data(error.body(at: now))) as? NSDictionary
        #expect(ours == recorded)
        #expect(file.hasPrefix("ms-\(error.status)"))
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func theRecordedAnswerHasOurKeys() async throws {
        try await GraphFixture.run { fixture in
            let recorded = try Self.file("ms-refresh-200") as? [String: Any]
            #expect(try await fixture.refresh().object().keys.sorted() == recorded?.keys.sorted())
        }
    }

    private static func file(_ name: String) throws -> NSDictionary? {
        let data = try Data(contentsOf: URL(filePath: "\(SharedMaterial.specs ?? "")/oauth/\(name).json"))
        return try JSONSerialization.jsonObject(with: data) as? NSDictionary
    }
}
