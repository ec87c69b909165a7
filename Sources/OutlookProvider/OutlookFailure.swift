import HTTPTransport
import MailModel
import ProviderClient

/// The one place where Graph's errors become decisions
/// (https://learn.microsoft.com/graph/errors, and forms seen in practice). The status decides first, then the codes, whatever
/// their case.
enum OutlookFailure: FailureTable {
    static let provider = "Microsoft Graph"
    static let addressVariable = "GRAPH_API_URL"

    enum Endpoint: ProviderEndpoint {
        case profile
        /// The tree of folders. - Parameter linked: from a link that Graph gave.
        case tree(linked: Bool)
        /// A folder by its well-known name.
        case folder
        /// A folder's messages.
        case messages(linked: Bool)
        case message
        case batch
        /// Asking for a subscription.
        case subscribing
        /// A subscription by its id.
        case subscription
        /// The account's subscriptions.
        case subscriptions
    }

    /// Graph's own codes that decide something besides being shown.
    enum Code {
        /// The link is no longer good: the folder, or the tree, is read from its start.
        static let linkExpired = "sync_state_expired"
        static let folderGone = "folder_not_found"
        /// The tree of folders cannot be followed, only walked.
        static let unsupported = "request_not_supported"
        static let subscriptionTooLong = "subscription_too_long"
        static let subscriptionExists = "subscription_exists"
        static let subscriptionGone = "subscription_not_found"
    }

    /// The longest wait taken from an answer.
    static let waitMax: Duration = .seconds(86_400)

    static func failure(of response: HTTPResponse, at endpoint: Endpoint, now: Int64) -> SyncFailure {
        // A body that is no error document (HTML, empty) says nothing.
        let error = try? ProviderJSON.decode(OutlookWire.Failure.self, from: response.body)
        return failure(response.status, error, response.header("retry-after"), at: endpoint, now: now)
    }

    /// Maps one answer of a batch whose status is not 2xx.
    static func failure(
        _ status: Int, _ error: OutlookWire.Failure?, _ retryAfter: String?, at endpoint: Endpoint, now: Int64
    ) -> SyncFailure {
        let answer = Answer(status, error, retryAfter, now: now)
        if let failure = ofMailbox(answer) { return failure }
        if endpoint.isSubscription, let failure = ofSubscription(answer, endpoint) { return failure }
        switch status {
        case 300...399: return redirected(endpoint)
        case 400, 405, 501: return badRequest(answer, endpoint)
        case 401:
            // The token was replaced and tried again by then. Whether the grant is gone for good only the token
            // endpoint can say; until it does, waiting heals this and signing in again is not asked for.
            return retry(answer, FailureCode.unauthorized, "Graph refuses the account's access token")
        case 403: return forbidden(answer, endpoint)
        case 404: return notFound(endpoint)
        case 410: return gone(endpoint)
        case 409, 412: return retry(answer, "conflict", "Graph reports a conflict on \(endpoint.noun)")
        case 423: return retry(answer, "mailbox_locked", "the mailbox is locked")
        case 424: return retry(answer, "batch_part_skipped", "Graph skipped a part of a batch")
        case 429: return limited(answer)
        case 408, 500...599: return unavailable(answer, endpoint)
        default:
            return retry(answer, "unexpected_status", "Graph answered \(status) to a request for \(endpoint.noun)")
        }
    }

    /// A link that leads elsewhere: it gets no token.
    static let foreignLink = SyncFailure(
        .stop, code: "foreign_link", "Graph names a link at another address than its own; check GRAPH_API_URL")

    /// A subscription from when `PUBLIC_URL` was another.
    static let elsewhere = SyncFailure(
        .skip, code: Code.subscriptionGone, "the subscription announced to another address than PUBLIC_URL")

    static func linkExpired(_ endpoint: Endpoint) -> SyncFailure {
        SyncFailure(
            .restartListing, code: Code.linkExpired,
            "Graph no longer has the state of \(endpoint.noun); it is read from its start")
    }
}

extension OutlookFailure {
    /// What concerns the whole mailbox, under whatever status.
    private static func ofMailbox(_ answer: Answer) -> SyncFailure? {
        if answer.has("mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi", "errornonexistentmailbox") {
            return SyncFailure(
                .stop, code: "mail_not_enabled", "the Microsoft account has no mailbox that Graph can reach")
        }
        if answer.has("errormailboxmoveinprogress", "mailboxinfostale", "errormailboxstoreunavailable") {
            return retry(answer, "mailbox_moving", "the mailbox is being moved or is not mounted")
        }
        return nil
    }

    private static func badRequest(_ answer: Answer, _ endpoint: Endpoint) -> SyncFailure {
        switch endpoint {
        // Whatever Graph dislikes about a link of its own, a new one heals it.
        case .tree(linked: true), .messages(linked: true): return linkExpired(endpoint)
        case .tree(linked: false):
            return SyncFailure(.stop, code: Code.unsupported, "Graph does not accept a request for \(endpoint.noun)")
        case .message: return SyncFailure(.skip, code: "message_refused", "Graph refuses to read this message")
        case .batch, .folder, .messages(linked: false), .profile, .subscribing, .subscription, .subscriptions:
            return SyncFailure(.stop, code: "bad_request", "Graph does not accept a request for \(endpoint.noun)")
        }
    }

