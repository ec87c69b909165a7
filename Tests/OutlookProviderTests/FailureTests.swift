import Foundation
import HTTPTransport
import MailModel
import MailTestSupport
import ProviderClient
import Testing

@testable import OutlookProvider

@Suite struct FailureTests {
    private typealias Endpoint = OutlookFailure.Endpoint
    private static let again = FailureDecision.retry(after: nil, scope: .account)

    private func failure(
        _ status: Int, _ code: String = "", _ message: String = "", at endpoint: OutlookFailure.Endpoint = .message,
        retryAfter: String? = nil
    ) -> SyncFailure {
        let body = "{\"error\":{\"code\":\"\(code)\",\"message\":\"\(message)\"}}"
        let response = HTTPResponse(
            status: status, headers: retryAfter.map { [("retry-after", $0)] } ?? [],
            body: code.isEmpty ? [] : Array(body.utf8))
        return OutlookFailure.failure(of: response, at: endpoint, now: 1_767_225_600_000)
    }

    /// The recorded and documented forms.
    @Test(
        .enabled(if: SharedMaterial.specs != nil),
        arguments: [
            ("401-InvalidAuthenticationToken", 401, Endpoint.message, again, "unauthorized"),
            ("404-ErrorItemNotFound", 404, .message, .skip, "message_not_found"),
            ("404-ErrorItemNotFound", 404, .messages(linked: true), .restartListing, "folder_not_found"),
            ("410-SyncStateNotFound", 410, .messages(linked: true), .restartListing, "sync_state_expired"),
            ("410-SyncStateNotFound", 410, .tree(linked: true), .restartListing, "sync_state_expired"),
            ("429-MailboxConcurrency", 429, .batch, again, "too_many_concurrent"),
            ("400-InefficientFilter", 400, .messages(linked: false), .stop, "bad_request"),
        ])
    func everyRecordedFormIsMapped(
        file: String, status: Int, endpoint: OutlookFailure.Endpoint, decision: FailureDecision, code: String
    ) throws {
        let specs = try #require(SharedMaterial.specs)
        let body = Array(try Data(contentsOf: URL(filePath: "\(specs)/graph/errors/\(file).json")))
        let failure = OutlookFailure.failure(of: HTTPResponse(status: status, body: body), at: endpoint, now: 0)
        #expect(failure.decision == decision && failure.code == code)
    }

    @Test func expiredLinksInEveryForm() {
        for endpoint in [Endpoint.messages(linked: true), .tree(linked: true)] {
            for (status, code) in [
                (410, "SyncStateNotFound"), (410, "resyncRequired"), (410, ""), (400, "ErrorInvalidSyncStateData"),
                (400, "BadRequest"), (400, ""),
            ] {
                #expect(failure(status, code, at: endpoint).code == OutlookFailure.Code.linkExpired)
            }
        }
    }

    @Test func theStatusDecidesThenTheCode() {
        #expect(failure(403, "ErrorAccessDenied", at: .messages(linked: true)).decision == .reauthenticate)
        #expect(failure(403, "erroraccessdenied", at: .profile).decision == .reauthenticate)
        #expect(failure(403, "Authorization_RequestDenied", at: .profile).decision == .reauthenticate)
        #expect(failure(403, "SomethingElse", at: .profile).decision == .stop)
        #expect(failure(403, at: .profile).decision == Self.again)
        #expect(failure(403, "ErrorAccessDenied").decision == .skip)
        #expect(failure(404, "MailboxNotEnabledForRESTAPI", at: .profile).decision == .stop)
        #expect(failure(404, "MailboxNotEnabledForRESTAPI").code == "mail_not_enabled")
        #expect(failure(404, "ErrorMailboxMoveInProgress").decision == Self.again)
        #expect(failure(400, "ErrorInvalidIdMalformed").decision == .skip)
        #expect(failure(400, "BadRequest", at: .tree(linked: false)).code == OutlookFailure.Code.unsupported)
        #expect(failure(302, at: .profile).code == "redirected")
        for status in [409, 412, 423, 424, 408, 500, 502, 503, 504, 509, 418] {
            #expect(failure(status, "x").decision == Self.again, "\(status)")
        }
    }

    @Test func throttling() {
        for status in [429, 503, 504, 509] {
            let failure = failure(status, "x", retryAfter: "7")
            #expect(failure.decision == .retry(after: .seconds(7), scope: .account))
            #expect(failure.isThrottling && failure.pause == .seconds(7))
        }
        #expect(failure(429, "ApplicationThrottled").code == FailureCode.rateLimited)
        #expect(failure(429).isThrottling && failure(429).pause == .seconds(5))
        #expect(failure(503, "ErrorServerBusy").isThrottling && !failure(503).isThrottling)
        #expect(failure(429, retryAfter: "0").pause == .seconds(1))
        #expect(failure(429, retryAfter: "99999999").pause == .seconds(86_400))
        #expect(failure(429, retryAfter: "soon").decision == Self.again)
        let date = failure(429, retryAfter: "Thu, 01 Jan 2026 00:00:09 GMT")
        #expect(date.decision == .retry(after: .seconds(9), scope: .account))
    }

    @Test func codesAreFoundAsDeepAsTheyAre() throws {
        let body = """
            {"error":{"code":"A","message":"m","innererror":{"code":"B","innerError":{"code":"MailboxInfoStale"}}}}
            """
        let failure = try ProviderJSON.decode(OutlookWire.Failure.self, from: Array(body.utf8))
        #expect(failure.codes == ["a", "b", "mailboxinfostale"] && failure.message == "m")
        for garbage in ["", "<html>", "{}", "{\"error\":7}", "[]"] {
            let response = HTTPResponse(status: 500, body: Array(garbage.utf8))
            #expect(OutlookFailure.failure(of: response, at: .batch, now: 0).code == "server_error")
        }
    }

    @Test func noFailureShowsWhatTheProviderSent() {
        for status in [300, 400, 401, 403, 404, 410, 423, 429, 500, 503] {
            for endpoint in [
                Endpoint.profile, .message, .batch, .folder, .tree(linked: true), .tree(linked: false),
                .messages(linked: true), .messages(linked: false),
            ] {
                #expect(!failure(status, "secret", "secret", at: endpoint).description.contains("secret"))
            }
        }
    }

    @Test func origins() {
        #expect(OutlookAPI.origin("https://Graph.microsoft.com/v1.0") == "https://graph.microsoft.com:443")
        #expect(OutlookAPI.origin("https://graph.microsoft.com:443/x?$a=b c") == "https://graph.microsoft.com:443")
        for other in [
            "http://graph.microsoft.com/", "https://graph.microsoft.com.evil.org/", "https://graph.microsoft.com:8443/",
            "https://graph.microsoft.com@evil.org/", "//graph.microsoft.com/", "", "/v1.0/me",
        ] {
            #expect(OutlookAPI.origin(other) != "https://graph.microsoft.com:443", "\(other)")
        }
    }

    @Test func everyPartOfABatchAsksForImmutableIDs() throws {
        let body = String(decoding: OutlookAPI.batchBody(["/me/messages/a", "/b"]), as: UTF8.self)
        #expect(body.components(separatedBy: "{\"Prefer\":\"IdType=\\\"ImmutableId\\\"\"}").count == 3)
        #expect(OutlookAPI.preferences(pageSize: 5) == "IdType=\"ImmutableId\", odata.maxpagesize=5")
    }
}
