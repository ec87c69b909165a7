import Foundation
import HTTPTransport
import MailModel
import MailTestSupport
import Testing

@testable import GmailProvider

@Suite struct FailureTests {
    /// 2026-01-21T12:57:00Z
    private static let now: Int64 = 1_769_000_220_000

    private func map(
        _ status: Int, _ body: String, at endpoint: GmailFailure.Endpoint = .message,
        headers: [(name: String, value: String)] = []
    ) -> SyncFailure {
        let response = HTTPResponse(status: status, headers: headers, body: Array(body.utf8))
        return GmailFailure.failure(of: response, at: endpoint, now: Self.now)
    }

    private func body(_ reason: String, _ message: String = "x", status: String? = nil) -> String {
        let name = status.map { ",\"status\":\"\($0)\"" } ?? ""
        return """
            {"error":{"code":0,"message":"\(message)","errors":[{"message":"\(message)","domain":"d","reason":"\(reason)"}]\
            \(name)}}
            """
    }

    private static let retry = FailureDecision.retry(after: nil, scope: .account)

    /// Every recorded form has exactly one decision.
    private static let recorded:
        [(file: String, endpoint: GmailFailure.Endpoint, decision: FailureDecision, code: String)] = [
            ("400-missing-startHistoryId.json", .history(paged: false), .resync, "history_refused"),
            ("400-precondition.json", .message, retry, "precondition_failed"),
            ("400-watch-only-one-client.json", .profile, retry, "precondition_failed"),
            ("401-authError.json", .profile, retry, "unauthorized"),
            (
                "403-dailyLimitExceeded.json", .list(paged: false), .retry(after: .seconds(3600), scope: .project),
                "project_limit"
            ),
            ("403-insufficient-scopes.json", .list(paged: false), .reauthenticate, "insufficient_scope"),
            ("403-metadata-scope-full.json", .message, .stop, "forbidden"),
            ("403-metadata-scope-q.json", .list(paged: false), .stop, "query_refused"),
            ("403-per-user-quota-metric.json", .message, retry, "rate_limited"),
            ("403-userRateLimitExceeded.json", .message, retry, "rate_limited"),
            ("404-history-too-old.json", .history(paged: false), .resync, "history_expired"),
            ("404-message-not-found.json", .message, .skip, "message_not_found"),
            ("429-resource-exhausted.json", .message, retry, "rate_limited"),
            ("429-too-many-concurrent.json", .message, retry, "too_many_concurrent"),
            (
                "429-user-rate-retry-after-in-message.json", .message,
                .retry(after: .milliseconds(52_000), scope: .account), "rate_limited"
            ),
            ("500-backendError.json", .message, retry, "server_error"),
        ]

