import HTTPTransport
import Logging
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

@testable import Accounts

/// Tokens of an emulated Google, over real HTTP.
@Suite struct RefreshOverHTTPTests {
    static let address = "ada@example.com"
    let directory: TemporaryDirectory
    let vault: TokenVault
    let key: AccountKey

    init() throws {
        directory = try TemporaryDirectory()
        vault = try TokenVault(path: directory.path + "/auth.db", keys: .test())
        key = try .test("u1")
    }

    /// Runs the body with a connected account whose access token has to be refreshed.
    private func run(
        rotates: Bool = true, _ body: (ProviderEmulator, any AccessTokens) async throws -> Void
    ) async throws {
        var configuration = EmulatorConfiguration()
        configuration.oauth.rotatesRefreshTokens = rotates
        let emulator = try await ProviderEmulator.start(configuration, logger: .silent)
        try emulator.google.createMailbox(Self.address)
        let grant = try emulator.google.grant(Self.address)
        let tokens = OAuthTokens(access: Secret(grant.accessToken), refresh: Secret(grant.refreshToken), expiry: nil)
        try await vault.connect(key, tokens: tokens, since: nil, at: SystemTime().now())
        let transport = HTTPTransport(logger: .silent)
        let client = OAuthClient(
            provider: .google, clientID: configuration.oauth.clientID,
            clientSecret: Secret(configuration.oauth.clientSecret), tokenURL: emulator.tokenURL,
            send: { try await transport.send($0) })
        let source = TokenSource(vault: vault, clients: [client], time: SystemTime())
        try await body(emulator, try await source.tokens(for: key))
        await source.settle()
        await transport.shutdown()
        await emulator.shutdown()
    }

    @Test(arguments: [true, false]) func refreshesAgainAndAgain(_ rotates: Bool) async throws {
        try await run(rotates: rotates) { _, tokens in
            var seen: Set<Secret> = [try await tokens.current()]
            for _ in 0..<5 {
                let rejected = try await tokens.current()
                seen.insert(try await tokens.replacing(rejected))
            }
            #expect(seen.count == 6)
        }
    }

    @Test(arguments: [
        FaultResponse.status(500), .status(429), .html502, .garbage, .drop, .truncate(bytes: 20),
        .oversized(bytes: 100_000), .redirect("http://127.0.0.1:1/"),
    ])
    func troubleParksNobodyAndPasses(_ fault: FaultResponse) async throws {
        // Rotating, an answer that is lost after the rotation would end the grant: nothing we do could help.
        try await run(rotates: false) { (emulator: ProviderEmulator, tokens: any AccessTokens) async throws in
            emulator.google.faults.add(Fault(.token, times: 1, fault))
            let failure = await #expect(throws: SyncFailure.self) { try await tokens.current() }
            guard case .retry = failure?.decision else { return #expect(Bool(false), "\(String(describing: failure))") }
            #expect(try await vault.account(key)?.reauthReason == nil)
            _ = try await tokens.current()
        }
    }

    @Test func aRevokedGrantParksTheAccount() async throws {
        try await run { (emulator: ProviderEmulator, tokens: any AccessTokens) async throws in
            emulator.google.revokeGrant(of: Self.address)
            let failure = await #expect(throws: SyncFailure.self) { try await tokens.current() }
            #expect(failure?.decision == .reauthenticate)
            #expect(try await vault.account(key)?.reauthReason != nil)
        }
    }

    @Test func aWrongSecretIsTheOperatorsProblem() async throws {
        try await run { (emulator: ProviderEmulator, tokens: any AccessTokens) async throws in
            emulator.google.faults.add(Fault(.token, .oauthError(.wrongSecret)))
            let failure = await #expect(throws: SyncFailure.self) { try await tokens.current() }
            #expect(failure?.decision == .stop)
            #expect(try await vault.account(key)?.reauthReason == nil)
        }
    }
}

/// Users' tokens of an emulated issuer, over real HTTP.
@Suite struct IssuerOverHTTPTests {
    private func run(_ body: (ProviderEmulator, JWTVerifier, ManualTime) async throws -> Void) async throws {
        let time = ManualTime(nowMilliseconds: SystemTime().nowMilliseconds())
        let emulator = try await ProviderEmulator.start(logger: .silent)
        let transport = HTTPTransport(logger: .silent)
        var limits = KeySetCache.Limits()
        limits.timeout = .milliseconds(500)
        let keys = KeySetCache(
            url: emulator.jwksURL, limits: limits, time: time, logger: .silent,
            send: { try await transport.send($0) })
        let rules = JWTRules(issuer: emulator.issuer.origin, audience: emulator.issuer.origin)
        try await body(emulator, JWTVerifier(rules: rules, keys: keys, time: time), time)
        await keys.shutdown()
        await transport.shutdown()
        await emulator.shutdown()
    }

    @Test func acceptsItsTokensAlsoAfterARotation() async throws {
        try await run { emulator, verifier, time in
            let first = try #require(emulator.issuer.issue(sub: "u1"))
            #expect(try await verifier.verify(first).id.raw == "u1")
            _ = emulator.issuer.rotate()
            let second = try #require(emulator.issuer.issue(sub: "u2"))
            time.advance(by: .seconds(11))
            #expect(try await verifier.verify(second).id.raw == "u2")
            #expect(try await verifier.verify(first).id.raw == "u1")
        }
    }

    @Test func refusesWhatItDidNotIssueLikeThat() async throws {
        try await run { emulator, verifier, _ in
            let bad = [
                emulator.issuer.issue(sub: "u1", expiresIn: -60),
                emulator.issuer.issue(sub: "u1", overrides: ["iss": "https://evil.example"]),
                emulator.issuer.issue(sub: "u1", removing: ["sub"]),
                emulator.issuer.issue(sub: "u1", header: ["alg": "none"]),
                emulator.issuer.issue(sub: "u1", header: ["kid": "nobody"]),
            ]
            for token in bad {
                let token = try #require(token)
                await #expect(throws: AuthenticationFailure.self) { try await verifier.verify(token) }
            }
        }
    }

    @Test(arguments: [
        FaultResponse.status(503), .html502, .garbage, .drop, .stall, .oversized(bytes: 1_000_000),
        .drip(bytes: 1, every: .milliseconds(100)),
    ])
    func keepsAcceptingWhileTheKeySetCannotBeFetched(_ fault: FaultResponse) async throws {
        try await run { emulator, verifier, time in
            let token = try #require(emulator.issuer.issue(sub: "u1"))
            let other = try #require(emulator.issuer.issue(sub: "u1", header: ["kid": "nobody"]))
            _ = try await verifier.verify(token)
            emulator.google.faults.add(Fault(.jwks, times: nil, fault))
            time.advance(by: .seconds(60))
            await #expect(throws: AuthenticationFailure.unknownKey) { try await verifier.verify(other) }
            #expect(try await verifier.verify(token).id.raw == "u1")
        }
    }
}
