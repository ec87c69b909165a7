import Crypto
import CryptoExtras
import MailModel
import Synchronization

/// Signs the tokens of Pub/Sub's pushes as Google does (OpenID Connect, RS256), with a key of its own.
final class PushTokenSigner: Sendable {
    private struct Held {
        let text: String
        let audience: String
        let account: String
        /// Seconds since 1970.
        let expiresAt: Int64
    }

    /// Google's tokens live so long, in seconds, and are used for many pushes.
    static let lifetime: Int64 = 3600
    /// Seconds before a token's end at which another is made.
    private static let renewedBefore: Int64 = 300
    /// Made when it is needed first, once for the process: it takes a while.
    private static let key: _RSA.Signing.PrivateKey = {
        do {
            return try _RSA.Signing.PrivateKey(keySize: .bits2048)
        } catch {
            preconditionFailure("an RSA key of 2048 bits can always be made: \(error)")
        }
    }()
    static let keyID = "6d61696c73796e632d656d756c61746f7231"

    private let time: any TimeSource
    private let held = Mutex<Held?>(nil)

    init(time: any TimeSource) { self.time = time }

    /// The header of a push: the token in use, or a new one.
    func token(audience: String, account: String) -> String {
        let now = time.now()
        let known = held.withLock { $0 }
        if let known, known.audience == audience, known.account == account,
            known.expiresAt - now > Self.renewedBefore
        {
            return known.text
        }
        let text = sign(audience: audience, account: account, expiresIn: Self.lifetime, overrides: [:])
        held.withLock { $0 = Held(text: text, audience: audience, account: account, expiresAt: now + Self.lifetime) }
        return text
    }

    /// - Parameter overrides: claims to add or replace, however wrong.
    func sign(
        audience: String, account: String, expiresIn: Int64, overrides: [String: ClaimValue]
    ) -> String {
        let now = time.now()
        let claims: [String: ClaimValue] = [
            "aud": .string(audience), "azp": "108420000000000000042", "sub": "108420000000000000042",
            "email": .string(account), "email_verified": .bool(true), "exp": .integer(now + expiresIn),
            "iat": .integer(now), "iss": "https://accounts.google.com",
        ]
        let header: ClaimValue = .object(["alg": "RS256", "kid": .string(Self.keyID), "typ": "JWT"])
        let signed =
            Base64URL.encode(header.json) + "."
            + Base64URL.encode(ClaimValue.object(claims.merging(overrides) { $1 }).json)
        do {
            let signature = try Self.key.signature(for: Array(signed.utf8), padding: .insecurePKCS1v1_5)
            return signed + "." + Base64URL.encode(signature.rawRepresentation)
        } catch {
            preconditionFailure("RSA signing failed: \(error)")
        }
    }

    /// The body of `GET /oauth2/v3/certs`.
    var jwks: [UInt8] {
        do {
            let numbers = try Self.key.publicKey.getKeyPrimitives()
            let key: ClaimValue = .object([
                "kty": "RSA", "alg": "RS256", "use": "sig", "kid": .string(Self.keyID),
                "n": .string(Base64URL.encode(numbers.modulus)), "e": .string(Base64URL.encode(numbers.publicExponent)),
            ])
            return ClaimValue.object(["keys": .array([key])]).json
        } catch {
            preconditionFailure("an RSA key has a modulus and an exponent: \(error)")
        }
    }
}
