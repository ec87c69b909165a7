import HTTPTransport
import Logging
import MailModel
import MailTestSupport
import Testing

@testable import Accounts

@Suite struct KeySetCacheTests {
    let issuer = TestIssuer()
    let time = ManualTime(nowMilliseconds: TestIssuer.now * 1000)

    private func cache(_ exchange: ScriptedExchange) -> KeySetCache {
        KeySetCache(url: "https://issuer.test/jwks", time: time, logger: .silent, send: exchange.send)
    }

    @Test func fetchesOnceForManyRequests() async throws {
        let exchange = ScriptedExchange(.answer(200, issuer.keySet), held: true)
        let cache = cache(exchange)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 { group.addTask { try await cache.keys(for: "ed").knows("ed") } }
            await exchange.arrived(1)
            exchange.release()
            for try await known in group { #expect(known) }
        }
        #expect(exchange.requests.count == 1)
    }

    @Test func anUnknownKeyIsAskedForAtMostOncePerInterval() async throws {
        let exchange = ScriptedExchange(.answer(200, issuer.keySet))
        let cache = cache(exchange)
        for id in ["ed", "a", "b", "c"] { _ = try await cache.keys(for: id) }
        #expect(exchange.requests.count == 1)
        time.advance(by: .seconds(10))
        for id in ["ed", "a", "b", "c"] { _ = try await cache.keys(for: id) }
        #expect(exchange.requests.count == 2)
    }

    @Test func aNewKeyIsFoundWhenATokenNamesIt() async throws {
        let rotated = TestIssuer()
        let keySet = rotated.keySet.replacingOccurrences(of: "\"ed\"", with: "\"new\"")
        let exchange = ScriptedExchange(.answer(200, issuer.keySet), .answer(200, keySet))
        let cache = cache(exchange)
        #expect(try await !cache.keys(for: "ed").knows("new"))
        time.advance(by: .seconds(11))
        #expect(try await cache.keys(for: "new").knows("new"))
    }

    @Test(arguments: [
        ScriptedExchange.Reply.fail(.connection("refused")), .fail(.timeout("5 s")), .fail(.tooLarge(limitBytes: 1)),
        .answer(200, "<html>"), .answer(503, ""), .answer(200, #"{"keys":[]}"#), .answer(200, "{}"),
    ])
    func keepsTheLastGoodSetWhileTheEndpointIsInTrouble(_ trouble: ScriptedExchange.Reply) async throws {
        let exchange = ScriptedExchange(.answer(200, issuer.keySet), trouble)
        let cache = cache(exchange)
        _ = try await cache.keys(for: "ed")
        for _ in 0..<3 {
            time.advance(by: .seconds(3600))
            #expect(try await cache.keys(for: "ed").knows("ed"))
            #expect(try await !cache.keys(for: "other").knows("other"))
        }
        #expect(exchange.requests.count > 1)
    }

    @Test func withoutAnySetItSaysSoAndTriesAgainLater() async throws {
        let exchange = ScriptedExchange(.fail(.connection("no such host")), .answer(200, issuer.keySet))
        let cache = cache(exchange)
        for _ in 0..<3 {
            let error = await #expect(throws: AuthenticationFailure.self) { try await cache.keys(for: "ed") }
            guard case .keysUnavailable(_, .seconds(10)) = error else { return #expect(Bool(false)) }
        }
        #expect(exchange.requests.count == 1)
        time.advance(by: .seconds(10))
        #expect(try await cache.keys(for: "ed").knows("ed"))
    }

    @Test func anOldSetIsRenewedBehindTheRequestsThatUseIt() async throws {
        let withdrawn =
            #"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"x","x":"\#(TestIssuer.base64(issuer.ed25519.publicKey.rawRepresentation))"}]}"#
        let exchange = ScriptedExchange(.answer(200, issuer.keySet), .answer(200, withdrawn))
        let cache = cache(exchange)
        _ = try await cache.keys(for: "ed")
        time.advance(by: .seconds(300))
        #expect(try await cache.keys(for: "ed").knows("ed"), "the request does not wait")
        await cache.shutdown()
        #expect(try await !cache.keys(for: "ed").knows("ed"), "the withdrawn key is gone")
    }
}

/// The same over real sockets.
@Suite struct KeySetOverHTTPTests {
    let issuer = TestIssuer()

    private func failure(_ server: LoopbackServer, bytesMax: Int = 4096) async throws -> AuthenticationFailure? {
        let transport = HTTPTransport(logger: .silent)
        var limits = KeySetCache.Limits()
        limits.timeout = .milliseconds(300)
        limits.bytesMax = bytesMax
        let cache = KeySetCache(
            url: server.url("/jwks"), limits: limits, time: SystemTime(), logger: .silent,
            send: { try await transport.send($0) })
        let error: AuthenticationFailure?
        do {
            _ = try await cache.keys(for: "ed")
            error = nil
        } catch let thrown {
            error = thrown
        }
        await transport.shutdown()
        return error
    }

    @Test func fetchesAKeySet() async throws {
        let server = try LoopbackServer { [issuer] _ in .text(200, issuer.keySet) }
        #expect(try await failure(server) == nil)
    }

    @Test func aHostThatIsDownSlowHugeOrNoIssuerGivesAnAnswerInTime() async throws {
        let replies: [LoopbackServer.Reply] = [
            .silence, .close, .text(200, "<html>Sign in</html>"), .text(302, ""),
            .text(200, #"{"keys":["# + String(repeating: " ", count: 100_000) + "]}"),
        ]
        for reply in replies {
            let server = try LoopbackServer { _ in reply }
            let error = try await failure(server)
            guard case .keysUnavailable = error else {
                #expect(Bool(false), "\(reply)")
                continue
            }
        }
    }
}
