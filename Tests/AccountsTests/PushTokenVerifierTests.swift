import Crypto
import Foundation
import HTTPTransport
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

@testable import Accounts

/// The accept and reject cases of the reference material.
private struct PushTokenCases: Decodable {
    struct Case: Decodable {
        var name: String
        var valid: Bool
        var authorization: String
    }
    var now: Int64
    var audience: String
    var email: String
    var jwksFile: String
    var leewayS: Int64
    var cases: [Case]

    enum CodingKeys: String, CodingKey {
        case now, audience, email, cases
        case jwksFile = "jwks_file"
        case leewayS = "leeway_s"
    }
}

@Suite struct PushTokenCaseTests {
    @Test(.enabled(if: SharedMaterial.specs != nil)) func everyCaseGetsItsVerdict() async throws {
        let text = try specification("jwt/google-pubsub-oidc.cases.json")
        let file = try JSONDecoder().decode(PushTokenCases.self, from: Data(text))
        #expect(file.cases.count == 10)
        let keySet = String(decoding: try specification("jwt/\(file.jwksFile)"), as: UTF8.self)
        let time = ManualTime(nowMilliseconds: file.now * 1000)
        let rules = PushTokenRules(
            audience: file.audience, serviceAccount: file.email, leewaySeconds: file.leewayS)
        let exchange = ScriptedExchange(.answer(200, keySet))
        let keys = KeySetCache(url: "https://google.test/certs", time: time, logger: .silent, send: exchange.send)
        let verifier = PushTokenVerifier(rules: rules, keys: keys, time: time)
        // Twice: what is remembered of the first time changes no verdict.
        for each in file.cases + file.cases {
            let token = try #require(each.authorization.split(separator: " ").last.map(String.init))
            do {
                try await verifier.verify(token)
                #expect(each.valid, "\(each.name) was accepted")
            } catch {
                #expect(!each.valid, "\(each.name) was refused: \(error)")
                #expect(!error.description.contains(file.email))
            }
        }
    }
}

/// Tokens of the emulator's pushes, and of whoever else, over real HTTP.
@Suite struct PushTokenVerifierTests {
    private static let audience = "https://sync.example.com/webhooks/google"
    private static let account = GooglePushEndpoint.standardServiceAccount

    private struct Setting: Sendable {
        let emulator: ProviderEmulator
        let verifier: PushTokenVerifier
        let time: ManualTime

        func token(_ overrides: [String: ClaimValue] = [:], expiresIn: Int64 = 3600) -> String {
            emulator.google.pushToken(audience: audience, expiresIn: expiresIn, overrides: overrides)
        }

        func verdict(_ token: String) async -> AuthenticationFailure? {
            do {
                try await verifier.verify(token)
                return nil
            } catch { return error }
        }
    }

    private func run(leeway: Int64 = 5, _ body: (Setting) async throws -> Void) async throws {
        let time = ManualTime(nowMilliseconds: 1_767_225_600_000)
        var configuration = EmulatorConfiguration()
        configuration.time = time
        let emulator = try await ProviderEmulator.start(configuration, logger: .silent)
        let transport = HTTPTransport(logger: .silent)
        let keys = KeySetCache(
            url: emulator.googleKeysURL, variable: "GOOGLE_OIDC_JWKS_URL", time: time, logger: .silent
        ) { try await transport.send($0) }
        let rules = PushTokenRules(
            audience: Self.audience, serviceAccount: Self.account, leewaySeconds: leeway)
        try await body(
            Setting(emulator: emulator, verifier: PushTokenVerifier(rules: rules, keys: keys, time: time), time: time))
        await keys.shutdown()
        await transport.shutdown()
        await emulator.shutdown()
    }

    @Test func everyClaimCounts() async throws {
        let now: Int64 = 1_767_225_600
        let cases: [([String: ClaimValue], AuthenticationFailure?)] = [
            ([:], nil), (["iss": "accounts.google.com"], nil), (["nbf": .integer(now + 5)], nil),
            (["iat": .integer(now + 5)], nil), (["exp": .integer(now - 4)], nil), (["iat": .integer(0)], nil),
            (["aud": .array(["other", .string(Self.audience)])], nil),
            (["iss": "https://accounts.google.com/"], .wrongIssuer),
            (["iss": "http://accounts.google.com"], .wrongIssuer),
            (["iss": .null], .wrongIssuer), (["aud": .string(Self.audience + "/")], .wrongAudience),
            (["aud": .array([])], .wrongAudience), (["exp": .integer(now - 5)], .expired),
            (["exp": .null], .missingClaim("exp")), (["iat": .integer(now + 6)], .notYetValid),
            (["nbf": .integer(now + 6)], .notYetValid),
            (["email": "other@emulated.iam.gserviceaccount.com"], .wrongAccount),
            (["email": .null], .missingClaim("email")), (["email": ""], .wrongAccount),
            (["email_verified": .bool(false)], .missingClaim("email_verified")),
            (["email_verified": .null], .missingClaim("email_verified")),
            (["email_verified": "true"], .malformed("its claims are not readable")),
            (["email": .array([.string(Self.account)])], .malformed("its claims are not readable")),
        ]
        try await run { setting in
            for (claims, expected) in cases {
                let verdict = await setting.verdict(setting.token(claims))
                #expect(verdict == expected, "\(claims)")
            }
        }
    }

