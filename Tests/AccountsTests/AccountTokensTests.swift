import GRDB
import HTTPTransport
import MailModel
import MailTestSupport
import Testing

@testable import Accounts

@Suite struct AccountTokensTests {
    let directory: TemporaryDirectory
    let vault: TokenVault
    let time = ManualTime(nowMilliseconds: 1_000_000)
    let key: AccountKey
    let results = Recorder<RefreshResult>()

    init() throws {
        directory = try TemporaryDirectory()
        vault = try TokenVault(path: directory.path + "/auth.db", keys: .test())
        key = try .test("u1")
    }

    private func source(_ exchange: ScriptedExchange) -> TokenSource {
        let client = OAuthClient(
            provider: .google, clientID: "id", clientSecret: Secret("secret"), tokenURL: "https://token.test",
            send: exchange.send)
        return TokenSource(vault: vault, clients: [client], time: time) { [results] _, result in
            results.record(result)
        }
    }

    private func connect(_ name: String = "1", expiry: UnixSeconds?) async throws {
        try await vault.connect(key, tokens: .test(name, expiry: expiry), since: nil, at: time.now())
    }

    static let fresh = #"{"access_token":"access-2","refresh_token":"refresh-2","expires_in":3600}"#

    @Test func asksNobodyWhileTheTokenIsGood() async throws {
        let exchange = ScriptedExchange(.fail(.shutDown))
        try await connect(expiry: time.now() + 3600)
        let tokens = try await source(exchange).tokens(for: key)
        #expect(try await tokens.current().revealed == "access-1")
        time.advance(by: .seconds(3540))
        #expect(try await tokens.current().revealed == "access-1")
        #expect(exchange.requests.isEmpty)
    }

    @Test(arguments: [59, 0, -100, nil] as [Int64?])
    func refreshesWhatIsAboutToExpireOrOfUnknownLife(_ left: Int64?) async throws {
        let exchange = ScriptedExchange(.answer(200, Self.fresh))
        try await connect(expiry: left.map { time.now() + 3600 + $0 })
        time.advance(by: .seconds(3600))
        let tokens = try await source(exchange).tokens(for: key)
        #expect(try await tokens.current().revealed == "access-2")
        #expect(try await tokens.current().revealed == "access-2")
        #expect(exchange.requests.count == 1)
        #expect(results.values == [.refreshed])
        let stored = try await vault.tokens(key)?.tokens
        #expect(stored == .test("2", expiry: time.now() + 3600))
    }

    @Test func aTokenThatLivesForAMinuteIsNotRefreshedByEveryRequest() async throws {
        let exchange = ScriptedExchange(.answer(200, #"{"access_token":"access-2","expires_in":60}"#))
        try await connect(expiry: nil)
        let tokens = try await source(exchange).tokens(for: key)
        _ = try await tokens.current()
        time.advance(by: .seconds(29))
        _ = try await tokens.current()
        #expect(exchange.requests.count == 1)
        time.advance(by: .seconds(2))
        _ = try await tokens.current()
        #expect(exchange.requests.count == 2)
    }

    @Test func concurrentCallersShareOneRefresh() async throws {
        let exchange = ScriptedExchange(.answer(200, Self.fresh), held: true)
        try await connect(expiry: time.now() + 3600)
        let tokens = try await source(exchange).tokens(for: key)
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { try await tokens.replacing(Secret("access-1")).revealed } }
            await exchange.arrived(1)
            exchange.release()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers == Array(repeating: "access-2", count: 20))
        #expect(exchange.requests.count == 1)
    }

    @Test func aTokenThatWasReplacedMeanwhileIsHandedOutWithoutARefresh() async throws {
        let exchange = ScriptedExchange(.fail(.shutDown))
        try await connect("2", expiry: time.now() + 3600)
        let tokens = try await source(exchange).tokens(for: key)
        #expect(try await tokens.replacing(Secret("access-1")).revealed == "access-2")
        #expect(exchange.requests.isEmpty)
    }

    @Test func theSameAccountHasOneObjectForEverybody() async throws {
        let source = source(ScriptedExchange(.fail(.shutDown)))
        let first: any AccessTokens = try await source.tokens(for: key)
        let same: any AccessTokens = try await source.tokens(for: key)
        let other: any AccessTokens = try await source.tokens(for: .test("u2"))
        await source.forget(key)
        let later: any AccessTokens = try await source.tokens(for: key)
        let ids = [first, same, other, later].map { ObjectIdentifier($0 as AnyObject) }
        #expect(ids[0] == ids[1])
        #expect(Set(ids).count == 3)
    }

    @Test func aRotatedTokenIsStoredEvenWhenNobodyWaitsAnyMore() async throws {
        let exchange = ScriptedExchange(.answer(200, Self.fresh), held: true)
        try await connect(expiry: nil)
        let source = source(exchange)
        let tokens = try await source.tokens(for: key)
        let caller = Task { try await tokens.current() }
        await exchange.arrived(1)
        caller.cancel()
        exchange.release()
        await source.settle()
        #expect(try await vault.tokens(key)?.tokens.refresh.revealed == "refresh-2")
    }

