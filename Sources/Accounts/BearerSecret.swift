import Crypto
import MailModel

/// A shared secret that callers send as a bearer token. Only its digest is kept.
public struct BearerSecret: Sendable {
    private let digest: SHA256.Digest

    public init(_ secret: Secret) { digest = Self.digest(secret.revealed) }

    /// Whether this is the secret, in a time that does not depend on how much of it is right.
    public func matches(_ candidate: String) -> Bool {
        // Digest's comparison is constant-time, and hashing takes the length out of it.
        Self.digest(candidate) == digest
    }

    private static func digest(_ text: String) -> SHA256.Digest { SHA256.hash(data: Array(text.utf8)) }
}
