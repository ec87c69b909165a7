import HTTPTransport
import MailModel
import MailTestSupport
import Testing

@testable import Accounts

@Suite struct TokenEndpointTests {
    private func tokens(_ status: Int, _ body: String, headers: [(String, String)] = []) throws -> OAuthTokens {
        let response = HTTPResponse(
            status: status, headers: headers.map { (name: $0.0, value: $0.1) }, body: Array(body.utf8))
        return try TokenEndpoint.tokens(
            from: response, replacing: Secret("old-refresh"), provider: .google, at: 1000)
    }

    private func failure(_ status: Int, _ body: String, headers: [(String, String)] = []) -> SyncFailure? {
        #expect(throws: SyncFailure.self) { try tokens(status, body, headers: headers) }
    }

    @Test(
        .enabled(if: SharedMaterial.specs != nil),
        arguments: [
            "google-refresh-200.json", "google-refresh-200-time-limited-grant.json",
        ])
    func keepsTheRefreshTokenWhenGoogleSendsNone(_ file: String) throws {
        let answer = try tokens(200, String(decoding: specification("oauth/\(file)"), as: UTF8.self))
        #expect(answer.access.revealed == "ya29.EXAMPLE")
        #expect(answer.refresh.revealed == "old-refresh")
        #expect(answer.expiry == 4599)
    }

