import Foundation
import HTTPTransport
import MailModel
import ProviderClient

/// The one place where Gmail's errors become decisions
/// (https://developers.google.com/workspace/gmail/api/guides/handle-errors, and forms seen in practice).
enum GmailFailure: FailureTable {
    static let provider = "Gmail"
    static let addressVariable = "GMAIL_API_URL"

    /// What was asked for: the same answer means different things.
    enum Endpoint: ProviderEndpoint {
        case profile
        /// - Parameter paged: with a page token.
        case list(paged: Bool)
        case message
        case history(paged: Bool)
        case labels
        case batch
        case watch(topic: String)
        /// The end of a watch.
        case unwatch
    }

    /// Gmail's own codes that decide something besides being shown.
    enum Code {
        static let queryRefused = "query_refused"
        static let badRequest = "bad_request"
        /// The mailbox is watched for another topic.
        static let watchTaken = "watch_taken"
        static let watchGone = "watch_gone"
    }

    /// What a project's exhausted daily quota is waited for, when the provider says nothing.
    static let dailyLimitWait: Duration = .seconds(3600)
    /// The longest wait taken from an answer.
    static let waitMax: Duration = .seconds(86_400)

    /// Maps an answer whose status is not 2xx. Pure.
    ///
    /// - Parameter now: wall-clock milliseconds since 1970, for waits given as a date.
    static func failure(of response: HTTPResponse, at endpoint: Endpoint, now: Int64) -> SyncFailure {
        let answer = Answer(response, now: now)
        if case .watch(let topic) = endpoint, let failure = refusedTopic(answer, response.status, topic) {
            return failure
        }
        switch response.status {
        case 400: return badRequest(answer, endpoint)
        case 401:
            // The token was replaced and tried again by then. Whether the grant is gone for good only the token
            // endpoint can say; until it does, waiting heals this and signing in again is not asked for.
            return retry(answer, FailureCode.unauthorized, "Gmail refuses the account's access token")
        case 403: return forbidden(answer)
        case 404, 410: return notFound(endpoint)
        case 429: return limited(answer)
        case 408, 500...599:
            return retry(answer, "server_error", "Gmail answered \(response.status) to a request for \(endpoint.noun)")
        default: return unexpected(response.status, endpoint)
        }
    }
}

extension GmailFailure {
    private static func badRequest(_ answer: Answer, _ endpoint: Endpoint) -> SyncFailure {
        if answer.says("Mail service not enabled") {
            return SyncFailure(.stop, code: "mail_not_enabled", "Gmail is not enabled for this Google account")
        }
        if answer.reasons.contains("failedprecondition") {
            return retry(answer, "precondition_failed", "Gmail is not ready to answer for this account")
        }
        switch endpoint {
        case .list(paged: true):
            return SyncFailure(
                .restartListing, code: "page_token_expired", "the listing's page token is no longer valid")
        case .history(paged: true):
            return SyncFailure(
                .retry(after: nil, scope: .account), code: "page_token_expired",
                "the history's page token is no longer valid")
        case .history(paged: false):
            return SyncFailure(.resync, code: "history_refused", "Gmail does not accept the stored history id")
        case .message: return SyncFailure(.skip, code: "message_refused", "Gmail refuses to read this message")
        case .batch, .labels, .list(paged: false), .profile, .watch, .unwatch:
            return SyncFailure(.stop, code: Code.badRequest, "Gmail does not accept a request for \(endpoint.noun)")
        }
    }

