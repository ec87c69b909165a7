import MailModel

/// An error answer of the Gmail API: status and JSON body in the forms seen in practice (guides/handle-errors and
/// recorded answers).
public struct GmailError: Error, Sendable, Hashable {
    public var code: Int
    public var message: String
    /// The message of the inner entry where it differs.
    public var innerMessage: String?
    public var domain = "global"
    public var reason: String
    /// Header the error is about.
    public var location: String?
    /// The name of the status in the newer form; the older one has none.
    public var status: String?
    /// The method named in `details`, where the form carries details.
    public var scopeMethod: String?
    /// Sent as `Retry-After`; the provider rarely does.
    public var retryAfterSeconds: Int?

    public init(_ code: Int, _ reason: String, _ message: String, domain: String = "global", status: String? = nil) {
        self.code = code
        self.reason = reason
        self.message = message
        self.domain = domain
        self.status = status
    }

    /// The JSON body.
    var body: [UInt8] {
        var json = JSONText()
        json.object { json in
            json.key("error")
            json.object { json in
                json.field("code", Int64(code))
                json.field("message", message)
                json.key("errors")
                json.array([self]) { json, _ in writeEntry(&json) }
                if let status { json.field("status", status) }
                if let scopeMethod { writeDetails(&json, method: scopeMethod) }
            }
        }
        return json.bytes
    }

    private func writeEntry(_ json: inout JSONText) {
        json.object { json in
            json.field("message", innerMessage ?? message)
            json.field("domain", domain)
            json.field("reason", reason)
            if let location {
                json.field("location", location)
                json.field("locationType", "header")
            }
        }
    }

    private func writeDetails(_ json: inout JSONText, method: String) {
        json.key("details")
        json.array([method]) { json, method in
            json.object { json in
                json.field("@type", "type.googleapis.com/google.rpc.ErrorInfo")
                json.field("reason", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
                json.field("domain", "googleapis.com")
                json.key("metadata")
                json.object { json in
                    json.field("service", "gmail.googleapis.com")
                    json.field("method", method)
                }
            }
        }
    }
}

extension GmailError {
    public static let missingStartHistoryID = invalidArgument("Missing/invalid parameter: startHistoryId")
    public static let precondition = GmailError(
        400, "failedPrecondition", "Precondition check failed.", status: "FAILED_PRECONDITION")
    public static let authError: GmailError = {
        var error = GmailError(
            401, "authError",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
                + "valid authentication credential. See "
                + "https://developers.google.com/identity/sign-in/web/devconsole-project.",
            status: "UNAUTHENTICATED")
        error.innerMessage = "Invalid Credentials"
        error.location = "Authorization"
        return error
    }()
    public static let dailyLimit = GmailError(403, "dailyLimitExceeded", "Daily Limit Exceeded", domain: "usageLimits")
    public static let quotaExceeded = GmailError(403, "quotaExceeded", "Quota exceeded", domain: "usageLimits")
    public static let accessNotConfigured = GmailError(
        403, "accessNotConfigured",
        "Gmail API has not been used in project 000000000000 before or it is disabled.", domain: "usageLimits",
        status: "PERMISSION_DENIED")
    public static let domainPolicy = GmailError(
        403, "domainPolicy", "The domain administrators have disabled Gmail apps.")
    public static let metadataScopeFull = GmailError(
        403, "forbidden", "Metadata scope doesn't allow format FULL", status: "PERMISSION_DENIED")
    public static let metadataScopeQuery = GmailError(
        403, "forbidden", "Metadata scope does not support 'q' parameter", status: "PERMISSION_DENIED")
    /// The form the quota per minute really takes: a 403.
    public static let perUserQuota = GmailError(
        403, "rateLimitExceeded",
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service "
            + "'gmail.googleapis.com' for consumer 'project_number:000000000000'.",
        domain: "usageLimits", status: "PERMISSION_DENIED")
    public static let userRateLimit = GmailError(
        403, "userRateLimitExceeded", "User Rate Limit Exceeded", domain: "usageLimits")
    /// A message that is gone, and a history that is too old: the bodies are the same.
    public static let notFound = GmailError(404, "notFound", "Requested entity was not found.", status: "NOT_FOUND")
    public static let resourceExhausted = GmailError(
        429, "rateLimitExceeded", "Resource has been exhausted (e.g. check quota).", status: "RESOURCE_EXHAUSTED")
    public static let tooManyConcurrent = GmailError(
        429, "rateLimitExceeded", "Too many concurrent requests for user.", domain: "usageLimits",
        status: "RESOURCE_EXHAUSTED")
    public static let backendError = GmailError(500, "backendError", "Backend Error", status: "INTERNAL")
    public static let unavailable = GmailError(
        503, "backendError", "The service is currently unavailable.", status: "UNAVAILABLE")

    /// 400: a parameter that the method does not take.
    public static func invalidArgument(_ message: String) -> GmailError {
        GmailError(400, "invalidArgument", message, status: "INVALID_ARGUMENT")
    }

    /// The token lacks every scope that allows the method.
    public static func insufficientScopes(method: String) -> GmailError {
        var error = GmailError(
            403, "insufficientPermissions", "Request had insufficient authentication scopes.",
            status: "PERMISSION_DENIED")
        error.scopeMethod = method
        return error
    }

    /// The time to wait for is in the text only.
    ///
    /// - Parameter time: RFC 3339 with milliseconds.
    public static func userRateRetryAfter(_ time: String) -> GmailError {
        GmailError(
            429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after \(time)", domain: "usageLimits",
            status: "RESOURCE_EXHAUSTED")
    }

    /// - Parameter retryAtMilliseconds: since 1970.
    public static func userRateRetryAfter(retryAtMilliseconds: Int64) -> GmailError {
        userRateRetryAfter(MailDate.timestamp(milliseconds: retryAtMilliseconds))
    }

    /// The forms by the names that the admin API and the command line use.
    public static let named: [String: GmailError] = [
        "precondition": .precondition, "auth": .authError, "daily-limit": .dailyLimit,
        "quota-exceeded": .quotaExceeded, "not-configured": .accessNotConfigured, "domain-policy": .domainPolicy,
        "user-quota": .perUserQuota, "user-rate": .userRateLimit, "not-found": .notFound,
        "exhausted": .resourceExhausted, "concurrent": .tooManyConcurrent, "backend": .backendError,
        "unavailable": .unavailable, "watch-taken": .watchTaken, "topic-forbidden": .topicForbidden,
        "topic-missing": .topicMissing,
    ]
}
