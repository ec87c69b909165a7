import MailModel

/// An error answer of Microsoft Graph: status, code and message in the forms of its documentation and of recorded
/// answers (learn.microsoft.com/graph/errors).
public struct GraphError: Error, Sendable, Hashable {
    /// HTTP status.
    public var status: Int
    public var code: String
    public var message: String
    /// Sent as `Retry-After`.
    public var retryAfterSeconds: Int?
    /// Sent as `Location`.
    public var location: String?
    /// Sends the URL of a fresh first round as `Location`, as the documentation of 410 has it.
    public var locatesFreshRound = false
    /// `innerError` and `innererror` both occur.
    public var innerKey = "innerError"

    public init(_ status: Int, _ code: String, _ message: String, retryAfterSeconds: Int? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// The JSON body.
    ///
    /// - Parameter date: RFC 3339 without zone, as Graph writes it here.
    func body(requestID: String, clientRequestID: String, date: String) -> [UInt8] {
        var json = JSONText(reserving: 256)
        json.object { json in
            json.key("error")
            json.object { json in
                json.field("code", code)
                json.field("message", message)
                json.key(innerKey)
                json.object { json in
                    json.field("date", date)
                    json.field("request-id", requestID)
                    json.field("client-request-id", clientRequestID)
                }
            }
        }
        return json.bytes
    }

    /// The answer, with ids that nobody gave out.
    var reply: EmulatorReply {
        let none = "00000000-0000-0000-0000-000000000000"
        return reply(requestID: none, clientRequestID: none, date: "2026-01-01T00:00:00")
    }

    func reply(requestID: String, clientRequestID: String, date: String) -> EmulatorReply {
        var reply = EmulatorReply(
            status: status, contentType: "application/json",
            body: body(requestID: requestID, clientRequestID: clientRequestID, date: date))
        if let retryAfterSeconds { reply.headers.append(("retry-after", String(retryAfterSeconds))) }
        if let location { reply.headers.append(("location", location)) }
        return reply
    }
}

extension GraphError {
    public static let tokenExpired = GraphError(
        401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
    public static let tokenMissing = GraphError(401, "InvalidAuthenticationToken", "Access token is empty.")
    public static let accessDenied = GraphError(
        403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    public static let itemNotFound = GraphError(
        404, "ErrorItemNotFound", "The specified object was not found in the store.")
    /// The account has no mailbox that Graph can reach.
    public static let noMailbox = GraphError(
        404, "MailboxNotEnabledForRESTAPI",
        "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
    public static let malformedID = GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")
    public static let inefficientFilter = GraphError(
        400, "InefficientFilter", "The restriction or sort order is too complex for this operation.")
    public static let wholeMailboxDelta = GraphError(
        400, "BadRequest",
        "Unsupported request: Change tracking is not supported against 'microsoft.graph.message'.")
    /// A delta or next link whose token makes no sense.
    public static let invalidSyncState = GraphError(
        400, "ErrorInvalidSyncStateData", "The sync state data is invalid.")
    /// A delta or next link that is too old, in the recorded form.
    public static let syncStateNotFound = GraphError(
        410, "SyncStateNotFound",
        "The sync state generation is not found; generation=149;[highest=157][157][155][156].")
    /// The same in the documented form, with where to start again.
    public static let syncStateNotFoundWithLocation: GraphError = {
        var error = GraphError(410, "syncStateNotFound", "The sync state generation is not found.")
        error.locatesFreshRound = true
        return error
    }()
    public static let resyncRequired: GraphError = {
        var error = GraphError(410, "resyncRequired", "Resync required. Replace any local items.")
        error.innerKey = "innererror"
        return error
    }()
    public static let mailboxConcurrency = GraphError(
        429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.", retryAfterSeconds: 1)
    /// Without `Retry-After`.
    public static let tooManyRequests = GraphError(429, "TooManyRequests", "Too many requests.")
    public static let unavailable = GraphError(503, "ServiceUnavailable", "The service is temporarily unavailable.")
    public static let mailboxMoving = GraphError(
        503, "ErrorMailboxMoveInProgress", "Mailbox move in progress. Try again later.", retryAfterSeconds: 5)
    public static let serverBusy = GraphError(
        503, "ErrorServerBusy", "The server cannot service this request right now.")
    public static let generalException = GraphError(500, "generalException", "An unspecified error has occurred.")
    public static let gatewayTimeout = GraphError(504, "UnknownError", "")
    public static let failedDependency = GraphError(424, "FailedDependency", "A request this one depends on failed.")
    public static let locked = GraphError(423, "ErrorMailboxStoreUnavailable", "The mailbox is locked.")

    /// 400: a URL or an envelope that Graph does not understand.
    public static func badRequest(_ message: String, code: String = "BadRequest") -> GraphError {
        GraphError(400, code, message)
    }

    /// The forms by the names that the admin API and the command line use.
    public static let named: [String: GraphError] = [
        "graph-token": .tokenExpired, "graph-denied": .accessDenied, "graph-not-found": .itemNotFound,
        "graph-no-mailbox": .noMailbox, "graph-sync-state": .invalidSyncState, "graph-gone": .syncStateNotFound,
        "graph-gone-location": .syncStateNotFoundWithLocation, "graph-resync": .resyncRequired,
        "graph-concurrency": .mailboxConcurrency, "graph-429": .tooManyRequests, "graph-503": .unavailable,
        "graph-moving": .mailboxMoving, "graph-busy": .serverBusy, "graph-500": .generalException,
        "graph-subscription-exists": .subscriptionExists, "graph-subscription-limit": .subscriptionLimit,
        "graph-subscription-too-long": .subscriptionTooLong, "graph-validation": .validationFailed,
        "graph-504": .gatewayTimeout, "graph-locked": .locked,
    ]
}
