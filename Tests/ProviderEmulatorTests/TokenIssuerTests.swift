import Crypto
import Foundation
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite struct TokenIssuerTests {
    private func decoded(_ part: Substring) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Self.bytes(part)) as? [String: Any])
    }

    private static func bytes(_ text: some StringProtocol) throws -> Data {
        let plain = String(text).replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - plain.count % 4) % 4)
        return try #require(Data(base64Encoded: plain + padding))
    }

    private func keys(_ fixture: EmulatorFixture) async throws -> [[String: String]] {
        let response = try await fixture.send(.get, "/auth/jwks")
        return try #require(response.object()["keys"] as? [[String: String]])
    }

    private func verifies(_ token: String, _ keys: [[String: String]]) throws -> Bool {
        let parts = token.split(separator: ".")
        let kid = try decoded(parts[0])["kid"] as? String
        guard let key = keys.first(where: { $0["kid"] == kid }) else { return false }
        let publicKey = try Curve25519.Signing.PublicKey(
            rawRepresentation: Self.bytes(try #require(key["x"])))
        return publicKey.isValidSignature(
            try Self.bytes(parts[2]), for: Data("\(parts[0]).\(parts[1])".utf8))
    }

    @Test func tokensVerifyWithThePublishedKeysAndCarryTheClaims() async throws {
        try await EmulatorFixture.run { fixture in
            let token = try #require(fixture.emulator.issuer.issue(sub: "user_1"))
            let parts = token.split(separator: ".")
            #expect(try decoded(parts[0]).keys.sorted() == ["alg", "kid"])
            let claims = try decoded(parts[1])
            #expect(claims["sub"] as? String == "user_1")
            #expect(claims["iss"] as? String == fixture.emulator.baseURL)
            #expect(claims["aud"] as? String == fixture.emulator.baseURL)
            #expect(claims["iat"] as? Int == 1_767_225_600)
            #expect(claims["exp"] as? Int == 1_767_226_500)
            #expect(try verifies(token, await keys(fixture)))
            let forged = "\(parts[0]).\(parts[1].dropLast())A.\(parts[2])"
            #expect(try verifies(forged, await keys(fixture)) == false)
        }
    }

    @Test func oldKeysStayUntilRetired() async throws {
        try await EmulatorFixture.run { fixture in
            let issuer = fixture.emulator.issuer
            let old = try #require(issuer.issue(sub: "u"))
            let kid = issuer.keyIDs[0]
            let next = issuer.rotate()
            let new = try #require(issuer.issue(sub: "u"))
            #expect(try decoded(new.split(separator: ".")[0])["kid"] as? String == next)
            let both = try await keys(fixture)
            #expect(try verifies(old, both) && verifies(new, both))
            issuer.retire(kid: kid)
            #expect(try verifies(old, await keys(fixture)) == false)
            #expect(issuer.issue(sub: "u", kid: kid) == nil)
        }
    }

    @Test func claimsAndHeaderCanBeMadeWrong() async throws {
        try await EmulatorFixture.run { fixture in
            let issuer = fixture.emulator.issuer
            let token = try #require(
                issuer.issue(
                    sub: "u", expiresIn: -1,
                    overrides: ["aud": .array(["a", "b"]), "nbf": .integer(5)], removing: ["sub"],
                    header: ["alg": "none"]))
            let parts = token.split(separator: ".")
            let claims = try decoded(parts[1])
            #expect(claims["sub"] == nil)
            #expect(claims["aud"] as? [String] == ["a", "b"])
            #expect(claims["exp"] as? Int == 1_767_225_599)
            #expect(try decoded(parts[0])["alg"] as? String == "none")
        }
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func theShapesAreBetterAuths() async throws {
        let folder = "\(SharedMaterial.specs ?? "")/jwt"
        let jwks = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(filePath: "\(folder)/betterauth.jwks.json")))
        let key = try #require(((jwks as? [String: Any])?["keys"] as? [[String: String]])?.first)
        let answer = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(filePath: "\(folder)/betterauth.token-response.json")))
        let sample = try #require((answer as? [String: String])?["token"]).split(separator: ".")
        try await EmulatorFixture.run { fixture in
            let own = try await keys(fixture)[0]
            #expect(own.keys.sorted() == key.keys.sorted())
            #expect(own["x"]?.count == key["x"]?.count && own["alg"] == key["alg"] && own["kty"] == key["kty"])
            let parts = try #require(fixture.emulator.issuer.issue(sub: "u")).split(separator: ".")
            #expect(try decoded(parts[0]).keys.sorted() == decoded(sample[0]).keys.sorted())
            #expect(try decoded(parts[1]).keys.sorted() == decoded(sample[1]).keys.sorted())
            #expect(try Self.bytes(parts[2]).count == Self.bytes(sample[2]).count)
        }
    }

    @Test func jwksFaults() async throws {
        try await EmulatorFixture.run { fixture in
            fixture.google.faults.add(Fault(.jwks, .garbage))
            let garbage = try await fixture.send(.get, "/api/auth/jwks")
            #expect(throws: (any Error).self) { try garbage.object() }
            #expect(try await keys(fixture).count == 1)
        }
    }
}
