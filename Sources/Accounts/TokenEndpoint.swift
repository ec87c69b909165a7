import Foundation
import HTTPTransport
import MailModel

/// What a token endpoint's answer means. Pure: the one place where its errors become decisions.
enum TokenEndpoint {
    /// Assumed when the answer does not say (RFC 6749 §5.1 only recommends `expires_in`).
    static let unstatedLifetimeSeconds: Int64 = 300
    /// Longer than any provider grants; guards the arithmetic.
    static let lifetimeSecondsMax: Int64 = 366 * 86_400
    /// Google documents 2048 bytes at most, Microsoft none.
    static let tokenBytesMax = 16 * 1024

    private struct Answer: Decodable {
        var accessToken: String
        var refreshToken: String?
        var expiresIn: Lifetime?
        var tokenType: String?

        enum CodingKeys: String, CodingKey {
            case accessToken = "access_token"
            case refreshToken = "refresh_token"
            case expiresIn = "expires_in"
            case tokenType = "token_type"
        }
    }

    /// Seconds, as a number or, as some servers write it, as text.
    private struct Lifetime: Decodable {
        let seconds: Int64

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let value: Double?
            if let text = try? container.decode(String.self) {  // not text: then it must be a number
                value = Double(text)
            } else {
                value = try container.decode(Double.self)
            }
            guard let value, value.isFinite, value > 0 else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a lifetime")
            }
            seconds = Int64(min(value, Double(TokenEndpoint.lifetimeSecondsMax)))
        }
    }

    private struct Refusal: Decodable {
        var error: String
        /// Google's `error_subtype`, Microsoft's `suberror`.
        var subtype: String?

        enum CodingKeys: String, CodingKey {
            case error
            case googleSubtype = "error_subtype"
            case microsoftSubtype = "suberror"
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            error = try container.decode(String.self, forKey: .error)
            // Only explains: whatever is not text explains nothing.
            subtype =
                (try? container.decode(String.self, forKey: .googleSubtype))
                ?? (try? container.decode(String.self, forKey: .microsoftSubtype))
        }
    }

    /// - Throws: ``SyncFailure``.
    static func tokens(
        from response: HTTPResponse, replacing refreshToken: Secret, provider: ProviderKind, at now: UnixSeconds
    ) throws(SyncFailure) -> OAuthTokens {
        guard response.status == 200 else { throw failure(response, provider: provider, at: now) }
        // What fails to decode is handled below; the decoder's own error could quote a token.
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)),
            answer.tokenType.map({ $0.lowercased() == "bearer" }) ?? true, isUsable(answer.accessToken)
        else { throw garbage(response, provider) }
        let rotated = answer.refreshToken.flatMap { $0.isEmpty ? nil : $0 }
        if let rotated, !isUsable(rotated) { throw garbage(response, provider) }
        return OAuthTokens(
            access: Secret(answer.accessToken), refresh: rotated.map(Secret.init) ?? refreshToken,
            expiry: now + (answer.expiresIn?.seconds ?? unstatedLifetimeSeconds))
    }

    /// A token goes into a header: visible ASCII without spaces (RFC 6750 §2.1 allows less).
    static func isUsable(_ token: String) -> Bool {
        (1...tokenBytesMax).contains(token.utf8.count) && token.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }

    static func failure(_ error: TransportError, provider: ProviderKind) -> SyncFailure {
        let name = provider.apiName
        switch error {
        case .connection(let reason), .timeout(let reason):
            return SyncFailure(
                .retry(after: nil, scope: .account), code: "token_endpoint_unreachable",
                "the token endpoint of \(name) cannot be reached: \(reason)")
        case .tooLarge(let limit):
            return SyncFailure(
                .retry(after: nil, scope: .account), code: "token_endpoint_garbage",
                "the token endpoint of \(name) answered more than \(limit) bytes")
        case .refused(let reason):
            return SyncFailure(
                .stop, code: "token_endpoint_refused",
                "the token endpoint of \(name) must not be called: \(reason); check its configured URL")
        case .shutDown:
            return SyncFailure(
                .retry(after: nil, scope: .account), code: "shutting_down", "the service is shutting down")
        }
    }

    /// An answer other than 200. Only `invalid_grant` and Microsoft's `interaction_required` and its like concern the user; a
    /// problem with our registration is the operator's, and parks nobody.
    static func failure(_ response: HTTPResponse, provider: ProviderKind, at now: UnixSeconds) -> SyncFailure {
        let name = provider.apiName
        let retryAfter = response.header("retry-after").flatMap { RetryAfter.parse($0, now: now) }
        if response.status == 429 || response.status >= 500 {
            return SyncFailure(
                .retry(after: retryAfter, scope: .account), code: "token_endpoint_busy",
                "the token endpoint of \(name) answered \(response.status)")
        }
        // Whatever is not a refusal in the form of RFC 6749 §5.2 is garbage, below.
        let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(response.body))
        switch refusal?.error {
        case "invalid_grant", "interaction_required", "login_required", "consent_required":
            return reauthenticate(subtype: refusal?.subtype ?? refusal?.error, name)
        case "temporarily_unavailable", "server_error":
            return SyncFailure(
                .retry(after: retryAfter, scope: .account), code: "token_endpoint_busy",
                "the token endpoint of \(name) asks to try later (\(refusal?.error ?? ""))")
        case "invalid_client", "unauthorized_client":
            return SyncFailure(
                .stop, code: "oauth_client_rejected",
                "\(name) does not accept this service's client id and secret: check "
                    + "\(provider.rawValue)_CLIENT_ID and \(provider.rawValue)_CLIENT_SECRET")
        case "invalid_request", "invalid_scope", "unsupported_grant_type", "org_internal", "admin_policy_enforced":
            return SyncFailure(
                .stop, code: "oauth_request_rejected",
                "\(name) refuses to refresh tokens for this service (\(refusal?.error ?? "")): check its registration")
        default:
            return garbage(response, provider)
        }
    }

    private static func reauthenticate(subtype: String?, _ name: String) -> SyncFailure {
        let reason: String
        switch subtype {
        case "invalid_rapt":
            reason = "asks the user to sign in again (session control of the organisation)"
        case "basic_action", "additional_action", "interaction_required", "login_required":
            reason = "asks the user to sign in again (a second factor, or another condition of the organisation)"
        case "consent_required":
            reason = "asks for the user's or the administrator's consent again"
        case "bad_token":
            reason = "no longer accepts the refresh token (the password was changed, or access was revoked)"
        case "token_expired":
            reason = "no longer accepts the refresh token (it was not used for too long)"
        default:
            reason = "no longer accepts the refresh token (revoked, expired or replaced)"
        }
        return SyncFailure(.reauthenticate, code: "invalid_grant", "\(name) \(reason): connect again")
    }

    private static func garbage(_ response: HTTPResponse, _ provider: ProviderKind) -> SyncFailure {
        SyncFailure(
            .retry(after: nil, scope: .account), code: "token_endpoint_garbage",
            "the token endpoint of \(provider.apiName) answered \(response.status) with "
                + "\(response.body.count) bytes that are no token answer")
    }
}
