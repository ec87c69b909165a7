import Crypto
import CryptoExtras
import Foundation
import HTTPTransport
import JWTKit
import Logging
import MailModel
import MailTestSupport
import Testing

@testable import Accounts

/// The accept and reject cases of the reference material, and who signs them.
struct JWTCases: Decodable {
    struct Case: Decodable, CustomTestStringConvertible {
        var name: String
        var token: String
        var valid: Bool
        var testDescription: String { name }
    }
    var now: Int64
    var issuer: String
    var audience: String
    var allowAlgs: [String]
    var leewayS: Int64
    var cases: [Case]

    enum CodingKeys: String, CodingKey {
        case now, issuer, audience, cases
        case allowAlgs = "allow_algs"
        case leewayS = "leeway_s"
    }

    static func load() throws -> JWTCases {
        try JSONDecoder().decode(JWTCases.self, from: Data(specification("jwt/betterauth.cases.json")))
    }
}

@Suite struct JWTCaseTests {
    @Test(.enabled(if: SharedMaterial.specs != nil)) func everyCaseGetsItsVerdict() async throws {
        let file = try JWTCases.load()
        #expect(file.cases.count == 31)
        let keySet = String(decoding: try specification("jwt/betterauth.jwks.json"), as: UTF8.self)
        let time = ManualTime(nowMilliseconds: file.now * 1000)
        let rules = JWTRules(
            issuer: file.issuer, audience: file.audience,
            algorithms: Set(file.allowAlgs.compactMap(SignatureAlgorithm.init)), leewaySeconds: file.leewayS)
        for each in file.cases {
            let exchange = ScriptedExchange(.answer(200, keySet))
            let keys = KeySetCache(url: "https://issuer.test/jwks", time: time, logger: .silent, send: exchange.send)
            let verifier = JWTVerifier(rules: rules, keys: keys, time: time)
            do {
                let user = try await verifier.verify(each.token)
                #expect(each.valid, "\(each.name) was accepted")
                #expect(user.id.raw == "u_7Yk2mPq0")
            } catch {
                #expect(!each.valid, "\(each.name) was refused: \(error)")
                #expect(!error.description.contains(each.token.prefix(20)))
            }
        }
    }
}

/// An issuer with a key of every kind, made anew for each test.
struct TestIssuer {
    static let issuer = "https://app.example.com"
    static let now: Int64 = 1_767_225_600

    let ed25519 = Curve25519.Signing.PrivateKey()
    let p256 = P256.Signing.PrivateKey()
    let p384 = P384.Signing.PrivateKey()
    let p521 = P521.Signing.PrivateKey()

    var keySet: String {
        """
        {"keys":[
        {"kty":"OKP","crv":"Ed25519","kid":"ed","x":"\(Self.base64(ed25519.publicKey.rawRepresentation))"},
        \(ec("P-256", "es256", p256.publicKey.rawRepresentation)),
        \(ec("P-384", "es384", p384.publicKey.rawRepresentation)),
        \(ec("P-521", "es512", p521.publicKey.rawRepresentation))]}
        """
    }

    private func ec(_ curve: String, _ id: String, _ point: Data) -> String {
        let half = point.count / 2
        let (x, y) = (Self.base64(point.prefix(half)), Self.base64(point.suffix(half)))
        return #"{"kty":"EC","crv":"\#(curve)","kid":"\#(id)","x":"\#(x)","y":"\#(y)"}"#
    }

    static func claims(_ changes: [String: String?] = [:]) -> String {
        var claims: [String: String?] = [
            "iss": "\"\(issuer)\"", "aud": "\"\(issuer)\"", "sub": "\"u1\"", "exp": "\(now + 900)",
        ]
        claims.merge(changes) { $1 }
        let members = claims.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }
        return "{\(members.joined(separator: ","))}"
    }

    func token(
        _ algorithm: String = "EdDSA", id: String = "ed", claims: String = claims(),
        header: String? = nil
    ) throws -> String {
        let header = header ?? #"{"alg":"\#(algorithm)","kid":"\#(id)"}"#
        let signed = "\(Self.base64(Data(header.utf8))).\(Self.base64(Data(claims.utf8)))"
        let data = Data(signed.utf8)
        let signature =
            switch algorithm {
            case "ES256": try p256.signature(for: data).rawRepresentation
            case "ES384": try p384.signature(for: data).rawRepresentation
            case "ES512": try p521.signature(for: data).rawRepresentation
            default: try ed25519.signature(for: data)
            }
        return "\(signed).\(Self.base64(signature))"
    }

    static func base64(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }
}

@Suite struct JWTVerifierTests {
    let issuer = TestIssuer()
    let time = ManualTime(nowMilliseconds: TestIssuer.now * 1000)

