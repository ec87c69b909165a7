import MailModel
import MailStore
import MailSync
import MailTestSupport
import Testing

@testable import MailAPI

@Suite struct ImportRoutesTests {
    private static let start = "/api/import/start"

    private func body(_ fields: String) -> String { #"{"accountId":"u:primary:GOOGLE",\#(fields)}"# }

    @Test func anImportIsCountedAndBegun() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call(
                "POST", Self.start, user: "u",
                body:
                    #"{"accountId":"u:primary:GOOGLE","from":"2015-01-01","until":"2016-01-01T12:00:00Z","labels":["a","b"]}"#
            )
            #expect(answer.status == 202 && answer.json["success"] as? Bool == true)
            #expect(answer.string("importId") == "import1" && answer.string("jobId") == "job")
            let scan = answer.json["scan"] as? [String: Any]
            #expect(scan?["messages"] as? Int == 12 && scan?["stored"] as? Int == 2)
            #expect(scan?["complete"] as? Bool == true && scan?["estimatedSeconds"] as? Int == 3)
            let entry = try #require(await fixture.imports.started.first)
            #expect(
                entry.selection == MailSelection(from: 1_420_070_400, until: 1_451_649_600, labels: ["a", "b"]))
            #expect(entry.figures == .init(estimated: 12, estimatedKnown: 2), "not counted twice")
        }
    }

    @Test func lastDaysCountFromNow() async throws {
        let time = ManualTime()
        let fixture = APIFixture(time: time)
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call(
                "POST", Self.start, user: "u", body: #"{"accountId":"u:primary:GOOGLE","lastDays":30,"folders":["x"]}"#)
            #expect(answer.status == 202)
            let selection = await fixture.imports.started.first?.selection
            #expect(selection == MailSelection(from: time.now() - 30 * 86_400, labels: ["x"]))
        }
    }

    @Test func aDryRunBeginsNothing() async throws {
        let fixture = APIFixture()
        await fixture.imports.set(
            scanFailure: SyncFailure(.skip, code: SelectionRefusal.missingScope, "not granted"))
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call(
                "POST", Self.start, user: "u",
                body: #"{"accountId":"u:primary:GOOGLE","lastDays":1,"dry_run":true}"#)
            #expect(answer.status == 200 && answer.json["dry_run"] as? Bool == true)
            let scan = answer.json["scan"] as? [String: Any]
            #expect(scan?["missingScopes"] as? [String] == ["https://www.googleapis.com/auth/gmail.readonly"])
            #expect(scan?["complete"] as? Bool == false)
            #expect(await fixture.imports.started.isEmpty)
        }
    }

    @Test func aDryRunOfConnectingConnectsNothing() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call(
                "POST", "/mail/connect", user: "u",
                body: """
                    {"provider":"google","access_token":"at","refresh_token":"rt","expires_in":3600,
                     "since":"2024-01-01","dry_run":true}
                    """)
            #expect(answer.status == 200 && answer.json["dry_run"] as? Bool == true)
            #expect((answer.json["scan"] as? [String: Any])?["messages"] as? Int == 12)
            #expect(await fixture.commands.connects.isEmpty)
            let scan = try #require(await fixture.imports.scans.first)
            #expect(scan.token == Secret("at") && scan.selection == MailSelection(from: 1_704_067_200))
        }
    }

    @Test(arguments: [
        (#"{}"#, "accountId"), (#"{"accountId":"u"}"#, "accountId"), (#"{"accountId":5}"#, "accountId"),
        (#"{"accountId":"u:primary:GOOGLE","from":"yesterday"}"#, "from"),
        (#"{"accountId":"u:primary:GOOGLE","until":"2024-02-30"}"#, "until"),
        (#"{"accountId":"u:primary:GOOGLE","from":"2024-01-02","until":"2024-01-02"}"#, "until"),
        (#"{"accountId":"u:primary:GOOGLE","lastDays":0}"#, "lastDays"),
        (#"{"accountId":"u:primary:GOOGLE","lastDays":3,"from":"2024-01-01"}"#, "lastDays"),
        (#"{"accountId":"u:primary:GOOGLE","labels":"INBOX"}"#, "labels"),
        (#"{"accountId":"u:primary:GOOGLE","labels":[""]}"#, "labels"),
        (#"{"accountId":"u:primary:GOOGLE","labels":["a"],"folders":["a"]}"#, "folders"),
        (#"{"accountId":"u:primary:GOOGLE","dry_run":1}"#, "dry_run"),
    ]) func aWrongFieldIsNamed(_ body: String, _ field: String) async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call("POST", Self.start, user: "u", body: body)
            #expect(answer.status == 422 && answer.isProblem && answer.string("field") == field)
            #expect(await fixture.imports.scans.isEmpty)
        }
    }

    @Test(arguments: [
        (SelectionRefusal.unknownLabel, "folders"), (SelectionRefusal.labelOutOfScope, "folders"),
        (SelectionRefusal.missingScope, "until"),
    ]) func whatIsImpossibleIsSaidAtOnce(_ code: String, _ field: String) async throws {
        let fixture = APIFixture()
        await fixture.imports.set(scanFailure: SyncFailure(.skip, code: code, "why"))
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call(
                "POST", Self.start, user: "u",
                body: #"{"accountId":"u:primary:GOOGLE","until":"2024-01-01","folders":["a"]}"#)
            #expect(answer.status == 422 && answer.string("field") == field && answer.isProblem)
            #expect(await fixture.imports.started.isEmpty)
        }
    }

    @Test func limitsAndOtherPeoplesAccountsAreRefused() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let foreign = try await api.call(
                "POST", Self.start, user: "u", body: #"{"accountId":"other:primary:GOOGLE"}"#)
            #expect(foreign.status == 404 && foreign.isProblem)
            #expect(await fixture.imports.scans.isEmpty)
            await fixture.imports.set(failure: ImportLimit.ofAccount(max: 5))
            let full = try await api.call("POST", Self.start, user: "u", body: #"{"accountId":"u:primary:GOOGLE"}"#)
            #expect(full.status == 409 && full.isProblem && full.string("detail")?.contains("5 imports") == true)
            await fixture.imports.set(failure: CannotImport("later"))
            let later = try await api.call("POST", Self.start, user: "u", body: #"{"accountId":"u:primary:GOOGLE"}"#)
            #expect(later.status == 503 && later.headers["retry-after"] == "60")
            await fixture.imports.forgetAccounts()
            let gone = try await api.call("POST", Self.start, user: "u", body: #"{"accountId":"u:primary:GOOGLE"}"#)
            #expect(gone.status == 404)
        }
    }

    @Test func usersSeeAndChangeTheirOwnImportsOnly() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            _ = try await api.call("POST", Self.start, user: "u", body: #"{"accountId":"u:primary:GOOGLE"}"#)
            let own = try await api.call("GET", "/api/import/status", user: "u")
            let entries = own.json["imports"] as? [[String: Any]]
            #expect(entries?.count == 1 && entries?.first?["importId"] as? String == "import1")
            #expect(entries?.first?["state"] as? String == "running")
            let others = try await api.call("GET", "/api/import/status", user: "v")
            #expect((others.json["imports"] as? [Any])?.isEmpty == true)
            #expect(try await api.call("GET", "/api/import/status?importId=import1", user: "v").status == 404)
            #expect(try await api.call("GET", "/api/import/status?importId=import1", user: "u").status == 200)
            for command in ImportCommand.allCases {
                let path = "/api/import/\(command.rawValue)"
                #expect(try await api.call("POST", path, user: "v", body: #"{"importId":"import1"}"#).status == 404)
                #expect(try await api.call("POST", path, user: "u", body: #"{"importId":"none"}"#).status == 404)
                #expect(try await api.call("POST", path, user: "u", body: "{}").string("field") == "importId")
                let answer = try await api.call("POST", path, user: "u", body: #"{"importId":"import1"}"#)
                #expect(answer.status == 200 && (answer.json["import"] as? [String: Any])?["importId"] != nil)
            }
        }
    }
}