    private static func forbidden(_ answer: Answer) -> SyncFailure {
        let reasons = answer.reasons
        if !reasons.isDisjoint(with: ["dailylimitexceeded", "quotaexceeded"]) {
            return SyncFailure(
                .retry(after: answer.wait ?? dailyLimitWait, scope: .project), code: FailureCode.projectLimit,
                "the Google project's daily quota is used up")
        }
        if !reasons.isDisjoint(with: ["ratelimitexceeded", "userratelimitexceeded", "resource_exhausted"]) {
            return limited(answer)
        }
        if !reasons.isDisjoint(with: ["accessnotconfigured", "service_disabled"]) {
            return SyncFailure(
                .stop, code: "api_disabled",
                "the Gmail API is not enabled in the Google project; enable it in the console")
        }
        if reasons.contains("domainpolicy") {
            return SyncFailure(
                .stop, code: "domain_policy",
                "the account's Google Workspace administrator does not allow this application")
        }
        if !reasons.isDisjoint(with: ["insufficientpermissions", "access_token_scope_insufficient"]) {
            return SyncFailure(
                .reauthenticate, code: "insufficient_scope",
                "the user has not granted access to read mail; sign in again")
        }
        if answer.says("does not support 'q'") {
            return SyncFailure(.stop, code: Code.queryRefused, "the granted scope does not allow searching")
        }
        if reasons.isEmpty { return retry(answer, "forbidden", "something before Gmail answered 403") }
        return SyncFailure(.stop, code: "forbidden", "Gmail does not allow this request; check the granted scopes")
    }

    private static func limited(_ answer: Answer) -> SyncFailure {
        if answer.says("concurrent requests") {
            return retry(answer, FailureCode.tooManyConcurrent, "too many requests to this mailbox at once")
        }
        if answer.says("per minute"), !answer.says("per user") {
            return retry(
                answer, FailureCode.projectLimit, "the Google project's quota is used up for now", scope: .project)
        }
        return retry(answer, FailureCode.rateLimited, "Gmail asks to slow down")
    }

    /// What is wrong with the topic of a watch. Before Gmail watches, it publishes a message to the topic, as an account of
    /// its own; the answer tells of that in words only (forms seen in practice).
    private static func refusedTopic(_ answer: Answer, _ status: Int, _ topic: String) -> SyncFailure? {
        if status == 400, answer.says("Only one user push notification client") {
            return SyncFailure(
                .stop, code: Code.watchTaken,
                "the mailbox is watched for another topic of the Google project than \(topic)")
        }
        let isAboutTopic = answer.says("PubSub") || answer.says("Pub/Sub") || answer.says("topicName")
        switch status {
        case 403 where isAboutTopic || !answer.reasons.isEmpty && answer.reasons.isDisjoint(with: otherRefusals):
            return SyncFailure(
                .stop, code: "topic_forbidden",
                "Gmail may not publish to \(topic); grant roles/pubsub.publisher on it to \(publisher)")
        case 404 where isAboutTopic:
            return SyncFailure(
                .stop, code: "topic_not_found", "\(topic) does not exist; create it, or check GOOGLE_PUBSUB_TOPIC")
        case 400 where isAboutTopic:
            return SyncFailure(
                .stop, code: "topic_refused",
                "Gmail does not accept \(topic); it must be in the Google project of the OAuth client")
        default: return nil
        }
    }

    /// As whom Gmail publishes.
    static let publisher = "gmail-api-push@system.gserviceaccount.com"

    /// Reasons of a 403 that have nothing to do with a topic.
    private static let otherRefusals: Set<String> = [
        "dailylimitexceeded", "quotaexceeded", "ratelimitexceeded", "userratelimitexceeded", "resource_exhausted",
        "accessnotconfigured", "service_disabled", "domainpolicy", "insufficientpermissions",
        "access_token_scope_insufficient",
    ]

    private static func notFound(_ endpoint: Endpoint) -> SyncFailure {
        switch endpoint {
        case .history:
            SyncFailure(.resync, code: "history_expired", "Gmail no longer has the changes since the stored history id")
        case .message: SyncFailure(.skip, code: FailureCode.messageGone, "the message does not exist")
        case .unwatch: SyncFailure(.stop, code: Code.watchGone, "the mailbox is not watched")
        case .batch, .labels, .list, .profile, .watch:
            SyncFailure(.stop, code: "not_found", "Gmail has no \(endpoint.noun) at this address; check GMAIL_API_URL")
        }
    }