    private static func forbidden(_ answer: Answer, _ endpoint: Endpoint) -> SyncFailure {
        if answer.codes.isEmpty { return retry(answer, "forbidden", "something before Graph answered 403") }
        // If the grant were at fault, everything else would be forbidden too.
        if endpoint.isMessage {
            return SyncFailure(.skip, code: "message_forbidden", "Graph does not allow reading this message")
        }
        if answer.has("erroraccessdenied", "authorization_requestdenied", "accessdenied") {
            return SyncFailure(
                .reauthenticate, code: "insufficient_scope",
                "the user or the administrator has not granted access to read mail; sign in again")
        }
        return SyncFailure(.stop, code: "forbidden", "Graph does not allow this request; check the granted permissions")
    }

    private static func notFound(_ endpoint: Endpoint) -> SyncFailure {
        switch endpoint {
        case .message: return messageGone
        case .messages, .folder:
            return SyncFailure(.restartListing, code: Code.folderGone, "the folder does not exist")
        case .tree(linked: true): return linkExpired(endpoint)
        case .tree(linked: false):
            return SyncFailure(.stop, code: Code.unsupported, "Graph has no \(endpoint.noun) at this address")
        case .subscription:
            return SyncFailure(.skip, code: Code.subscriptionGone, "Graph does not have the subscription any more")
        case .batch, .profile, .subscribing, .subscriptions:
            return SyncFailure(
                .stop, code: "not_found", "Graph has no \(endpoint.noun) at this address; check GRAPH_API_URL")
        }
    }

    private static func gone(_ endpoint: Endpoint) -> SyncFailure {
        switch endpoint {
        case .tree, .messages: linkExpired(endpoint)
        case .message: messageGone
        case .batch, .folder, .profile, .subscribing, .subscription, .subscriptions: notFound(endpoint)
        }
    }

    private static let messageGone = SyncFailure(
        .skip, code: FailureCode.messageGone, "the message does not exist")

    private static func limited(_ answer: Answer) -> SyncFailure {
        // Only the text tells this limit from the others.
        if answer.text.contains("mailboxconcurrency") {
            return retry(answer, FailureCode.tooManyConcurrent, "too many requests to this mailbox at once")
        }
        return retry(answer, FailureCode.rateLimited, "Graph asks to slow down")
    }

    /// 5xx. A server that says how long to wait is throttling, whatever it calls it.
    private static func unavailable(_ answer: Answer, _ endpoint: Endpoint) -> SyncFailure {
        if answer.wait != nil || answer.has("errorserverbusy") {
            return retry(answer, FailureCode.rateLimited, "Graph is busy and asks to slow down")
        }
        return retry(answer, "server_error", "Graph answered \(answer.status) to a request for \(endpoint.noun)")
    }

    /// What concerns announcements only: it never keeps mail from being read. Graph tells most of it in words alone.
    private static func ofSubscription(_ answer: Answer, _ endpoint: Endpoint) -> SyncFailure? {
        switch answer.status {
        case 400 where answer.text.contains("expiration"):
            return SyncFailure(
                .stop, code: Code.subscriptionTooLong, "Graph does not grant a subscription for so long")
        case 400 where answer.text.contains("validation"):
            return SyncFailure(
                .stop, code: "push_endpoint_unreachable",
                "Graph did not get its token back from PUBLIC_URL/webhooks/microsoft; check that PUBLIC_URL leads to "
                    + "this service from the Internet, over https with a public certificate, within 10 seconds")
        case 400...499 where answer.text.contains("not yet supported for this mailbox"):
            return SyncFailure(.stop, code: "mail_not_enabled", "Graph announces nothing of this mailbox")
        case 400 where answer.has("extensionerror"):
            return retry(answer, "subscription_refused", "the mailbox's server refuses a subscription")
        case 403 where answer.text.contains("limit"):
            return SyncFailure(
                .stop, code: "subscription_limit", "the mailbox has as many subscriptions as Graph allows")
        case 403 where !answer.codes.isEmpty:
            return SyncFailure(
                .stop, code: "subscription_forbidden",
                "Graph does not allow a subscription; check that the application has Mail.Read or Mail.ReadBasic")
        case 409: return retry(answer, Code.subscriptionExists, "Graph has this subscription already")
        default: return nil
        }
    }

    private static func retry(_ answer: Answer, _ code: String, _ message: String) -> SyncFailure {
        SyncFailure(.retry(after: answer.wait, scope: .account), code: code, message)
    }
}

extension OutlookFailure.Endpoint {
    var isMessage: Bool { self == .message }
    var isSubscription: Bool { self == .subscribing || self == .subscription || self == .subscriptions }
    /// Asked for by a link that Graph gave.
    var isLinked: Bool { self == .tree(linked: true) || self == .messages(linked: true) }

    var noun: String {
        switch self {
        case .profile: "the profile"
        case .tree: "the folders"
        case .folder: "a folder"
        case .messages: "a folder's messages"
        case .message: "a message"
        case .batch: "a batch"
        case .subscribing, .subscription: "a subscription"
        case .subscriptions: "the account's subscriptions"
        }
    }
}

/// The parts of an error answer that decide.
private struct Answer {
    let status: Int
    /// In lower case.
    let codes: [String]
    /// In lower case.
    let text: String
    /// How long to wait, when the answer says so: at least a second.
    let wait: Duration?

    init(_ status: Int, _ error: OutlookWire.Failure?, _ retryAfter: String?, now: Int64) {
        self.status = status
        codes = error?.codes ?? []
        text = error?.message.lowercased() ?? ""
        wait = retryAfter.flatMap { RetryAfter.parse($0, now: now / 1000) }
            .map { min(max($0, .seconds(1)), OutlookFailure.waitMax) }
    }

    func has(_ names: String...) -> Bool { codes.contains(where: names.contains) }
}