    @Test func aDeadGrantParksTheAccountUntilItIsConnectedAgain() async throws {
        let exchange = ScriptedExchange(.answer(400, #"{"error":"invalid_grant"}"#), .answer(200, Self.fresh))
        try await connect(expiry: nil)
        let tokens = try await source(exchange).tokens(for: key)
        for _ in 0..<3 {
            let failure = await #expect(throws: SyncFailure.self) { try await tokens.current() }
            #expect(failure?.decision == .reauthenticate)
        }
        #expect(exchange.requests.count == 1, "a dead grant is not asked about again")
        #expect(try await vault.account(key)?.reauthReason?.contains("connect again") == true)
        try await connect("9", expiry: nil)
        #expect(try await tokens.current().revealed == "access-2")
        #expect(exchange.bodies[1].contains("refresh-9"))
    }

    @Test func aReconnectDuringARefreshWinsWhateverTheRefreshSays() async throws {
        for reply in [ScriptedExchange.Reply.answer(200, Self.fresh), .answer(400, #"{"error":"invalid_grant"}"#)] {
            let exchange = ScriptedExchange(reply, held: true)
            try await connect(expiry: nil)
            let tokens = try await source(exchange).tokens(for: key)
            let caller = Task { try await tokens.current() }
            await exchange.arrived(1)
            try await connect("9", expiry: time.now() + 3600)
            exchange.release()
            #expect(try await caller.value.revealed == "access-9")
            #expect(try await vault.tokens(key)?.tokens.refresh.revealed == "refresh-9")
            #expect(try await vault.account(key)?.reauthReason == nil)
        }
    }

    @Test func aDisconnectDuringARefreshStaysDisconnected() async throws {
        let exchange = ScriptedExchange(.answer(200, Self.fresh), held: true)
        try await connect(expiry: nil)
        let tokens = try await source(exchange).tokens(for: key)
        let caller = Task { try await tokens.current() }
        await exchange.arrived(1)
        try await vault.remove(key)
        exchange.release()
        await #expect(throws: SyncFailure.self) { try await caller.value }
        #expect(try await vault.accounts().isEmpty)
    }

    @Test func operatorAndNetworkTroubleParksNobody() async throws {
        let exchange = ScriptedExchange(
            .answer(401, #"{"error":"invalid_client"}"#), .fail(.connection("no such host")), .answer(503, "busy"),
            .answer(200, "<html>"), .answer(200, Self.fresh))
        try await connect(expiry: nil)
        let tokens = try await source(exchange).tokens(for: key)
        for expected: FailureDecision in [.stop] + Array(repeating: .retry(after: nil, scope: .account), count: 3) {
            let failure = await #expect(throws: SyncFailure.self) { try await tokens.current() }
            #expect(failure?.decision == expected)
            #expect(try await vault.account(key)?.reauthReason == nil)
        }
        #expect(try await tokens.current().revealed == "access-2")
        #expect(results.values.count == 5)
    }

    @Test func aProviderWithoutCredentialsIsNamed() async throws {
        let source = TokenSource(vault: vault, clients: [], time: time)
        let failure = await #expect(throws: SyncFailure.self) { try await source.tokens(for: key) }
        #expect(failure?.message.contains("GOOGLE_CLIENT_ID") == true)
    }

    @Test func anAccountThatIsNotConnectedHasNoTokens() async throws {
        let tokens = try await source(ScriptedExchange(.fail(.shutDown))).tokens(for: key)
        let failure = await #expect(throws: SyncFailure.self) { try await tokens.current() }
        #expect(failure?.code == "not_connected")
    }

    @Test func tokensOfAnotherKeyAskForTheOperator() async throws {
        try await connect(expiry: nil)
        try await vault.close()
        let other = try TokenVault(path: directory.path + "/auth.db", keys: .test("x:" + EncryptionKeysTests.base64))
        let source = TokenSource(
            vault: other,
            clients: [
                OAuthClient(
                    provider: .google, clientID: "", clientSecret: Secret(""), tokenURL: "",
                    send: { _ in throw TransportError.shutDown })
            ], time: time)
        let failure = await #expect(throws: SyncFailure.self) { try await source.tokens(for: key).current() }
        #expect(failure?.code == "tokens_unreadable")
    }

    @Test func aRotatedTokenThatCouldNotBeStoredIsNotLost() async throws {
        let exchange = ScriptedExchange(.answer(200, Self.fresh), .answer(400, #"{"error":"invalid_grant"}"#))
        try await connect(expiry: nil)
        let tokens = try await source(exchange).tokens(for: key)
        let other = try DatabaseQueue(path: directory.path + "/auth.db")
        try await other.writeWithoutTransaction { db in
            try db.execute(
                sql: "CREATE TRIGGER full BEFORE UPDATE ON oauth_tokens BEGIN SELECT RAISE(FAIL, 'full'); END")
        }
        let failure = await #expect(throws: SyncFailure.self) { try await tokens.current() }
        #expect(failure?.code == "vault_unavailable")
        try await other.writeWithoutTransaction { db in try db.execute(sql: "DROP TRIGGER full") }
        #expect(try await tokens.current().revealed == "access-2", "the provider would refuse the old refresh token")
        #expect(exchange.requests.count == 1)
    }
}