    private func verifier(_ exchange: ScriptedExchange, leeway: Int64 = 0) -> JWTVerifier {
        let keys = KeySetCache(url: "https://issuer.test/jwks", time: time, logger: .silent, send: exchange.send)
        let rules = JWTRules(issuer: TestIssuer.issuer, audience: TestIssuer.issuer, leewaySeconds: leeway)
        return JWTVerifier(rules: rules, keys: keys, time: time)
    }

    private func verdict(_ token: String, leeway: Int64 = 0) async -> Result<String, AuthenticationFailure> {
        do {
            let verifier = verifier(ScriptedExchange(.answer(200, issuer.keySet)), leeway: leeway)
            return .success(try await verifier.verify(token).id.raw)
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: [("EdDSA", "ed"), ("ES256", "es256"), ("ES384", "es384"), ("ES512", "es512")])
    func acceptsEveryKindOfKey(_ algorithm: String, _ id: String) async throws {
        #expect(await verdict(try issuer.token(algorithm, id: id)) == .success("u1"))
    }

    @Test(arguments: ["RS256", "PS256"]) func acceptsRSA(_ algorithm: String) async throws {
        let key = try RSAFixture()
        let keySet = try key.keySet(id: "rsa")
        let token = try await key.token(algorithm, id: "rsa", claims: ["sub": "u1"])
        let user = try await verifier(ScriptedExchange(.answer(200, keySet))).verify(token)
        #expect(user.id.raw == "u1")
    }

    @Test(arguments: [("ES256", "ed"), ("EdDSA", "es256"), ("ES384", "es256"), ("RS256", "ed")])
    func refusesAnAlgorithmTheKeyIsNotFor(_ algorithm: String, _ id: String) async throws {
        #expect(await verdict(try issuer.token(algorithm, id: id)) == .failure(.algorithmNotAllowed))
    }

    @Test(arguments: ["none", "None", "HS256", "HS512", "RS1", "", "eddsa"])
    func refusesAlgorithmsOffTheList(_ algorithm: String) async throws {
        #expect(await verdict(try issuer.token(algorithm)) == .failure(.algorithmNotAllowed))
    }

    @Test(
        arguments: [
            (["exp": nil], .missingClaim("exp")), (["sub": nil], .missingClaim("sub")),
            (["sub": "\"\""], .missingClaim("sub")),
            (["iss": nil], .wrongIssuer), (["aud": nil], .wrongAudience), (["aud": "[]"], .wrongAudience),
            (["iss": "\"https://app.example.com/\""], .wrongIssuer), (["exp": "1767225600"], .expired),
            (["nbf": "1767225601"], .notYetValid),
        ] as [([String: String?], AuthenticationFailure)])
    func checksEveryClaim(_ changes: [String: String?], _ expected: AuthenticationFailure) async throws {
        #expect(await verdict(try issuer.token(claims: TestIssuer.claims(changes))) == .failure(expected))
    }

    @Test(
        arguments: [
            ["exp": "true"], ["exp": "\"1\""], ["sub": "7"], ["aud": "{}"], ["aud": "[1]"], ["iss": "[]"],
            ["nbf": "\"0\""],
        ] as [[String: String?]])
    func refusesMistypedClaims(_ changes: [String: String?]) async throws {
        let token = try issuer.token(claims: TestIssuer.claims(changes))
        #expect(await verdict(token) == .failure(.malformed("its claims are not readable")))
    }

    @Test func toleratesALittleAndNeverMoreThanAMinute() async throws {
        let late = try issuer.token(claims: TestIssuer.claims(["exp": "\(TestIssuer.now - 59)"]))
        #expect(await verdict(late, leeway: 60) == .success("u1"))
        #expect(await verdict(late, leeway: 30) == .failure(.expired))
        let veryLate = try issuer.token(claims: TestIssuer.claims(["exp": "\(TestIssuer.now - 61)"]))
        #expect(await verdict(veryLate, leeway: 86_400) == .failure(.expired))
    }

    @Test func aSubjectOfAnyBytesIsAUserUnlessTooLong() async throws {
        let odd = try issuer.token(claims: TestIssuer.claims(["sub": #""../a b\u0000*>é""#]))
        #expect(await verdict(odd) == .success("../a b\u{0}*>é"))
        let long = try issuer.token(claims: TestIssuer.claims(["sub": "\"\(String(repeating: "x", count: 201))\""]))
        guard case .failure(.unusableSubject) = await verdict(long) else { return #expect(Bool(false)) }
    }

    @Test func refusesWhatIsNotExactlyAToken() async throws {
        let good = try issuer.token()
        let parts = good.split(separator: ".").map(String.init)
        let bad = [
            "", ".", "..", "a.b.c", good + ".", good + "=", "." + good, good + "\n", " " + good,
            "\(parts[0])..\(parts[2])", "\(parts[0]).\(parts[1]).", parts[0], "\(parts[0]).\(parts[1])",
        ]
        for token in bad {
            guard case .failure(.malformed) = await verdict(token) else {
                #expect(Bool(false), "accepted or misjudged: \(token)")
                continue
            }
        }
        #expect(await verdict(String(repeating: "a", count: 8193)) == .failure(.tooLong))
        let critical = try issuer.token(header: #"{"alg":"EdDSA","kid":"ed","crit":[]}"#)
        guard case .failure(.malformed) = await verdict(critical) else { return #expect(Bool(false)) }
    }

    @Test func noChangedByteIsAccepted() async throws {
        var generator = SeededGenerator(state: 20_260_101)
        let good = Array(try issuer.token().utf8)
        let verifier = verifier(ScriptedExchange(.answer(200, issuer.keySet)))
        for _ in 0..<300 {
            var changed = good
            let index = Int.random(in: 0..<good.count, using: &generator)
            changed[index] = UInt8.random(in: 0...127, using: &generator)
            guard changed != good else { continue }
            let text = String(decoding: changed, as: UTF8.self)
            await #expect(throws: AuthenticationFailure.self, "\(text)") { try await verifier.verify(text) }
        }
    }

    @Test func aTokenWithoutKeyIDNeedsASinglePublishedKey() async throws {
        let token = try issuer.token(header: #"{"alg":"EdDSA"}"#)
        #expect(await verdict(token) == .failure(.unknownKey))
        let x = TestIssuer.base64(issuer.ed25519.publicKey.rawRepresentation)
        for id in [#","kid":"only""#, ""] {
            let keySet = #"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"\#(x)"\#(id)}]}"#
            let user = try await verifier(ScriptedExchange(.answer(200, keySet))).verify(token)
            #expect(user.id.raw == "u1")
        }
    }

    @Test func keysItDoesNotKnowDoNotSpoilTheSet() async throws {
        let strange = """
            {"keys":[7,{"kty":"oct","kid":"h","k":"AAAA"},{"kty":"OKP","crv":"Ed448","kid":"e4","x":"AA"},
            {"kty":"EC","crv":"P-256","kid":"bad","x":"AA","y":"AA"},{"kty":"RSA","kid":"short","n":"AQAB","e":"AQAB"},
            """
        let keySet = issuer.keySet.replacingOccurrences(of: "{\"keys\":[", with: strange)
        let user = try await verifier(ScriptedExchange(.answer(200, keySet))).verify(try issuer.token())
        #expect(user.id.raw == "u1")
    }

    @Test(arguments: [#","use":"enc""#, #","alg":"ES256""#, #","key_ops":["encrypt"]"#])
    func aKeyForSomethingElseIsNotUsed(_ member: String) async throws {
        let x = TestIssuer.base64(issuer.ed25519.publicKey.rawRepresentation)
        let key = #"{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"\#(x)"\#(member)}"#
        let keySet = issuer.keySet.replacingOccurrences(
            of: #"{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"\#(x)"}"#, with: key)
        let verifier = verifier(ScriptedExchange(.answer(200, keySet)))
        await #expect(throws: AuthenticationFailure.unknownKey) { try await verifier.verify(issuer.token()) }
    }
}

/// A 2048-bit RSA key and its tokens, made by the library.
struct RSAFixture {
    struct Payload: JWTPayload {
        var iss = TestIssuer.issuer
        var aud = TestIssuer.issuer
        var exp = TestIssuer.now + 900
        var sub: String
        func verify(using _: some JWTAlgorithm) throws {}
    }
    let key: JWTKit.Insecure.RSA.PrivateKey

    init() throws { key = try .init(backing: _RSA.Signing.PrivateKey(keySize: .bits2048)) }

    func keySet(id: String) throws -> String {
        let (modulus, exponent) = try key.publicKey.getKeyPrimitives()
        return """
            {"keys":[{"kty":"RSA","kid":"\(id)","n":"\(TestIssuer.base64(modulus))","e":"\(TestIssuer.base64(exponent))"}]}
            """
    }

    func token(_ algorithm: String, id: String, claims: [String: String]) async throws -> String {
        let keys = JWTKeyCollection()
        if algorithm == "PS256" {
            await keys.add(pss: key, digestAlgorithm: .sha256, kid: JWKIdentifier(string: id))
        } else {
            await keys.add(rsa: key, digestAlgorithm: .sha256, kid: JWKIdentifier(string: id))
        }
        return try await keys.sign(Payload(sub: claims["sub"] ?? ""), kid: JWKIdentifier(string: id))
    }
}
