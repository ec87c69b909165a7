import MailModel

/// An error answer of Microsoft's token endpoint (learn.microsoft.com/entra/identity-platform, error codes).
public struct MicrosoftOAuthError: Error, Sendable, Hashable {
    /// HTTP status.
    public var status: Int
    public var error: String
    /// The AADSTS numbers, in the order sent; the text names one of them.
    public var codes: [Int]
    public var named: Int
    public var text: String
    public var suberror: String?
    /// Sent as `claims`, for the next sign-in.
    public var claims: String?

    public init(
        _ status: Int, _ error: String, _ code: Int, _ text: String, suberror: String? = nil, claims: String? = nil
    ) {
        self.status = status
        self.error = error
        codes = [code]
        named = code
        self.text = text
        self.suberror = suberror
        self.claims = claims
    }

    private static let traceID = "7d2737b3-d25b-4ed6-92ab-943828c46e46"
    private static let correlationID = "17dc765a-7322-4ba7-aa6e-8e3a26a90db9"

    /// The JSON body.
    ///
    /// - Parameter now: Unix seconds.
    func body(at now: Int64) -> [UInt8] {
        let timestamp = MailDate.second(now).replacing("T", with: " ")
        var json = JSONText(reserving: 512)
        json.object { json in
            json.field("error", error)
            json.field(
                "error_description",
                "AADSTS\(named): \(text)\r\nTrace ID: \(Self.traceID)\r\nCorrelation ID: \(Self.correlationID)\r\n"
                    + "Timestamp: \(timestamp)")
            json.key("error_codes")
            json.array(codes) { json, code in json.integer(Int64(code)) }
            json.field("timestamp", timestamp)
            json.field("trace_id", Self.traceID)
            json.field("correlation_id", Self.correlationID)
            json.field("error_uri", "https://login.microsoftonline.com/error?code=\(named)")
            if let suberror { json.field("suberror", suberror) }
            if let claims { json.field("claims", claims) }
        }
        return json.bytes
    }

    func reply(at now: Int64) -> EmulatorReply { .json(body(at: now), status: status) }
}

extension MicrosoftOAuthError {
    public static let passwordChanged = MicrosoftOAuthError(
        400, "invalid_grant", 50173,
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
            + "changed or reset their password. The grant was issued on '2021-01-05T05:09:31.5970000Z' and the "
            + "TokensValidFrom date (before which tokens are not valid) for this user is "
            + "'2021-01-14T06:26:06.0000000Z'.", suberror: "bad_token")
    public static let inactive = MicrosoftOAuthError(
        400, "invalid_grant", 700_082,
        "The refresh token has expired due to inactivity. The token was issued on 2020-02-26T21:52:54.2810613Z and "
            + "was inactive for 90.00:00:00.", suberror: "token_expired")
    public static let expired: MicrosoftOAuthError = {
        var error = MicrosoftOAuthError(
            400, "invalid_grant", 70008, "The refresh token has expired due to inactivity.")
        error.codes = [70002, 70008]
        return error
    }()
    public static let consentRequired = MicrosoftOAuthError(
        400, "invalid_grant", 65001,
        "The user or administrator has not consented to use the application with ID '...'.",
        suberror: "consent_required")
    public static let multiFactor = MicrosoftOAuthError(
        400, "invalid_grant", 50076,
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
            + "use multi-factor authentication to access the resource.", suberror: "basic_action")
    public static let conditionalAccess = MicrosoftOAuthError(
        400, "invalid_grant", 53003, "Access has been blocked by Conditional Access policies.",
        suberror: "message_only")
    public static let userDisabled = MicrosoftOAuthError(
        400, "invalid_grant", 50057, "The user account is disabled.")
    public static let malformed = MicrosoftOAuthError(
        400, "invalid_grant", 9_002_313, "Invalid request. Request is malformed or invalid.")
    public static let singlePage = MicrosoftOAuthError(
        400, "invalid_grant", 700_084,
        "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of "
            + "1.00:00:00, which can't be extended.")
    public static let interactionRequired = MicrosoftOAuthError(
        400, "interaction_required", 50079, "The user is required to use multi-factor authentication.",
        suberror: "basic_action", claims: "{\"access_token\":{\"capolids\":{\"essential\":true,\"values\":[\"1\"]}}}")
    public static let wrongSecret = MicrosoftOAuthError(
        401, "invalid_client", 7_000_215, "Invalid client secret provided.")
    public static let secretExpired = MicrosoftOAuthError(
        401, "invalid_client", 7_000_222, "The provided client secret keys are expired.")
    public static let unknownClient = MicrosoftOAuthError(
        400, "unauthorized_client", 700_016, "Application was not found in the directory.")
    public static let temporarilyUnavailable = MicrosoftOAuthError(
        503, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again.")
    public static let loopDetected = MicrosoftOAuthError(
        400, "invalid_request", 50196,
        "The server terminated an operation because it encountered a client request "
            + "loop.")
    public static let unsupportedGrantType = MicrosoftOAuthError(
        400, "unsupported_grant_type", 70003, "The app returned an unsupported grant type.")
    public static let invalidScope = MicrosoftOAuthError(
        400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid.")

    /// 400 `invalid_request`: a field that must be there and is not.
    public static func missing(_ field: String) -> MicrosoftOAuthError {
        MicrosoftOAuthError(
            400, "invalid_request", 900_144, "The request body must contain the following parameter: '\(field)'.")
    }

    /// The forms by the names that the admin API and the command line use.
    public static let named: [String: MicrosoftOAuthError] = [
        "ms-password-changed": .passwordChanged, "ms-inactive": .inactive, "ms-expired": .expired,
        "ms-consent": .consentRequired, "ms-mfa": .multiFactor, "ms-conditional-access": .conditionalAccess,
        "ms-user-disabled": .userDisabled, "ms-malformed": .malformed, "ms-spa": .singlePage,
        "ms-interaction": .interactionRequired, "ms-wrong-secret": .wrongSecret,
        "ms-secret-expired": .secretExpired, "ms-unknown-client": .unknownClient,
        "ms-unavailable": .temporarilyUnavailable, "ms-loop": .loopDetected,
    ]
}
