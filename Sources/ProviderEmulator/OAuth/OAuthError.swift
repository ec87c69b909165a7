import MailModel

/// An error answer of Google's token or revocation endpoint.
public struct OAuthError: Error, Sendable, Hashable {
    /// HTTP status.
    public var status: Int
    public var error: String
    public var description: String
    public var subtype: String?
    public var uri: String?

    public init(_ status: Int, _ error: String, _ description: String, subtype: String? = nil, uri: String? = nil) {
        self.status = status
        self.error = error
        self.description = description
        self.subtype = subtype
        self.uri = uri
    }

    public static let invalidGrant = OAuthError(400, "invalid_grant", "Token has been expired or revoked.")
    public static let invalidGrantBadRequest = OAuthError(400, "invalid_grant", "Bad Request")
    /// Workspace session control: the user must sign in again.
    public static let invalidRapt = OAuthError(
        400, "invalid_grant", "reauth related error (invalid_rapt)", subtype: "invalid_rapt",
        uri: "https://support.google.com/a/answer/9368756")
    public static let invalidClient = OAuthError(401, "invalid_client", "The OAuth client was not found.")
    public static let wrongSecret = OAuthError(401, "invalid_client", "Unauthorized")
    public static let unsupportedGrantType = OAuthError(
        400, "unsupported_grant_type", "Invalid grant_type: only refresh_token is emulated")
    /// The revocation endpoint's answer to a token it does not know.
    public static let invalidToken = OAuthError(400, "invalid_token", "Token expired or revoked")

    /// 400 `invalid_request` (RFC 6749 §5.2), with what is wrong.
    public static func invalidRequest(_ description: String) -> OAuthError {
        OAuthError(400, "invalid_request", description)
    }

    /// The forms by the names that the admin API and the command line use.
    public static let named: [String: OAuthError] = [
        "invalid-grant": .invalidGrant, "invalid-grant-bad-request": .invalidGrantBadRequest,
        "invalid-rapt": .invalidRapt, "invalid-client": .invalidClient,
    ]

    /// The JSON body.
    var body: [UInt8] {
        var json = JSONText(reserving: 128)
        json.object { json in
            json.field("error", error)
            json.field("error_description", description)
            if let uri { json.field("error_uri", uri) }
            if let subtype { json.field("error_subtype", subtype) }
        }
        return json.bytes
    }
}
