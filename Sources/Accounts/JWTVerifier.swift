import MailModel

/// Decides whose a bearer token is.
public struct JWTVerifier: Sendable {
    private let rules: JWTRules
    private let keys: KeySetCache
    private let time: any TimeSource

    public init(rules: JWTRules, keys: KeySetCache, time: any TimeSource) {
        self.rules = rules
        self.keys = keys
        self.time = time
    }

    /// Checks form, algorithm, signature and claims, in this order.
    ///
    /// - Throws: ``AuthenticationFailure``.
    public func verify(_ text: String) async throws(AuthenticationFailure) -> AuthenticatedUser {
        let token = try CompactToken(text)
        guard let algorithm = SignatureAlgorithm(rawValue: token.algorithm), rules.algorithms.contains(algorithm) else {
            throw .algorithmNotAllowed
        }
        let set = try await keys.keys(for: token.keyID)
        try set.check(token, algorithm)
        return try rules.user(of: TokenClaims.decode(token.payload), at: time.now())
    }
}