    @Test func noChangedByteIsAccepted() async throws {
        try await run { setting in
            var generator = SeededGenerator(state: 20_260_102)
            let good = Array(setting.token().utf8)
            #expect(await setting.verdict(String(decoding: good, as: UTF8.self)) == nil)
            for _ in 0..<200 {
                var changed = good
                let index = Int.random(in: 0..<good.count, using: &generator)
                changed[index] = UInt8.random(in: 0...127, using: &generator)
                guard changed != good else { continue }
                let text = String(decoding: changed, as: UTF8.self)
                #expect(await setting.verdict(text) != nil, "\(text)")
            }
        }
    }

    @Test func onlyRS256IsAccepted() async throws {
        let key = try RSAFixture()
        let exchange = ScriptedExchange(.answer(200, try key.keySet(id: "rsa")))
        let time = ManualTime(nowMilliseconds: TestIssuer.now * 1000)
        let keys = KeySetCache(url: "https://google.test/certs", time: time, logger: .silent, send: exchange.send)
        let rules = PushTokenRules(audience: TestIssuer.issuer, serviceAccount: Self.account)
        let verifier = PushTokenVerifier(rules: rules, keys: keys, time: time)
        let other = try await key.token("PS256", id: "rsa", claims: [:])
        await #expect(throws: AuthenticationFailure.algorithmNotAllowed) { try await verifier.verify(other) }
        #expect(exchange.requests.isEmpty)
        let wrong = try await key.token("RS256", id: "rsa", claims: [:])
        await #expect(throws: AuthenticationFailure.wrongIssuer) { try await verifier.verify(wrong) }
        await #expect(throws: AuthenticationFailure.tooLong) {
            try await verifier.verify(String(repeating: "a", count: 8193))
        }
    }

    @Test func aTokenThatWasGoodIsNotCheckedAgainForFiveMinutes() async throws {
        try await run { setting in
            let token = setting.token()
            #expect(await setting.verdict(token) == nil)
            #expect(setting.emulator.google.stats.requests["certs"] == 1)
            for _ in 0..<1000 { #expect(await setting.verdict(token) == nil) }
            // Even with keys that are gone; and then it is checked anew, by keys that are fetched again.
            setting.time.advance(by: .seconds(299))
            #expect(await setting.verdict(token) == nil)
            #expect(setting.emulator.google.stats.requests["certs"] == 1)
            setting.time.advance(by: .seconds(2))
            #expect(await setting.verdict(token) == nil)
            try await eventually("the keys are fetched again") {
                setting.emulator.google.stats.requests["certs"] == 2
            }
        }
    }

    @Test func aTokenIsNotGoodForLongerThanItSays() async throws {
        try await run(leeway: 0) { setting in
            let token = setting.token(expiresIn: 60)
            #expect(await setting.verdict(token) == nil)
            setting.time.advance(by: .seconds(59))
            #expect(await setting.verdict(token) == nil)
            setting.time.advance(by: .seconds(1))
            #expect(await setting.verdict(token) == .expired)
        }
    }

    @Test func withoutKeysNothingIsSaidAboutAToken() async throws {
        try await run { setting in
            setting.emulator.google.faults.add(Fault(.jwks, match: "certs", .status(503)))
            let token = setting.token()
            guard case .keysUnavailable = await setting.verdict(token) else { return #expect(Bool(false)) }
            setting.time.advance(by: .seconds(11))
            #expect(await setting.verdict(token) == nil)
        }
    }

    @Test func onlySoManyTokensAreRemembered() {
        var known = KnownTokens()
        let digest = { (number: Int) in SHA256.hash(data: Array("\(number)".utf8)) }
        for number in 0..<KnownTokens.countMax { known.remember(digest(number), until: 100 + Int64(number), at: 50) }
        known.remember(digest(1000), until: 500, at: 60)
        #expect(known.count == KnownTokens.countMax)
        #expect(!known.isGood(digest(0), at: 60))
        #expect(known.isGood(digest(1), at: 60) && !known.isGood(digest(1), at: 101))
        #expect(known.isGood(digest(1000), at: 359) && !known.isGood(digest(1000), at: 360))
        known.remember(digest(1001), until: 500, at: 150)
        #expect(known.count < KnownTokens.countMax)
    }
}
