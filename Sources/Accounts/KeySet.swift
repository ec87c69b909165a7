import Foundation
import JWTKit

/// The issuer's public keys (RFC 7517), each ready for the algorithms it fits.
struct KeySet: Sendable {
    /// More keys than any issuer publishes.
    static let keysMax = 64
    /// Shorter RSA keys are not trusted (RFC 7518 §3.3).
    static let rsaModulusBytesMin = 256

    private struct Slot: Hashable {
        let id: String?
        let algorithm: SignatureAlgorithm
    }

    /// One key as published. What is missing or of an unknown kind makes this key unusable, not the set.
    struct Published: Decodable {
        var kty: String
        var crv: String?
        var alg: String?
        var kid: String?
        var use: String?
        var operations: [String]?
        var x: String?
        var y: String?
        var n: String?
        var e: String?

        enum CodingKeys: String, CodingKey {
            case kty, crv, alg, kid, use, x, y, n, e
            case operations = "key_ops"
        }
    }

    private struct Document: Decodable {
        var keys: [Entry]
        /// A key that is not even an object is skipped like one of an unknown kind.
        struct Entry: Decodable {
            var key: Published?
            init(from decoder: any Decoder) throws { key = try? Published(from: decoder) }
        }
    }

    private var verifiers: [Slot: any JWTAlgorithm] = [:]
    private let publishedCount: Int

    /// Nil when the text is no key set or holds no key of use.
    init?(json: [UInt8]) async {
        // Why it is no key set does not matter to anybody who could act on it.
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(json)) else { return nil }
        publishedCount = document.keys.count
        for case let key? in document.keys.prefix(Self.keysMax).map(\.key) {
            for algorithm in Self.algorithms(of: key) {
                guard let verifier = await Self.verifier(key, algorithm) else { continue }
                verifiers[Slot(id: key.kid, algorithm: algorithm)] = verifier
            }
        }
        if verifiers.isEmpty { return nil }
    }

    /// Whether any key has this id; a token without an id is only understood when one key is published.
    func knows(_ id: String?) -> Bool {
        guard let id else { return publishedCount == 1 }
        return verifiers.keys.contains { $0.id == id }
    }

    /// - Throws: ``AuthenticationFailure`` `unknownKey`, `algorithmNotAllowed` (not one this key is for),
    ///   `badSignature`.
    func check(_ token: CompactToken, _ algorithm: SignatureAlgorithm) throws(AuthenticationFailure) {
        guard knows(token.keyID) else { throw .unknownKey }
        let id = token.keyID ?? verifiers.keys.first?.id
        guard let verifier = verifiers[Slot(id: id, algorithm: algorithm)] else { throw .algorithmNotAllowed }
        // The library throws for signatures of the wrong length: they are not valid either.
        guard (try? verifier.verify(token.signature, signs: token.signed)) == true else { throw .badSignature }
    }

    /// What a key is for: what its type and curve allow, narrowed by its own `alg`.
    static func algorithms(of key: Published) -> [SignatureAlgorithm] {
        guard key.use ?? "sig" == "sig", key.operations?.contains("verify") ?? true else { return [] }
        let fitting: [SignatureAlgorithm] =
            switch (key.kty, key.crv) {
            case ("OKP", "Ed25519"): [.eddsa]
            case ("EC", "P-256"): [.es256]
            case ("EC", "P-384"): [.es384]
            case ("EC", "P-521"): [.es512]
            case ("RSA", _) where isLongEnough(key.n): [.rs256, .ps256]
            default: []
            }
        return fitting.filter { key.alg == nil || key.alg == $0.rawValue }
    }

    private static func isLongEnough(_ modulus: String?) -> Bool {
        guard let bytes = modulus.flatMap({ Base64URL.decode(Array($0.utf8)) }) else { return false }
        return bytes.drop { $0 == 0 }.count >= rsaModulusBytesMin
    }

    /// jwt-kit makes verifiers from keys only inside a collection, so each gets a collection of its own; its own
    /// choice of key (the first one for unknown ids) never comes into play.
    private static func verifier(_ key: Published, _ algorithm: SignatureAlgorithm) async -> (any JWTAlgorithm)? {
        let id = JWKIdentifier(string: "key")
        let jwk: JWK
        switch algorithm {
        case .eddsa: jwk = .octetKeyPair(.eddsa, identifier: id, x: key.x, y: nil, curve: .ed25519)
        case .es256: jwk = .ecdsa(.es256, identifier: id, x: key.x, y: key.y, curve: .p256)
        case .es384: jwk = .ecdsa(.es384, identifier: id, x: key.x, y: key.y, curve: .p384)
        case .es512: jwk = .ecdsa(.es512, identifier: id, x: key.x, y: key.y, curve: .p521)
        case .rs256: jwk = .rsa(.rs256, identifier: id, modulus: key.n, exponent: key.e)
        case .ps256: jwk = .rsa(.ps256, identifier: id, modulus: key.n, exponent: key.e)
        }
        let collection = JWTKeyCollection()
        // A key that cannot be built (a point off its curve, missing members) is skipped like one of an unknown kind.
        guard (try? await collection.add(jwk: jwk)) != nil else { return nil }
        return try? await collection.getKey(for: id, alg: algorithm.rawValue)
    }
}
