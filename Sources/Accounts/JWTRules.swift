import MailModel

/// Signature algorithms accepted from the issuer (RFC 7518 §3.1, RFC 8037). `none` and HMAC have no case: there is no
/// way to allow them.
public enum SignatureAlgorithm: String, Sendable, Hashable, CaseIterable {
    case eddsa = "EdDSA"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case rs256 = "RS256"
    case ps256 = "PS256"
}

/// What a user's token must say.
public struct JWTRules: Sendable {
    /// Longest token looked at, in bytes.
    public static let tokenBytesMax = 8 * 1024
    /// Most tolerance for clocks that disagree.
    public static let leewaySecondsMax: Int64 = 60

    /// Compared byte for byte.
    public var issuer: String
    /// Must be, or be among, the token's audiences.
    public var audience: String
    public var algorithms: Set<SignatureAlgorithm>
    /// 0 to ``leewaySecondsMax``.
    public let leewaySeconds: Int64

    public init(
        issuer: String, audience: String, algorithms: Set<SignatureAlgorithm> = Set(SignatureAlgorithm.allCases),
        leewaySeconds: Int64 = 5
    ) {
        self.issuer = issuer
        self.audience = audience
        self.algorithms = algorithms
        self.leewaySeconds = min(max(0, leewaySeconds), Self.leewaySecondsMax)
    }

    /// Who the token's claims, whose signature has been checked, belong to.
    ///
    /// - Throws: ``AuthenticationFailure``.
    func user(of claims: TokenClaims, at now: UnixSeconds) throws(AuthenticationFailure) -> AuthenticatedUser {
        guard claims.issuer == issuer else { throw .wrongIssuer }
        guard claims.audiences.contains(audience) else { throw .wrongAudience }
        guard let expiry = claims.expiry else { throw .missingClaim("exp") }
        guard expiry > Double(now - leewaySeconds) else { throw .expired }
        if let notBefore = claims.notBefore, notBefore > Double(now + leewaySeconds) { throw .notYetValid }
        guard let subject = claims.subject, !subject.isEmpty else { throw .missingClaim("sub") }
        do {
            // A time too far away to be a whole number is as good as the last one.
            let expiresAt = UnixSeconds(exactly: expiry.rounded(.down)) ?? .max
            return AuthenticatedUser(id: try UserID(subject), expiresAt: expiresAt)
        } catch {
            throw .unusableSubject(error.description)
        }
    }
}

/// Whom a token was made for.
public struct AuthenticatedUser: Sendable, Hashable {
    public var id: UserID
    /// When the token stops being accepted, but for the leeway.
    public var expiresAt: UnixSeconds
}

/// Why a token was refused. The description is safe for the answer: it repeats nothing of the token.
public enum AuthenticationFailure: Error, Sendable, Hashable, CustomStringConvertible {
    case malformed(String)
    case tooLong
    case algorithmNotAllowed
    case unknownKey
    case badSignature
    case expired
    case notYetValid
    case wrongIssuer
    case wrongAudience
    /// Signed as it should be, for somebody else.
    case wrongAccount
    case missingClaim(String)
    case unusableSubject(String)
    /// Not the token's fault: the issuer's keys cannot be had. Worth trying again after the duration.
    case keysUnavailable(reason: String, retryAfter: Duration)

    public var description: String {
        switch self {
        case .malformed(let what): "the token is malformed: \(what)"
        case .tooLong: "the token is longer than \(JWTRules.tokenBytesMax) bytes"
        case .algorithmNotAllowed: "the token's signature algorithm is not accepted"
        case .unknownKey: "the token is signed with a key the issuer does not publish"
        case .badSignature: "the token's signature is not valid"
        case .expired: "the token has expired"
        case .notYetValid: "the token is not valid yet"
        case .wrongIssuer: "the token is from another issuer"
        case .wrongAudience: "the token is for another audience"
        case .wrongAccount: "the token was made for another account"
        case .missingClaim(let name): "the token has no usable '\(name)' claim"
        case .unusableSubject(let reason): "the token's 'sub' cannot be used: \(reason)"
        case .keysUnavailable(let reason, _): "the issuer's keys cannot be fetched: \(reason)"
        }
    }
}
