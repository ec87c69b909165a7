import Foundation
import MailModel

/// What the token of a push from Google's Pub/Sub must say
/// (https://docs.cloud.google.com/pubsub/docs/authenticate-push-subscriptions).
public struct PushTokenRules: Sendable {
    /// Google documents both spellings.
    public static let issuers: Set<String> = ["https://accounts.google.com", "accounts.google.com"]

    /// As set at the push subscription.
    public var audience: String
    /// E-mail address of the service account that the push subscription signs as. The audience alone proves nothing:
    /// whoever has any service account can have a token made for any audience.
    public var serviceAccount: String
    /// 0 to ``JWTRules/leewaySecondsMax``.
    public let leewaySeconds: Int64

    public init(audience: String, serviceAccount: String, leewaySeconds: Int64 = 5) {
        self.audience = audience
        self.serviceAccount = serviceAccount
        self.leewaySeconds = min(max(0, leewaySeconds), JWTRules.leewaySecondsMax)
    }

    /// Judges claims whose signature has been checked.
    ///
    /// - Returns: until when they hold.
    /// - Throws: ``AuthenticationFailure``.
    func check(_ claims: PushTokenClaims, at now: UnixSeconds) throws(AuthenticationFailure) -> UnixSeconds {
        let registered = claims.registered
        guard let issuer = registered.issuer, Self.issuers.contains(issuer) else { throw .wrongIssuer }
        guard registered.audiences.contains(audience) else { throw .wrongAudience }
        guard let expiry = registered.expiry else { throw .missingClaim("exp") }
        guard expiry > Double(now - leewaySeconds) else { throw .expired }
        for start in [registered.notBefore, claims.issuedAt].compactMap({ $0 })
        where start > Double(now + leewaySeconds) { throw .notYetValid }
        guard claims.emailIsVerified == true else { throw .missingClaim("email_verified") }
        guard let email = claims.email else { throw .missingClaim("email") }
        guard email == serviceAccount else { throw .wrongAccount }
        return UnixSeconds(min(expiry, 1e15)) + leewaySeconds
    }
}

/// The claims of an OpenID Connect token that decide whether a push is accepted (OpenID Connect Core 1.0 §2, §5.1).
struct PushTokenClaims: Sendable, Hashable, Decodable {
    var registered: TokenClaims
    /// Seconds since 1970.
    var issuedAt: Double?
    var email: String?
    var emailIsVerified: Bool?

    enum CodingKeys: String, CodingKey {
        case email
        case issuedAt = "iat"
        case emailIsVerified = "email_verified"
    }

    init(from decoder: any Decoder) throws {
        registered = try TokenClaims(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        issuedAt = try container.decodeIfPresent(Double.self, forKey: .issuedAt)
        email = try container.decodeIfPresent(String.self, forKey: .email)
        emailIsVerified = try container.decodeIfPresent(Bool.self, forKey: .emailIsVerified)
    }

    /// - Throws: ``AuthenticationFailure/malformed(_:)``.
    static func decode(_ payload: [UInt8]) throws(AuthenticationFailure) -> PushTokenClaims {
        // The decoder's error could quote a claim.
        guard let claims = try? JSONDecoder().decode(PushTokenClaims.self, from: Data(payload)) else {
            throw .malformed("its claims are not readable")
        }
        return claims
    }
}
