import Foundation
import HTTPTransport
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// Imports in the real process, which dies and comes back.
    @Suite struct ImportTests {
        /// Older mail is out of scope; what tests have arrive is within.
        private static let since = "2026-03-01"

        /// kill -9 in the middle of an import, at random and around the import's own transactions: every message is in the
        /// stream once.
        @Test(.timeLimit(.minutes(5)), arguments: [ProviderKind.google, .microsoft])
        func killedInMidImport(_ provider: ProviderKind) async throws {
            var emulator = EmulatorConfiguration()
            emulator.latency = .milliseconds(40)
            try await withStage(provider: emulator) { stage in
                let user = try stage.makeUser("ada", [(provider, "primary", 1500)])
                let box = user.mailboxes[0].box
                var process = try await stage.serve()
                let watch = try await stage.watch(user)
                try await process.client(of: user).connect(since: Self.since)
                try await process.client(of: user).waitUntilLive()
                let id = try await process.client(of: user).startImport()
                for point in ["batch-fetched:2", "before-commit:3", "after-commit:2"] {
                    try await process.client(of: user).untilImport(id, "moves") { $0.done > 0 }
                    await process.kill()
                    // The mailbox goes on meanwhile.
                    if let gone = try box.messages().first(where: \.isInScope) { try box.delete(gone.id) }
                    let dying = try stage.spawn(["MAILSYNC_CRASH_AT": point])
                    _ = await dying.program.waitForExit(within: MailsyncProcess.patience)
                    process = try await stage.serve()
                }
                let entry = try await process.client(of: user).untilImport(id, "is completed") {
                    $0.state == "completed"
                }
                // The rest of what was listed is out of scope, or gone.
                #expect(entry.failed == 0 && entry.listed >= entry.done + entry.known)
                try await stage.expectAgreement(process, user, watch)
            }
        }

        /// Paused, nothing is fetched; resumed after every page token has expired and the process was restarted, it goes on.
        @Test(.timeLimit(.minutes(5)), arguments: [ProviderKind.google, .microsoft])
        func pausedUntilTheTokensHaveExpired(_ provider: ProviderKind) async throws {
            var emulator = EmulatorConfiguration()
            emulator.latency = .milliseconds(40)
            try await withStage(provider: emulator) { stage in
                let user = try stage.makeUser("ada", [(provider, "primary", 1500)])
                let process = try await stage.serve()
                let watch = try await stage.watch(user)
                let client = process.client(of: user)
                try await client.connect(since: Self.since)
                try await client.waitUntilLive()
                let id = try await client.startImport()
                try await client.untilImport(id, "moves") { $0.done >= 100 }
                _ = try await client.post("/api/import/pause", Data(#"{"importId":"\#(id)"}"#.utf8))
                // Whatever was in hand is stored before mail that comes later.
                try await watch.read(until: [user.receive(subject: "one"), user.receive(subject: "two")])
                let paused = try await client.importView(id)
                #expect(paused?.state == "paused")
                try await watch.read(until: [user.receive(subject: "three"), user.receive(subject: "four")])
                #expect(try await client.importView(id)?.listed == paused?.listed, "nothing is fetched")
                #expect(await process.terminate() == .code(0))

                try user.mailboxes[0].box.expirePages()
                let again = try await stage.serve()
                #expect(try await again.client(of: user).importView(id)?.state == "paused")
                _ = try await again.client(of: user).post("/api/import/resume", Data(#"{"importId":"\#(id)"}"#.utf8))
                let entry = try await again.client(of: user).untilImport(id, "is completed") {
                    $0.state == "completed"
                }
                // The rest of what was listed is out of scope.
                #expect(entry.listed >= entry.done + entry.known && entry.failed == 0)
                try await stage.expectAgreement(again, user, watch)
            }
        }

        /// The job of a paused import does not run; cancelling it cancels the import all the same.
        @Test(.timeLimit(.minutes(2))) func cancellingTheJobOfAPausedImportCancelsIt() async throws {
            var emulator = EmulatorConfiguration()
            emulator.latency = .milliseconds(40)
            try await withStage(provider: emulator) { stage in
                let user = try stage.makeUser("ada", [(.google, "primary", 1500)])
                let client = try await stage.serve().client(of: user)
                try await client.connect(since: Self.since)
                try await client.waitUntilLive()
                let id = try await client.startImport()
                try await client.untilImport(id, "moves") { $0.done > 0 }
                _ = try await client.post("/api/import/pause", Data(#"{"importId":"\#(id)"}"#.utf8))
                try await client.untilImport(id, "is paused") { $0.state == "paused" }
                let answer = try await client.post("/api/sync/cancel", Data(#"{"jobId":"\#(id)"}"#.utf8))
                #expect(answer.status == 200 || answer.status == 202)
                try await client.untilImport(id, "is cancelled") { $0.state == "cancelled" }
            }
        }

        @Test(.timeLimit(.minutes(3)), arguments: [ProviderKind.google, .microsoft])
        func aDryRunStoresNothing(_ provider: ProviderKind) async throws {
            try await withStage { stage in
                let user = try stage.makeUser("ada", [(provider, "primary", 300)])
                let inScope = try user.truth().count(where: \.inScope)
                let process = try await stage.serve()
                let client = process.client(of: user)
                let answer = try await client.connectBody(since: nil, isDryRun: true)
                #expect(answer.status == 200)
                let counted = try JSONDecoder().decode(CountedView.self, from: Data(answer.body))
                #expect(counted.dry_run && counted.scan.complete && counted.scan.stored == 0)
                #expect(counted.scan.messages >= inScope && counted.scan.missingScopes.isEmpty)
                #expect(try await client.accounts().isEmpty)
                let users = "\(stage.dataDirectory)/users"
                #expect((try? FileManager.default.contentsOfDirectory(atPath: users))?.contains("ada") != true)

                try await client.connect(since: Self.since)
                try await client.waitUntilLive()
                let before = try await client.account()
                let dry = try await client.post(
                    "/api/import/start",
                    Data(#"{"accountId":"\#(client.accountID)","until":"2026-03-01","dry_run":true}"#.utf8))
                #expect(dry.status == 200)
                #expect(try JSONDecoder().decode(CountedView.self, from: Data(dry.body)).scan.messages > 0)
                #expect(try await client.account()?.stored == before?.stored)
                #expect(try await client.importView("any") == nil)
            }
        }
    }
}

/// What tests read of an import, under the names of the API.
struct ImportView: Decodable, Sendable {
    let state: String
    let estimated: Int
    let listed: Int
    let done: Int
    let known: Int
    let failed: Int
}

private struct ImportsView: Decodable {
    let imports: [ImportView]
}

private struct StartedView: Decodable {
    let importId: String
    let jobId: String
}

private struct CountedView: Decodable {
    struct Scan: Decodable {
        let complete: Bool
        let messages: Int
        let stored: Int
        let missingScopes: [String]
    }
    let dry_run: Bool
    let scan: Scan
}

extension UserClient {
    /// The first mailbox's account, as the API names it.
    var accountID: String {
        "\(user.id):\(user.mailboxes[0].inbox):\(user.mailboxes[0].box.provider.rawValue)"
    }

    /// Connects the first mailbox, for mail from this day on; or only counts.
    func connectBody(since: String?, isDryRun: Bool = false) async throws -> HTTPResponse {
        let mailbox = user.mailboxes[0]
        let grant = try mailbox.box.grant()
        var fields: [String: Any] = [
            "provider": mailbox.box.provider.apiName, "access_token": grant.accessToken,
            "refresh_token": grant.refreshToken, "expires_in": grant.expiresIn, "inbox_id": mailbox.inbox,
            "dry_run": isDryRun,
        ]
        fields["since"] = since
        return try await post("/mail/connect", JSONSerialization.data(withJSONObject: fields))
    }

    func connect(since: String) async throws {
        let response = try await connectBody(since: since)
        guard response.status == 200 else { throw Refused(description: "POST /mail/connect: \(response.status)") }
    }

    /// Begins an import of everything.
    func startImport() async throws -> String {
        let response = try await post("/api/import/start", Data(#"{"accountId":"\#(accountID)"}"#.utf8))
        guard response.status == 202 else {
            throw Refused(
                description:
                    "POST /api/import/start: \(response.status) \(String(decoding: response.body, as: UTF8.self))")
        }
        return try JSONDecoder().decode(StartedView.self, from: Data(response.body)).importId
    }

    func importView(_ id: String) async throws -> ImportView? {
        let response = try await process.get("/api/import/status?importId=\(id)", token: user.token)
        guard response.status == 200 else { return nil }
        return try JSONDecoder().decode(ImportsView.self, from: Data(response.body)).imports.first
    }

    /// Waits until the import is as described.
    @discardableResult
    func untilImport(
        _ id: String, _ what: String, _ condition: (ImportView) -> Bool
    ) async throws -> ImportView {
        var last: ImportView?
        try await eventually("the import \(what)", within: .seconds(90), every: .milliseconds(20)) {
            last = try await importView(id)
            return last.map(condition) ?? false
        }
        guard let last else { throw Refused(description: "no import \(id)") }
        return last
    }
}
