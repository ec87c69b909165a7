import Crypto
import MailModel
import Synchronization

/// Decides whether a push was sent by our own push subscription at Google.
///
/// Google uses a token for many pushes, for up to an hour: one that was found good is known again without its signature
/// being checked for each of a thousand pushes.
public final class PushTokenVerifier: Sendable {
    private let rules: PushTokenRules
    private let keys: KeySetCache
    private let time: any TimeSource
    private let known = Mutex(KnownTokens())

    /// - Parameter keys: Google's, `https://www.googleapis.com/oauth2/v3/certs`.
    public init(rules: PushTokenRules, keys: KeySetCache, time: any TimeSource) {
        self.rules = rules
        self.keys = keys
        self.time = time
    }

    /// Checks form, algorithm (RS256), signature and claims, in this order.
    ///
    /// - Throws: ``AuthenticationFailure``.
    public func verify(_ text: String) async throws(AuthenticationFailure) {
        guard text.utf8.count <= JWTRules.tokenBytesMax else { throw .tooLong }
        let digest = SHA256.hash(data: Array(text.utf8))
        let now = time.now()
        if known.withLock({ $0.isGood(digest, at: now) }) { return }
        let token = try CompactToken(text)
        guard token.algorithm == SignatureAlgorithm.rs256.rawValue else { throw .algorithmNotAllowed }
        let set = try await keys.keys(for: token.keyID)
        try set.check(token, .rs256)
        let expiry = try rules.check(PushTokenClaims.decode(token.payload), at: time.now())
        known.withLock { $0.remember(digest, until: expiry, at: now) }
    }
}

/// Tokens that were found good, by their digests.
struct KnownTokens: Sendable {
    /// Pub/Sub uses one at a time; while it changes them, a few.
    static let countMax = 64
    /// After so long a token is checked anew: its key may have been withdrawn.
    static let secondsMax: Int64 = 300

    private var goodUntil: [SHA256Digest: UnixSeconds] = [:]

    var count: Int { goodUntil.count }

    func isGood(_ token: SHA256Digest, at now: UnixSeconds) -> Bool { goodUntil[token].map { now < $0 } ?? false }

    mutating func remember(_ token: SHA256Digest, until expiry: UnixSeconds, at now: UnixSeconds) {
        if goodUntil.count >= Self.countMax { goodUntil = goodUntil.filter { now < $0.value } }
        if goodUntil.count >= Self.countMax, let next = goodUntil.min(by: { $0.value < $1.value }) {
            goodUntil[next.key] = nil
        }
        goodUntil[token] = min(expiry, now + Self.secondsMax)
    }
}
