import Hummingbird
import MailModel
import MailSync
import Synchronization
import Testing

@testable import MailAPI

/// Remembers what users wanted.
final class FakeSchedules: ScheduleCommands {
    private let state = Mutex<[AccountKey: AccountSchedule]>([:])

    var wanted: [AccountKey: AccountSchedule] { state.withLock { $0 } }

    func setSchedule(_ schedule: AccountSchedule, of key: AccountKey) async throws -> ScheduleOutcome {
        if key.inbox != .primary { return .noAccount }
        if key.provider == .google, !schedule.folders.isEmpty { return .noFolders }
        state.withLock { $0[key] = schedule }
        return .set
    }
}

@Suite struct ScheduleTests {
    private let path = "/mail/schedule"

    private func key(_ provider: ProviderKind) throws -> AccountKey {
        AccountKey(user: try UserID("ada"), provider: provider, inbox: .primary)
    }

    @Test func aScheduleIsTakenAndAnswered() async throws {
        let fixture = APIFixture()
        try await fixture.run { api in
            let body = #"{"provider":"outlook","interval_s":300,"folders":{"INBOX":60,"Projects":3600}}"#
            let answer = try await api.call("POST", path, user: "ada", body: body)
            #expect(answer.status == 200 && answer.json["interval_s"] as? Int == 300)
            #expect(answer.json["folders"] as? [String: Int] == ["INBOX": 60, "Projects": 3600])
            let expected = AccountSchedule(
                interval: .seconds(300), folders: ["INBOX": .seconds(60), "Projects": .seconds(3600)])
            #expect(fixture.schedules.wanted == [try key(.microsoft): expected])
            let none = #"{"provider":"outlook","interval_s":null,"folders":null}"#
            #expect(try await api.call("POST", path, user: "ada", body: none).status == 200)
            #expect(fixture.schedules.wanted == [try key(.microsoft): AccountSchedule()])
        }
    }

    @Test func schedulesAreShownToTheirUserOnly() async throws {
        let fixture = APIFixture()
        var mine = try AccountReport.test("ada")
        mine.intervalSeconds = 60
        mine.schedule = AccountSchedule(interval: .seconds(60))
        await fixture.commands.set(reports: [mine, try .test("eve")])
        try await fixture.run { api in
            let answer = try await api.call("GET", path, user: "ada")
            let accounts = try #require(answer.json["accounts"] as? [[String: Any]])
            #expect(accounts.count == 1 && accounts[0]["interval_s"] as? Int == 60)
            #expect(accounts[0]["polled_every_s"] as? Int == 60)
            let status = try await api.call("GET", "/mail/status", user: "ada")
            let account = try #require((status.json["accounts"] as? [[String: Any]])?.first)
            #expect(account["interval_s"] as? Int == 60)
        }
    }

    @Test func whatCannotBeTakenChangesNothing() async throws {
        let fixture = APIFixture()
        let many = (0...AccountSchedule.foldersMax).map { #""F\#($0)":60"# }.joined(separator: ",")
        let bad = [
            #"{}"#, #"{"provider":"yahoo"}"#, #"{"provider":"outlook","interval_s":29}"#,
            #"{"provider":"outlook","interval_s":86401}"#, #"{"provider":"outlook","interval_s":60.5}"#,
            #"{"provider":"outlook","interval_s":"60"}"#, #"{"provider":"outlook","folders":{"INBOX":1}}"#,
            #"{"provider":"outlook","folders":["INBOX"]}"#, #"{"provider":"outlook","folders":{"":60}}"#,
            #"{"provider":"outlook","folders":{\#(many)}}"#, #"{"provider":"google","folders":{"INBOX":60}}"#,
        ]
        try await fixture.run { api in
            for body in bad {
                let answer = try await api.call("POST", path, user: "ada", body: body)
                #expect(answer.status == 422 && answer.isProblem, "\(body.prefix(80))")
            }
            let missing = #"{"provider":"google","inbox_id":"other","interval_s":60}"#
            #expect(try await api.call("POST", path, user: "ada", body: missing).status == 404)
            #expect(try await api.call("POST", path, body: "{}").status == 401)
            #expect(fixture.schedules.wanted.isEmpty)
        }
    }
}

extension Response {
    /// The body, as text.
    func text() async throws -> String {
        let collected = Mutex("")
        try await body.write(CollectingWriter { text in collected.withLock { $0 += text } })
        return collected.withLock { $0 }
    }
}

private struct CollectingWriter: ResponseBodyWriter {
    let take: @Sendable (String) -> Void
    mutating func write(_ buffer: ByteBuffer) async throws { take(String(buffer: buffer)) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
