import Foundation
import HTTPTransport
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// The real process, driven from outside: its inner clock is off.
    @Suite struct CronTests {
        @Test(.timeLimit(.minutes(3))) func nothingPollsAndACallSyncs() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 10)
                let service = try await stage.serve(Cron.settings("100ms"))
                let watch = try await stage.watch(user)
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                await watch.drain(quiet: .milliseconds(300))
                let calls = stage.emulator.google.stats.requests
                let id = try user.receive(subject: "Unasked for")
                // Many intervals pass.
                try await eventually("the account is overdue", within: .seconds(60)) {
                    try await service.cronCounts().pendingSync == 1
                }
                let counts = try await service.cronCounts()
                #expect(counts.totalAccounts == 1 && counts.errorAccounts == 0 && counts.syncInterval == 1)
                #expect(stage.emulator.google.stats.requests == calls, "nobody asked the provider")
                let answer = try await service.cron()
                #expect(answer.success && answer.total == 1 && answer.successful == 1 && answer.failed == 0)
                #expect(answer.accounts.map(\.accountId) == ["ada:primary:GOOGLE"])
                #expect((answer.accounts.first?.events ?? 0) > 0)
                _ = try await watch.read(about: id, within: .seconds(20))
                // People are served all the same.
                let asked = try user.receive(subject: "Asked for")
                _ = try await service.client(of: user).post("/mail/sync", Data("{}".utf8))
                _ = try await watch.read(about: asked, within: .seconds(20))
                await watch.close()
                for secret in [nil, "wrong", Cron.secret + "x"] {
                    #expect(try await service.cronCall(.post, secret: secret).status == 401)
                }
                #expect(await service.terminate() == .code(0))
            }
        }

        @Test(.timeLimit(.minutes(3))) func overlappingCallsShareTheOverdueAccounts() async throws {
            try await withStage { stage in
                let users = try ["ada", "bob", "eve"].map { try stage.makeUser($0, messages: 3) }
                let service = try await stage.serve(Cron.settings("10s"))
                for user in users {
                    try await service.client(of: user).connect()
                    try await service.client(of: user).settle()
                }
                try await eventually("all are overdue", within: .seconds(60)) {
                    try await service.cronCounts().pendingSync == users.count
                }
                let answers = try await withThrowingTaskGroup(of: Cron.Answer.self) { group in
                    for _ in 0..<5 { group.addTask { try await service.cron("?batchSize=1") } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let synced = answers.flatMap(\.accounts)
                #expect(synced.map(\.accountId).sorted() == users.map { "\($0.id):primary:GOOGLE" }.sorted())
                #expect(synced.allSatisfy { $0.status == "synced" })
                #expect(answers.allSatisfy { $0.total <= 1 })
                #expect(await service.terminate() == .code(0))
            }
        }

        /// Killed while a call syncs: nothing is lost or doubled, and the next call has the longest overdue first.
        @Test(.timeLimit(.minutes(3))) func aCallThatIsKilledIsMadeUpForByTheNext() async throws {
            try await withStage { stage in
                let (ada, bob) = (try stage.makeUser(messages: 3), try stage.makeUser("bob", messages: 3))
                var service = try await stage.serve(Cron.settings("1s"))
                let watch = try await stage.watch(ada)
                for user in [ada, bob] {
                    try await service.client(of: user).connect()
                    try await service.client(of: user).settle()
                }
                await watch.drain(quiet: .milliseconds(300))
                // Bob's last pass is later than Ada's, by the seconds of their stores.
                let first = try await service.lastSynced(ada)
                try await eventually("bob was synced later") {
                    _ = try await service.client(of: bob).post("/mail/sync", Data("{}".utf8))
                    return try await service.lastSynced(bob) > first
                }
                let id = try ada.receive(subject: "While it is killed")
                let google = stage.emulator.google
                google.faults.add(Fault(.anyGmail, times: nil, .stall))
                try await eventually("ada is overdue") { try await service.cronCounts().pendingSync == 2 }
                let killed = service
                async let interrupted = killed.cronCall(.post, query: "?batchSize=1")
                try await eventually("a pass waits for the provider") { google.faults.struck > 0 }
                await service.kill()
                // Cut off.
                _ = try? await interrupted
                google.faults.removeAll()

                service = try await stage.serve(Cron.settings("1s"))
                try await eventually("both are overdue") { try await service.cronCounts().pendingSync == 2 }
                let answer = try await service.cron("?batchSize=1")
                #expect(answer.accounts.map(\.accountId) == ["ada:primary:GOOGLE"])
                #expect(answer.successful == 1)
                _ = try await watch.read(about: id, within: .seconds(20))
                let store = try await {
                    #expect(await service.terminate() == .code(0))
                    return try await stage.snapshot(of: ada)
                }()
                await watch.read(toTotal: store.events.count)
                #expect(watch.messageCount == store.events.count)
                await watch.close()
            }
        }

        @Test(.timeLimit(.minutes(2))) func withoutASecretTheServiceStartsByTheClockOnly() async throws {
            try await withStage { stage in
                let service = try await stage.serve()
                #expect(try await service.cronCall(.post, secret: "anything").status == 503)
                #expect(try await service.cronCall(.get, secret: nil).status == 503)
                #expect(await service.terminate() == .code(0))
                let refused = try stage.spawn(["SYNC_TRIGGER": "cron"])
                #expect(await refused.program.waitForExit(within: .seconds(60)) != .code(0))
                #expect(stage.log.contains("CRON_SECRET"))
            }
        }
    }
}

/// Answers of `/api/cron/sync-emails`, under the names of the API.
enum Cron {
    static let secret = "cron-secret-of-the-system-tests"

    static func settings(_ interval: String) -> [String: String] {
        ["SYNC_TRIGGER": "cron", "CRON_SECRET": secret, "SYNC_INTERVAL": interval]
    }

    struct Answer: Decodable, Sendable {
        struct Account: Decodable, Sendable {
            let accountId: String
            let status: String
            let events: Int
        }
        let success: Bool
        let total: Int
        let successful: Int
        let failed: Int
        let accounts: [Account]
    }

    struct Counts: Decodable, Sendable {
        let totalAccounts: Int
        let pendingSync: Int
        let errorAccounts: Int
        let syncInterval: Int
    }
}

private struct SyncTimes: Decodable {
    struct Account: Decodable { let last_synced_at: Int64? }
    let accounts: [Account]
}

extension MailsyncProcess {
    func cronCall(
        _ method: HTTPRequest.Method, query: String = "", secret: String? = Cron.secret
    ) async throws -> HTTPResponse {
        let headers = secret.map { [(name: "Authorization", value: "Bearer \($0)")] } ?? []
        return try await transport.send(
            HTTPRequest(
                method, baseURL + "/api/cron/sync-emails\(query)", headers: headers, timeout: .seconds(60)))
    }

    func cron(_ query: String = "") async throws -> Cron.Answer {
        let response = try await cronCall(.post, query: query)
        return try JSONDecoder().decode(Cron.Answer.self, from: Data(response.body))
    }

    func cronCounts() async throws -> Cron.Counts {
        try JSONDecoder().decode(Cron.Counts.self, from: Data(try await cronCall(.get).body))
    }

    func lastSynced(_ user: MailUser) async throws -> Int64 {
        let response = try await get("/mail/status", token: user.token)
        return try JSONDecoder().decode(SyncTimes.self, from: Data(response.body)).accounts.first?.last_synced_at ?? 0
    }
}
