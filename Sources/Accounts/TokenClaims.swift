import Foundation

/// A signed token taken apart, nothing of it believed yet (RFC 7515 §3.1, §7.1).
struct CompactToken: Sendable {
    let algorithm: String
    let keyID: String?
    /// What the signature is over.
    let signed: [UInt8]
    let signature: [UInt8]
    let payload: [UInt8]

    /// `jwk`, `jku`, `x5u` and `x5c` are not read: keys come from the issuer only.
    private struct Header: Decodable {
        var alg: String
        var kid: String?
        var isCritical: Bool

        enum CodingKeys: String, CodingKey { case alg, kid, crit }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            alg = try container.decode(String.self, forKey: .alg)
            kid = try container.decodeIfPresent(String.self, forKey: .kid)
            isCritical = container.contains(.crit)
        }
    }

    /// - Throws: ``AuthenticationFailure`` `tooLong`, `malformed`.
    init(_ text: String) throws(AuthenticationFailure) {
        guard text.utf8.count <= JWTRules.tokenBytesMax else { throw .tooLong }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed("it has not three parts") }
        guard let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2])
        else { throw .malformed("a part is not base64url") }
        // The decoder's error could quote the token; that it is not a header is all there is to say.
        guard let fields = try? JSONDecoder().decode(Header.self, from: Data(header)) else {
            throw .malformed("its header is not readable")
        }
        guard !fields.isCritical else { throw .malformed("it needs extensions ('crit') that are not supported") }
        algorithm = fields.alg
        keyID = fields.kid
        signed = Array(text.utf8.prefix(parts[0].count + 1 + parts[1].count))
        self.signature = signature
        self.payload = payload
    }
}

/// The registered claims (RFC 7519 §4.1) that decide whether a token is accepted.
struct TokenClaims: Sendable, Hashable, Decodable {
    var issuer: String?
    var audiences: [String]
    var subject: String?
    /// Seconds since 1970, possibly with a fraction.
    var expiry: Double?
    var notBefore: Double?

    enum CodingKeys: String, CodingKey {
        case issuer = "iss"
        case audiences = "aud"
        case subject = "sub"
        case expiry = "exp"
        case notBefore = "nbf"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        issuer = try container.decodeIfPresent(String.self, forKey: .issuer)
        subject = try container.decodeIfPresent(String.self, forKey: .subject)
        expiry = try container.decodeIfPresent(Double.self, forKey: .expiry)
        notBefore = try container.decodeIfPresent(Double.self, forKey: .notBefore)
        if !container.contains(.audiences) {
            audiences = []
        } else if let one = try? container.decode(String.self, forKey: .audiences) {  // else it must be a list
            audiences = [one]
        } else {
            audiences = try container.decode([String].self, forKey: .audiences)
        }
    }

    /// - Throws: ``AuthenticationFailure/malformed(_:)``.
    static func decode(_ payload: [UInt8]) throws(AuthenticationFailure) -> TokenClaims {
        // As above: the decoder's error could quote a claim.
        guard let claims = try? JSONDecoder().decode(TokenClaims.self, from: Data(payload)) else {
            throw .malformed("its claims are not readable")
        }
        return claims
    }
}

/// Base64 in the URL alphabet, without padding (RFC 4648 §5, RFC 7515 §2).
enum Base64URL {
    /// nil for anything but the one canonical spelling.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard !text.isEmpty, text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var (bits, count): (UInt32, Int) = (0, 0)
        for character in text {
            guard let value = value(of: character) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bits & (1 << UInt32(count) - 1) == 0 ? bytes : nil
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