    @Test(
        .enabled(if: SharedMaterial.specs != nil),
        arguments: [
            "google-400-invalid_grant.json", "google-400-invalid_grant-bad-request.json",
            "google-400-invalid_rapt.json",
        ])
    func asksTheUserOnlyWhenTheGrantIsGone(_ file: String) throws {
        let failure = failure(400, String(decoding: try specification("oauth/\(file)"), as: UTF8.self))
        #expect(failure?.decision == .reauthenticate)
        #expect(failure?.code == "invalid_grant")
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func aWrongClientIsTheOperatorsProblem() throws {
        let body = String(decoding: try specification("oauth/google-401-invalid_client.json"), as: UTF8.self)
        let failure = failure(401, body)
        #expect(failure?.decision == .stop)
        #expect(failure?.message.contains("GOOGLE_CLIENT_ID") == true)
    }

    @Test(
        .enabled(if: SharedMaterial.specs != nil),
        arguments: [
            ("ms-400-AADSTS50076-mfa.json", "second factor"),
            ("ms-400-AADSTS50173-password-changed.json", "password was changed"),
            ("ms-400-AADSTS65001-consent.json", "consent"), ("ms-400-AADSTS70008-multi-codes.json", "expired"),
            ("ms-400-AADSTS700082-inactive-90d.json", "not used for too long"),
            ("ms-400-AADSTS9002313-malformed.json", "no longer accepts"),
        ])
    func microsoftsRefusalsOfAGrantAreTheUsers(_ file: String, _ words: String) throws {
        let failure = failure(400, String(decoding: try specification("oauth/\(file)"), as: UTF8.self))
        #expect(failure?.decision == .reauthenticate)
        #expect(failure?.code == "invalid_grant")
        #expect(failure?.message.contains(words) == true, "\(failure?.message ?? "")")
        #expect(failure?.message.contains("AADSTS") == false, "the provider's text is not repeated")
    }

    @Test(arguments: ["interaction_required", "login_required", "consent_required"])
    func aSignInThatMicrosoftAsksForIsTheUsers(_ error: String) {
        let body = #"{"error":"\#(error)","error_codes":[50079],"claims":"{}","suberror":7}"#
        #expect(failure(400, body)?.decision == .reauthenticate)
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func microsoftsAnswerRotatesTheRefreshToken() throws {
        let answer = try tokens(200, String(decoding: specification("oauth/ms-refresh-200.json"), as: UTF8.self))
        #expect(answer.refresh.revealed != "old-refresh")
        #expect(answer.expiry == 4599)
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func aWrongMicrosoftSecretIsTheOperatorsProblem() throws {
        let body = try specification("oauth/ms-401-AADSTS7000215-invalid_client.json")
        let failure = TokenEndpoint.failure(HTTPResponse(status: 401, body: body), provider: .microsoft, at: 0)
        #expect(failure.decision == .stop)
        #expect(failure.message.contains("MICROSOFT_CLIENT_SECRET"))
    }

    @Test(arguments: ["temporarily_unavailable", "server_error"]) func aPassingTroubleIsTriedAgain(_ error: String) {
        let failure = failure(400, #"{"error":"\#(error)"}"#, headers: [("retry-after", "3")])
        #expect(failure?.decision == .retry(after: .seconds(3), scope: .account))
    }

    @Test(arguments: ["unauthorized_client", "invalid_request", "invalid_scope", "admin_policy_enforced"])
    func otherRefusalsStopWithoutParkingTheUser(_ error: String) {
        #expect(failure(400, #"{"error":"\#(error)"}"#)?.decision == .stop)
    }

    @Test func takesARotatedRefreshToken() throws {
        let answer = try tokens(
            200, #"{"access_token":"a","refresh_token":"new","expires_in":"60","token_type":"bearer"}"#)
        #expect(answer.refresh.revealed == "new")
        #expect(answer.expiry == 1060)
    }

    @Test func assumesAShortLifeWhenNoneIsStated() throws {
        #expect(
            try tokens(200, #"{"access_token":"a","refresh_token":""}"#)
                == OAuthTokens(
                    access: Secret("a"), refresh: Secret("old-refresh"),
                    expiry: 1000 + TokenEndpoint.unstatedLifetimeSeconds))
    }

    @Test(arguments: [
        "", "<html>Sign in to the hotel network</html>", "null", "[]", "{}", #"{"access_token":""}"#,
        #"{"access_token":7}"#, #"{"access_token":"a b"}"#, "{\"access_token\":\"a\\r\\nX: 1\"}",
        #"{"access_token":"a","expires_in":-1}"#, #"{"access_token":"a","expires_in":"soon"}"#,
        #"{"access_token":"a","expires_in":true}"#, #"{"access_token":"a","token_type":"mac"}"#,
        #"{"access_token":"a","refresh_token":"ü"}"#,
    ])
    func garbageIsTriedAgain(_ body: String) {
        #expect(failure(200, body)?.decision == .retry(after: nil, scope: .account))
    }

    @Test(arguments: [
        (400, "not json"), (400, #"{"error":7}"#), (400, #"{"error":"something_new"}"#), (403, "<html>"), (404, ""),
        (302, ""), (204, ""), (500, #"{"error":"invalid_grant"}"#), (503, ""),
    ])
    func whateverIsNotARefusalIsTriedAgain(_ status: Int, _ body: String) {
        #expect(failure(status, body)?.decision == .retry(after: nil, scope: .account))
    }

    @Test func waitsAsLongAsTold() {
        let failure = failure(429, "", headers: [("retry-after", "7")])
        #expect(failure?.decision == .retry(after: .seconds(7), scope: .account))
    }

    @Test func anAbsurdLifetimeDoesNotOverflow() throws {
        let answer = try tokens(200, #"{"access_token":"a","expires_in":1e300}"#)
        #expect(answer.expiry == 1000 + TokenEndpoint.lifetimeSecondsMax)
    }

    @Test(arguments: [
        TransportError.connection("could not resolve host"), .timeout("20 s"), .tooLarge(limitBytes: 1), .shutDown,
    ])
    func whatMayPassIsTriedAgain(_ error: TransportError) {
        #expect(TokenEndpoint.failure(error, provider: .google).decision == .retry(after: nil, scope: .account))
    }

    @Test func failuresRepeatNothingOfTheAnswer() {
        for body in [#"{"error":"invalid_grant","error_description":"SECRET"}"#, "SECRET", #"{"error":"SECRET"}"#] {
            #expect(failure(400, body)?.description.contains("SECRET") == false)
        }
    }

    @Test func theRequestIsAFormWithEveryByteEncoded() async throws {
        let exchange = ScriptedExchange(.answer(200, #"{"access_token":"a"}"#))
        let client = OAuthClient(
            provider: .google, clientID: "id&1", clientSecret: Secret("s+e=c ü"), tokenURL: "https://token.test/t",
            send: exchange.send)
        _ = try await client.refresh(Secret("1//r&t"), at: 0)
        #expect(exchange.requests[0].url == "https://token.test/t")
        #expect(
            exchange.bodies == [
                "grant_type=refresh_token&client_id=id%261&client_secret=s%2Be%3Dc%20%C3%BC&refresh_token=1%2F%2Fr%26t"
            ])
    }
}
