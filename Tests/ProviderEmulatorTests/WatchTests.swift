import Foundation
import HTTPTransport
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite(.timeLimit(.minutes(2))) struct WatchTests {
    static let topic = "projects/p/topics/t"
    private static let day: Int64 = 86_400_000

    private func watch(_ fixture: EmulatorFixture, _ topic: String = topic, _ more: String = "", token: String? = nil)
        async throws
        -> HTTPResponse
    {
        try await fixture.gmail("watch", .post, token: token, json: "{\"topicName\":\"\(topic)\"\(more)}")
    }

    @Test func aWatchLastsSevenDaysAndIsRenewedByWatching() async throws {
        try await EmulatorFixture.run(scopes: [GmailScope.metadata]) { (fixture: EmulatorFixture) async throws in
            let start = fixture.time.nowMilliseconds()
            let first = try await watch(fixture).object()
            #expect(first["expiration"] as? String == String(start + 7 * Self.day))
            let now = try fixture.google.historyID(of: EmulatorFixture.address)
            #expect(first["historyId"] as? String == String(now))
            fixture.time.advance(by: .seconds(86_400))
            let token = try fixture.google.grant(EmulatorFixture.address, scopes: [GmailScope.metadata]).accessToken
            let second = try await watch(fixture, token: token).object()
            #expect(second["expiration"] as? String == String(start + 8 * Self.day))
            #expect(fixture.google.watch(of: EmulatorFixture.address)?.topic == Self.topic)
            fixture.time.advance(by: .seconds(7 * 86_400))
            #expect(fixture.google.watch(of: EmulatorFixture.address) == nil)
        }
    }

    @Test func stoppingEndsItAndMayBeRepeated() async throws {
        try await EmulatorFixture.run { (fixture: EmulatorFixture) async throws in
            _ = try await watch(fixture)
            for _ in 0..<2 {
                let stopped = try await fixture.gmail("stop", .post)
                #expect(stopped.status == 204)
                #expect(stopped.body.isEmpty)
            }
            #expect(fixture.google.watch(of: EmulatorFixture.address) == nil)
        }
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func oneTopicAtATimeInTheRecordedWords() async throws {
        let path = "\(SharedMaterial.specs ?? "")/gmail/errors/400-watch-only-one-client.json"
        let recorded = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? NSDictionary
        try await EmulatorFixture.run { (fixture: EmulatorFixture) async throws in
            #expect(try await watch(fixture).status == 200)
            let other = try await watch(fixture, "projects/p/topics/other")
            #expect(other.status == 400)
            #expect(try other.object() as NSDictionary == recorded)
            _ = try await fixture.gmail("stop", .post)
            #expect(try await watch(fixture, "projects/p/topics/other").status == 200)
        }
    }

    @Test(arguments: [
        "", "t", "projects/p/topics/", "projects//topics/t", "projects/p/subscriptions/t", "projects/q/topics/t",
    ])
    func topicsThatAreNoneAreRefused(_ topic: String) async throws {
        try await EmulatorFixture.run(configure: { $0.googlePushes.project = "p" }) {
            (fixture: EmulatorFixture) async throws in
            let answer = try await watch(fixture, topic)
            #expect(answer.status == 400)
            #expect(answer.reason == "invalidArgument")
        }
    }

    @Test func whatCannotBeReadIsRefused() async throws {
        try await EmulatorFixture.run { (fixture: EmulatorFixture) async throws in
            #expect(try await fixture.gmail("watch", .post, json: "nothing").status == 400)
            #expect(try await watch(fixture, Self.topic, ",\"labelFilterBehavior\":\"perhaps\"").status == 400)
            #expect(try await fixture.gmail("watch").status == 404)
        }
        try await EmulatorFixture.run(scopes: [GmailScope.labels]) { (fixture: EmulatorFixture) async throws in
            #expect(try await watch(fixture).reason == "insufficientPermissions")
        }
    }

    @Test func errorsOfTheTopicCanBeSet() async throws {
        try await EmulatorFixture.run { (fixture: EmulatorFixture) async throws in
            fixture.google.faults.add(Fault(.gmail(.watch), .error(.topicForbidden)))
            fixture.google.faults.add(Fault(.gmail(.watch), .error(.topicMissing)))
            #expect(try await watch(fixture).status == 403)
            #expect(try await watch(fixture).status == 404)
            #expect(try await watch(fixture).status == 200)
        }
    }

    @Test(arguments: [
        ([], false, ["INBOX"], true), (["INBOX"], false, ["INBOX", "UNREAD"], true),
        (["INBOX"], false, ["SENT"], false),
        (["SPAM"], true, ["SPAM"], false), (["SPAM"], true, ["INBOX"], true), (["SPAM"], true, [], true),
    ])
    func labelsDecideWhatIsAnnounced(
        _ labels: [String], _ excludes: Bool, _ message: [String], _ isAnnounced: Bool
    ) {
        let watch = GmailWatch(topic: Self.topic, labels: Set(labels), excludesLabels: excludes, expiresAtMs: 0)
        #expect(watch.concerns([message]) == isAnnounced)
    }
}