    @Test(.enabled(if: SharedMaterial.specs != nil))
    func everyRecordedFormIsMapped() throws {
        let directory = "\(SharedMaterial.specs ?? "")/gmail/errors"
        let files = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".json") }
        #expect(Set(files) == Set(Self.recorded.map(\.file)))
        for form in Self.recorded {
            let text = try String(contentsOfFile: "\(directory)/\(form.file)", encoding: .utf8)
            let failure = map(Int(form.file.prefix(3)) ?? 0, text, at: form.endpoint)
            #expect(failure.decision == form.decision, "\(form.file): \(failure)")
            #expect(failure.code == form.code, "\(form.file): \(failure)")
        }
    }

    @Test func theSameAnswerMeansWhatItsEndpointMeans() {
        let notFound = body("notFound", "Requested entity was not found.", status: "NOT_FOUND")
        #expect(map(404, notFound, at: .history(paged: true)).decision == .resync)
        #expect(map(404, notFound, at: .message).decision == .skip)
        #expect(map(404, notFound, at: .list(paged: true)).decision == .stop)
        #expect(map(404, "<html>", at: .profile).decision == .stop)
        let invalid = body("invalidArgument", "Invalid pageToken", status: "INVALID_ARGUMENT")
        #expect(map(400, invalid, at: .list(paged: true)).decision == .restartListing)
        #expect(map(400, invalid, at: .list(paged: false)).decision == .stop)
        #expect(map(400, invalid, at: .history(paged: true)).decision == Self.retry)
        #expect(map(400, invalid, at: .message).decision == .skip)
        // TRAPS 4: text that merely mentions 404 is no expired history.
        #expect(
            map(500, body("backendError", "Error 404 (Not Found)"), at: .history(paged: false)).decision == Self.retry)
    }

    @Test(arguments: [
        ("quotaExceeded", FailureDecision.retry(after: .seconds(3600), scope: .project)),
        ("accessNotConfigured", .stop), ("domainPolicy", .stop), ("forbidden", .stop), ("somethingNew", .stop),
    ])
    func forbiddenByReason(reason: String, decision: FailureDecision) {
        #expect(map(403, body(reason)).decision == decision)
    }

    @Test func furtherFormsOf403() {
        let disabled = """
            {"error":{"code":403,"message":"m","status":"PERMISSION_DENIED","details":[{"reason":"SERVICE_DISABLED"}]}}
            """
        #expect(map(403, disabled).code == "api_disabled")
        #expect(map(403, "<html>proxy</html>").decision == Self.retry)
        let perProject = "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service 'g'"
        #expect(map(403, body("rateLimitExceeded", perProject)).decision == .retry(after: nil, scope: .project))
        #expect(map(429, body("rateLimitExceeded", perProject)).decision == .retry(after: nil, scope: .project))
        #expect(map(400, body("failedPrecondition", "Mail service not enabled")).decision == .stop)
    }

    /// TRAPS 29.
    @Test(
        arguments: [
            ("Retry after 2026-01-21T12:58:00Z", Duration.seconds(61)),
            ("retry  AFTER 2026-01-21T12:00:00Z", .seconds(1)),
            ("Retry after 2099-01-01T00:00:00Z", .seconds(86_400)), ("Retry after 30", .seconds(30)),
            ("Retry after 30 seconds", .seconds(30)),
            ("Suggested Backoff Time: 92415 milliseconds", .milliseconds(92_415)),
            ("Suggested Backoff Time: 300 seconds", .seconds(300)), ("Suggested backoff 5", .seconds(5)),
            ("Retry after 2026-99-99T99:99:99Z", nil), ("Retry after a while", nil), ("nothing", nil),
        ] as [(String, Duration?)])
    func waitsInTheText(text: String, wait: Duration?) {
        #expect(map(429, body("rateLimitExceeded", text)).decision == .retry(after: wait, scope: .account), "\(text)")
    }

    @Test(
        arguments: [
            ("120", Duration.seconds(120)), ("0", .seconds(1)), ("Wed, 21 Jan 2026 12:58:00 GMT", .seconds(60)),
            ("Wed, 21 Jan 2015 12:58:00 GMT", .seconds(1)), ("soon", nil), ("99999999999", .seconds(86_400)),
        ] as [(String, Duration?)])
    func waitsInTheHeader(value: String, wait: Duration?) {
        for status in [429, 503] {
            let failure = map(status, "", headers: [("retry-after", value)])
            #expect(failure.decision == .retry(after: wait, scope: .account), "\(status) \(value)")
        }
    }

    @Test func aWaitInTheDetails() {
        let text = "{\"error\":{\"code\":429,\"details\":[{\"retryDelay\":\"12.5s\"},{\"retryDelay\":\"x\"}]}}"
        #expect(map(429, text).decision == .retry(after: .milliseconds(12_500), scope: .account))
    }

    @Test(arguments: ["", "<html>", "null", "[]", "{\"error\":\"x\"}", "{\"error\":{\"errors\":{}}}", "\u{0}"])
    func bodiesThatSayNothingAreStillDecided(text: String) {
        for status in [
            100, 204, 301, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 429, 431, 500, 501, 502, 599, 999,
        ] {
            for endpoint: GmailFailure.Endpoint in [.profile, .message, .batch, .labels, .list(paged: true)] {
                #expect(!map(status, text, at: endpoint).code.isEmpty)
            }
        }
        #expect(map(502, text).decision == Self.retry)
        #expect(map(302, text).code == "redirected")
    }

    @Test func noFailureShowsWhatTheProviderSent() {
        let secret = "ya29.secret and mail content"
        for status in [302, 400, 401, 403, 404, 429, 500] {
            for reason in ["notFound", "forbidden", "rateLimitExceeded", "domainPolicy", "x"] {
                #expect(!map(status, body(reason, secret)).description.contains("secret"))
            }
        }
    }

    @Test func transportErrorsAreMapped() {
        #expect(GmailFailure.failure(of: .connection("reset"), at: .message).decision == Self.retry)
        #expect(GmailFailure.failure(of: .timeout("60 s"), at: .batch).decision == Self.retry)
        #expect(GmailFailure.failure(of: .tooLarge(limitBytes: 9), at: .message).decision == .skip)
        #expect(GmailFailure.failure(of: .tooLarge(limitBytes: 9), at: .batch).decision == Self.retry)
        #expect(GmailFailure.failure(of: .refused("scheme"), at: .profile).decision == .stop)
        #expect(GmailFailure.failure(of: .shutDown, at: .profile).decision == Self.retry)
        #expect(GmailFailure.unreadable(.message).decision == .skip)
        #expect(GmailFailure.unreadable(.history(paged: false)).decision == Self.retry)
    }
}
