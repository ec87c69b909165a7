import Crypto
import Foundation
import MailModel
import Synchronization

/// Issues users' bearer tokens as BetterAuth's JWT plugin does: EdDSA over Ed25519, a header of `alg` and `kid` only,
/// issuer and audience equal to the origin, the public keys as a JWKS.
public final class TokenIssuer: Sendable {
    private struct Key {
        let id: String
        let key: Curve25519.Signing.PrivateKey
    }
    private struct State {
        var keys: [Key] = []
        var random: SeededRandom
    }

    /// What `iss` and `aud` say: the origin, without a path or a final slash.
    public let origin: String
    private let time: any TimeSource
    private let state: Mutex<State>

    init(origin: String, seed: UInt64, time: any TimeSource) {
        self.origin = origin
        self.time = time
        state = Mutex(State(random: SeededRandom(seed: seed, stream: 0x6a77_7473)))
        rotate()
    }

    /// Makes a new key, which signs from now on; older ones stay published. Returns its `kid`.
    @discardableResult
    public func rotate() -> String {
        state.withLock { state in
            let key = Key(id: state.random.token(32), key: Self.key(&state.random))
            state.keys.append(key)
            return key.id
        }
    }

    /// Stops publishing a key; tokens it signed no longer verify.
    public func retire(kid: String) { state.withLock { $0.keys.removeAll { $0.id == kid } } }

    /// The `kid`s published, the one that signs last.
    public var keyIDs: [String] { state.withLock { $0.keys.map(\.id) } }

    /// The body of `GET /auth/jwks`.
    public var jwks: [UInt8] {
        let keys = state.withLock { $0.keys }
        var json = JSONText()
        json.object { json in
            json.key("keys")
            json.array(keys) { json, key in
                json.object { json in
                    json.field("alg", "EdDSA")
                    json.field("crv", "Ed25519")
                    json.field("x", Base64URL.encode(key.key.publicKey.rawRepresentation))
                    json.field("kty", "OKP")
                    json.field("kid", key.id)
                }
            }
        }
        return json.bytes
    }

    /// Issues a token with the claims BetterAuth puts in.
    ///
    /// - Parameters:
    ///   - expiresIn: seconds; negative makes a token that is over. BetterAuth's default is 900.
    ///   - overrides: claims to add or replace; they go in as given, however wrong, so that a verifier can be tried.
    ///   - removing: claims to leave out.
    ///   - kid: one of ``keyIDs``; nil takes the newest.
    ///   - header: replaces the header's fields, `alg` for one; the signature stays EdDSA.
    /// - Returns: the compact form; nil when `kid` is not published or no key is left.
    public func issue(
        sub: String, expiresIn: Int64 = 900, overrides: [String: ClaimValue] = [:], removing: Set<String> = [],
        kid: String? = nil,
        header: [String: ClaimValue] = [:]
    ) -> String? {
        let keys = state.withLock { $0.keys }
        guard let key = kid == nil ? keys.last : keys.first(where: { $0.id == kid }) else { return nil }
        var head: [String: ClaimValue] = ["alg": "EdDSA", "kid": .string(key.id)]
        head.merge(header) { $1 }
        let signed =
            Base64URL.encode(ClaimValue.object(head).json) + "."
            + Base64URL.encode(
                ClaimValue.object(
                    claims(sub: sub, expiresIn: expiresIn).merging(overrides) { $1 }.filter {
                        !removing.contains($0.key)
                    }
                ).json)
        do {
            return signed + "." + Base64URL.encode(try key.key.signature(for: Array(signed.utf8)))
        } catch {
            preconditionFailure("Ed25519 signing failed: \(error)")
        }
    }

    private func claims(sub: String, expiresIn: Int64) -> [String: ClaimValue] {
        let now = time.now()
        return [
            "iat": .integer(now), "exp": .integer(now + expiresIn), "sub": .string(sub), "id": .string(sub),
            "iss": .string(origin), "aud": .string(origin), "name": .string("Emulated User"),
            "email": .string("\(sub)@users.example"), "emailVerified": .bool(true), "image": .null,
            "createdAt": .string("2025-11-03T10:11:12.000Z"), "updatedAt": .string("2025-12-24T08:00:00.000Z"),
        ]
    }

    private static func key(_ random: inout SeededRandom) -> Curve25519.Signing.PrivateKey {
        let raw = (0..<4).flatMap { _ in withUnsafeBytes(of: random.next().bigEndian) { Array($0) } }
        do {
            return try Curve25519.Signing.PrivateKey(rawRepresentation: raw)
        } catch {
            preconditionFailure("32 bytes are always an Ed25519 key: \(error)")
        }
    }
}

/// A JSON value of a claim.
public indirect enum ClaimValue: Sendable, Hashable, ExpressibleByStringLiteral {
    case string(String)
    case integer(Int64)
    case bool(Bool)
    case null
    case array([ClaimValue])
    case object([String: ClaimValue])

    public init(stringLiteral value: String) { self = .string(value) }

    var json: [UInt8] {
        var text = JSONText(reserving: 256)
        write(to: &text)
        return text.bytes
    }

    private func write(to json: inout JSONText) {
        switch self {
        case .string(let value): json.string(value)
        case .integer(let value): json.integer(value)
        case .bool(let value): json.bool(value)
        case .null: json.null()
        case .array(let values): json.array(values) { json, value in value.write(to: &json) }
        case .object(let fields):
            json.object { json in
                for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
                    json.key(name)
                    value.write(to: &json)
                }
            }
        }
    }
}

/// Base64 with the URL alphabet (RFC 4648 §5).
enum Base64URL {
    /// Without padding, as JOSE wants it.
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        padded(bytes).replacing("=", with: "")
    }

    /// With padding, as Gmail sends it.
    static func padded(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
    }
}
