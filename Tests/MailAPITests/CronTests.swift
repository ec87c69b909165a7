import MailModel
import MailSync
import MailTestSupport
import Synchronization
import Testing

@testable import MailAPI

/// Accounts that are overdue, as `/api/cron/sync-emails` meets them.
final class FakeCron: CronCommands {
    private struct State {
        var overdue: [AccountKey] = []
        var claimed: [Int] = []
        var reports: [AccountKey: PassReport] = [:]
        var counts = OverdueCounts(accounts: 50, overdue: 12, failing: 2)
    }
    private let state = Mutex(State())

    /// How the passes over these accounts end; nil: not for a long time.
    func set(_ accounts: [(key: AccountKey, report: PassReport?)]) {
        state.withLock { state in
            state.overdue = accounts.map(\.key)
            state.reports = Dictionary(
                uniqueKeysWithValues: accounts.compactMap { key, report in report.map { (key, $0) } })
        }
    }

    /// How many accounts each call wanted.
    var wanted: [Int] { state.withLock { $0.claimed } }

    func claimOverdue(_ countMax: Int) async -> [PassClaim] {
        state.withLock { state in
            state.claimed.append(countMax)
            let taken = state.overdue.prefix(countMax)
            state.overdue.removeFirst(taken.count)
            return taken.map { PassClaim(key: $0, pass: 1) }
        }
    }

    func report(of claim: PassClaim) async throws -> PassReport {
        if let report = state.withLock({ $0.reports[claim.key] }) { return report }
        try await SystemTime().sleep(for: .seconds(600))
        throw CancellationError()
    }

    func overdueCounts() async -> OverdueCounts { state.withLock { $0.counts } }
}

@Suite struct CronTests {
    private let path = "/api/cron/sync-emails"
    private static let synced = PassReport(events: 3, isCaughtUp: true)
    private static let failed = PassReport(
        failure: SyncFailure(.retry(after: nil, scope: .account), code: "backend", "the provider answered 503"))

    private func key(_ name: String, _ provider: ProviderKind = .google) throws -> AccountKey {
        AccountKey(user: try UserID(name), provider: provider, inbox: .primary)
    }

    @Test func withoutASecretItIsOff() async throws {
        var fixture = APIFixture()
        fixture.cronSecret = nil
        try await fixture.run { [fixture] api in
            for method in ["GET", "POST"] {
                for bearer in [nil, "", APIFixture.operatorToken, try fixture.token("u")] as [String?] {
                    let answer = try await api.call(method, path, bearer: bearer)
                    #expect(answer.status == 503 && answer.isProblem)
                    #expect(answer.string("type")?.hasSuffix("cron-not-configured") == true)
                }
            }
            #expect(fixture.cron.wanted.isEmpty)
        }
    }

    @Test func onlyTheSecretOpensIt() async throws {
        let fixture = APIFixture()
        let secret = APIFixture.cronSecret
        try await fixture.run { api in
            let wrong = [
                nil, "", "x", String(secret.dropLast()), secret + "x", secret.uppercased(), APIFixture.operatorToken,
                try fixture.token("u"),
            ]
            for method in ["GET", "POST"] {
                for bearer in wrong {
                    let answer = try await api.call(method, path, bearer: bearer)
                    #expect(answer.status == 401 && answer.isProblem, "\(bearer ?? "none")")
                    #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer realm=") == true)
                }
                #expect(try await api.call(method, path, bearer: secret).status == 200)
            }
            #expect(fixture.cron.wanted == [5])
        }
    }

    @Test func whatBecameOfEachAccountIsSaid() async throws {
        let fixture = APIFixture()
        fixture.cron.set([
            (try key("ada"), Self.synced), (try key("bob", .microsoft), Self.failed),
            (try key("eve"), PassReport(events: 9)),
        ])
        try await fixture.run { api in
            let answer = try await api.call("POST", path, bearer: APIFixture.cronSecret)
            #expect(answer.status == 200 && answer.json["success"] as? Bool == true)
            #expect(answer.json["total"] as? Int == 3 && answer.json["successful"] as? Int == 1)
            #expect(answer.json["failed"] as? Int == 1)
            let accounts = try #require(answer.json["accounts"] as? [[String: Any]])
            #expect(accounts.map { $0["status"] as? String } == ["synced", "failed", "running"])
            #expect(accounts.map { $0["events"] as? Int } == [3, 0, 9])
            #expect(accounts.map { $0["error"] as? String } == [nil, "backend", nil])
            #expect(accounts[1]["accountId"] as? String == "bob:primary:MICROSOFT")
            #expect(accounts[1]["provider"] as? String == "microsoft" && accounts[1]["user_id"] as? String == "bob")
            let none = try await api.call("POST", path, bearer: APIFixture.cronSecret)
            #expect(none.json["total"] as? Int == 0 && none.json["success"] as? Bool == true)
        }
    }

    /// What is not finished within the bound is reported as running, whatever else has ended.
    @Test func anAnswerComesWithinTheBound() async throws {
        let time = ManualTime()
        let commands = FakeCron()
        commands.set([(try key("slow"), nil), (try key("ada"), Self.synced)])
        var endpoint = CronEndpoint(commands: commands, secret: nil, interval: .seconds(30))
        endpoint.answerWithin = .seconds(25)
        let route = try #require(CronRoutes(endpoint: endpoint, time: time).all.first)
        async let response = route.handle(Route.Call(body: []))
        await time.waitForSleepers()
        time.advance(by: .seconds(25))
        #expect(try await response.status == .ok)
    }

    @Test func theBatchSizeHasBounds() async throws {
        let fixture = APIFixture()
        try await fixture.run { api in
            for good in [1, 7, 1000] {
                let answer = try await api.call("POST", "\(path)?batchSize=\(good)", bearer: APIFixture.cronSecret)
                #expect(answer.status == 200)
            }
            #expect(fixture.cron.wanted == [1, 7, 1000])
            let bad = [
                "batchSize=0", "batchSize=1001", "batchSize=-1", "batchSize=", "batchSize=five", "batchSize=5.0",
                "batchSize=%2B5", "batchSize=1&batchSize=2", "batch=5", "batchSize=99999999999999999999",
            ]
            for query in bad {
                let answer = try await api.call("POST", "\(path)?\(query)", bearer: APIFixture.cronSecret)
                #expect(answer.status == 422 && answer.isProblem, "\(query)")
            }
            #expect(fixture.cron.wanted.count == 3)
        }
    }

    @Test func countsAreSaid() async throws {
        let fixture = APIFixture(time: ManualTime(nowMilliseconds: 1_767_225_600_000))
        let route = try #require(
            CronRoutes(
                endpoint: CronEndpoint(commands: fixture.cron, secret: nil, interval: .seconds(850)),
                time: fixture.time
            ).all.last)
        let response = try await route.handle(Route.Call(body: []))
        let text = try await response.text()
        #expect(
            text
                == #"{"success":true,"timestamp":"2026-01-01T00:00:00Z","totalAccounts":50,"pendingSync":12,"#
                + #""errorAccounts":2,"syncInterval":15}"#)
    }
}