    private static func unexpected(_ status: Int, _ endpoint: Endpoint) -> SyncFailure {
        if (300...399).contains(status) {
            return redirected(endpoint)
        }
        return SyncFailure(
            .retry(after: nil, scope: .account), code: "unexpected_status",
            "Gmail answered \(status) to a request for \(endpoint.noun)")
    }

    private static func retry(
        _ answer: Answer, _ code: String, _ message: String, scope: FailureScope = .account
    ) -> SyncFailure {
        SyncFailure(.retry(after: answer.wait, scope: scope), code: code, message)
    }
}

extension GmailFailure.Endpoint {
    var isMessage: Bool { self == .message }

    var noun: String {
        switch self {
        case .profile: "the profile"
        case .list: "the list of messages"
        case .message: "a message"
        case .history: "the history"
        case .labels: "the labels"
        case .batch: "a batch of messages"
        case .watch: "a watch on the mailbox"
        case .unwatch: "the end of a watch"
        }
    }
}

/// The parts of an error answer that decide.
private struct Answer {
    /// Reasons and status names, in lower case.
    var reasons: Set<String> = []
    /// How long to wait, as far as the answer says: at least a second.
    var wait: Duration?
    private var texts: [String] = []

    init(_ response: HTTPResponse, now: Int64) {
        // A body that is no error document (HTML, empty) says nothing.
        let error = (try? ProviderJSON.decode(GmailWire.Failure.self, from: response.body))?.error
        let names = [error?.status].compactMap { $0 } + (error?.errors ?? []).compactMap(\.reason)
        reasons = Set((names + (error?.details ?? []).compactMap(\.reason)).map { $0.lowercased() })
        texts = [error?.message].compactMap { $0 } + (error?.errors ?? []).compactMap(\.message)
        let header = response.header("retry-after").flatMap { RetryAfter.parse($0, now: now / 1000) }
        let delay = (error?.details ?? []).compactMap(\.retryDelay).lazy.compactMap(Self.seconds).first
        let text = texts.lazy.compactMap { Self.wait(in: $0, now: now) }.first
        wait = (header ?? delay ?? text).map { min(max($0, .seconds(1)), GmailFailure.waitMax) }
    }

    func says(_ phrase: String) -> Bool {
        texts.contains { $0.range(of: phrase, options: .caseInsensitive) != nil }
    }

    /// `"30s"`, `"1.5s"`
    private static func seconds(_ text: String) -> Duration? {
        guard text.hasSuffix("s"), let value = Double(text.dropLast()), value.isFinite, value >= 0 else { return nil }
        return .milliseconds(Int64(min(value, 1e9) * 1000))
    }

    /// `Retry after 2026-01-21T12:57:51.196Z`, `Suggested Backoff Time: 92415 milliseconds`
    private static func wait(in text: String, now: Int64) -> Duration? {
        if let match = text.firstMatch(of: /(?i)retry\s+after\s+(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z/),
            let date = try? Date(String(match.1) + "Z", strategy: .iso8601)  // digits that are no date
        {
            return .milliseconds(Int64(date.timeIntervalSince1970) * 1000 + 1000 - now)
        }
        if let match = text.firstMatch(of: /(?i)retry\s+after\s+(\d{1,9})(?![-\d])\s*(milliseconds|ms|seconds|s)?/) {
            return duration(match.1, unit: match.2)
        }
        if let match = text.firstMatch(
            of: /(?i)suggested\s+backoff(?:\s+time)?:?\s*(\d{1,9})\s*(milliseconds|ms|seconds|s)?/)
        {
            return duration(match.1, unit: match.2)
        }
        return nil
    }

    private static func duration(_ number: Substring, unit: Substring?) -> Duration? {
        guard let value = Int64(number) else { return nil }
        return unit?.lowercased().hasPrefix("m") == true ? .milliseconds(value) : .seconds(value)
    }
}
