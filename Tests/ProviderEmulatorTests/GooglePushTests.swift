import Foundation
import HTTPTransport
import MailModel
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite(.timeLimit(.minutes(2))) struct GooglePushTests {
    /// An emulator whose mailbox is watched and pushed to an inbox. The watch's own push has arrived.
    private func run(
        isWrapped: Bool = true, configure: (inout EmulatorConfiguration) -> Void = { _ in },
        _ body: @Sendable (EmulatorFixture, PushInbox) async throws -> Void
    ) async throws {
        var configuration = EmulatorConfiguration()
        configure(&configuration)
        let pushes = configuration.googlePushes
        try await PushInbox.run { inbox in
            try await EmulatorFixture.run(configure: { $0.googlePushes = pushes }) { fixture in
                fixture.google.pushEndpoint = GooglePushEndpoint(url: inbox.url, isWrapped: isWrapped)
                let topic = WatchTests.topic
                let answer = try await fixture.gmail("watch", .post, json: "{\"topicName\":\"\(topic)\"}")
                #expect(answer.status == 200)
                await inbox.received(1)
                try await body(fixture, inbox)
            }
        }
    }

    private func payload(_ post: PushInbox.Post) throws -> [String: Any] {
        let body = try #require(try JSONSerialization.jsonObject(with: Data(post.body)) as? [String: Any])
        guard let message = body["message"] as? [String: Any] else { return body }
        let data = try #require(Data(base64Encoded: message["data"] as? String ?? ""))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test func everyChangeIsAnnouncedWithTheHistoryAsItIs() async throws {
        try await run { (fixture: EmulatorFixture, inbox: PushInbox) async throws in
            fixture.time.advance(by: .seconds(1))
            let id = try fixture.deliver("one")
            await inbox.received(2)
            fixture.time.advance(by: .seconds(1))
            try fixture.google.trash(id, in: EmulatorFixture.address)
            let posts = await inbox.received(3)
            let now = try fixture.google.historyID(of: EmulatorFixture.address)
            #expect(try payload(posts[2])["historyId"] as? UInt64 == now)
            #expect(try payload(posts[2])["emailAddress"] as? String == EmulatorFixture.address)
            // What leaves no history is not announced.
            fixture.time.advance(by: .seconds(1))
            try fixture.google.load(MailboxGenerator(seed: 1, address: "x", count: 3), into: EmulatorFixture.address)
            try fixture.google.createLabel("Bills", in: EmulatorFixture.address)
            #expect(fixture.google.announcements == GoogleAnnouncements(sent: 3))
        }
    }

    /// The forms of recorded pushes: the same members, with values of the same types.
    @Test(.enabled(if: SharedMaterial.specs != nil)) func wrappedPushesHaveTheRecordedForm() async throws {
        let path = "\(SharedMaterial.specs ?? "")/pubsub/push-wrapped.gmail.json"
        let recorded = PushInbox.Post(target: "", headers: [:], body: Array(try Data(contentsOf: URL(filePath: path))))
        try await run { (fixture: EmulatorFixture, inbox: PushInbox) async throws in
            let post = inbox.posts[0]
            #expect(
                try shape(JSONSerialization.jsonObject(with: Data(post.body)))
                    == shape(
                        JSONSerialization.jsonObject(with: Data(recorded.body))))
            #expect(try shape(payload(post)) == shape(payload(recorded)))
            #expect(post.headers["content-type"] == "application/json")
            #expect(post.headers["authorization"]?.hasPrefix("Bearer ey") == true)
        }
    }

    @Test func unwrappedPushesAreThePayloadAlone() async throws {
        try await run(isWrapped: false) { (_: EmulatorFixture, inbox: PushInbox) async throws in
            #expect(try Set(payload(inbox.posts[0]).keys) == ["emailAddress", "historyId"])
            #expect(inbox.posts[0].headers["content-type"] == "application/octet-stream")
        }
    }

    @Test func oneASecondAndTheRestIsLost() async throws {
        try await run { (fixture: EmulatorFixture, inbox: PushInbox) async throws in
            for number in 0..<5 { try fixture.deliver("early \(number)") }
            fixture.time.advance(by: .milliseconds(999))
            try fixture.deliver("still early")
            fixture.time.advance(by: .milliseconds(1))
            try fixture.deliver("in time")
            try fixture.deliver("early again")
            await inbox.received(2)
            await fixture.emulator.courier.untilIdle()
            #expect(inbox.posts.count == 2)
            #expect(fixture.google.announcements == GoogleAnnouncements(sent: 2, overRate: 7))
        }
    }

    @Test func theRateCanBeSwitchedOff() async throws {
        try await run(configure: { $0.googlePushes.perMailboxInterval = .zero }) {
            (fixture: EmulatorFixture, inbox: PushInbox) async throws in
            for number in 0..<20 { try fixture.deliver("\(number)") }
            let posts = await inbox.received(21)
            let ids = try Set(posts.map { try payload($0)["historyId"] as? UInt64 })
            #expect(ids.count == 21)
        }
    }

    @Test func nobodyIsToldWithoutAWatch() async throws {
        try await run { (fixture: EmulatorFixture, inbox: PushInbox) async throws in
            _ = try await fixture.gmail("stop", .post)
            fixture.time.advance(by: .seconds(1))
            try fixture.deliver("unseen")
            _ = try await fixture.gmail("watch", .post, json: "{\"topicName\":\"\(WatchTests.topic)\"}")
            await inbox.received(2)
            fixture.time.advance(by: .seconds(8 * 86_400))
            try fixture.deliver("after the watch's end")
            await fixture.emulator.courier.untilIdle()
            #expect(inbox.posts.count == 2)
        }
    }

    @Test func aTokenIsUsedForManyPushesAndReplacedBeforeItsEnd() async throws {
        try await run { (fixture: EmulatorFixture, inbox: PushInbox) async throws in
            fixture.time.advance(by: .seconds(3200))
            try fixture.deliver("same token")
            await inbox.received(2)
            fixture.time.advance(by: .seconds(200))
            try fixture.deliver("another")
            let tokens = await inbox.received(3).map { $0.headers["authorization"] }
            #expect(tokens[0] == tokens[1])
            #expect(tokens[1] != tokens[2])
        }
    }

    @Test func theEndpointIsSetFromOutside() async throws {
        try await EmulatorFixture.run { (fixture: EmulatorFixture) async throws in
            let body = "{\"url\":\"http://127.0.0.1:1/x\",\"service_account\":\"a@b\",\"wrapped\":false}"
            #expect(try await fixture.send(.post, "/admin/pushes/google", body: body).status == 204)
            #expect(
                fixture.google.pushEndpoint
                    == GooglePushEndpoint(
                        url: "http://127.0.0.1:1/x", audience: "http://127.0.0.1:1/x", serviceAccount: "a@b",
                        isWrapped: false))
            #expect(try await fixture.send(.post, "/admin/pushes/faults", body: "push drop times=2").status == 200)
            #expect(fixture.emulator.courier.faults.active.map(\.fault) == [Fault(.push, times: 2, .drop)])
            #expect(try await fixture.send(.delete, "/admin/pushes/google").status == 204)
            #expect(fixture.google.pushEndpoint == nil)
            #expect(try await fixture.send(.post, "/admin/pushes/google", body: "{}").status == 400)
        }
    }

    private func shape(_ value: Any) -> String {
        switch value {
        case let object as [String: Any]:
            "{" + object.keys.sorted().map { "\($0):\(shape(object[$0] ?? ""))" }.joined(separator: ",") + "}"
        case is String: "text"
        default: "number"
        }
    }
}
