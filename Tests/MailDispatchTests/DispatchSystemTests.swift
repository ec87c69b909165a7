import Foundation
import JetStream
import MailDispatch
import MailModel
import MailStore
import MailTestSupport
import Testing

/// Real stores, a real nats-server, and an independent consumer that looks at the result.
@Suite(.serialized, .timeLimit(.minutes(3))) struct DispatchSystemTests {
    private static let stream = StreamConfiguration(
        name: "TEST", maxAgeSeconds: 3600, duplicateWindowMilliseconds: 2_000)

    private func publisher(_ server: NatsServerFixture, answerMilliseconds: Int = 2_000) async throws
        -> JetStreamPublisher
    {
        var configuration = server.configuration
        configuration.answerTimeoutMilliseconds = answerMilliseconds
        return try await JetStreamPublisher.connect(configuration, stream: Self.stream, logger: quiet)
    }

    private func users(_ count: Int) -> [UserID] { (0..<count).map { UserID(uncheckedEncoded: "u\($0)") } }

    private struct Numbered: Decodable { var seq: Int64 }

    /// Every user's events as a consumer receives them: 1, 2, 3 … and nothing twice.
    private func check(_ server: NatsServerFixture, _ users: [UserID], each: Int) async throws {
        let consumer = try await EventConsumer.open(server.configuration, stream: "TEST", logger: quiet)
        var seqs: [Substring: [Int64]] = [:]
        var ids: Set<String> = []
        for _ in 0..<users.count * each {
            let event = try #require(await consumer.next(timeout: .seconds(20)))
            let user = event.subject.split(separator: ".")[1]
            seqs[user, default: []].append(try JSONDecoder().decode(Numbered.self, from: Data(event.payload)).seq)
            ids.insert(event.messageID ?? "")
        }
        #expect(await consumer.next(timeout: .milliseconds(100)) == nil)
        await consumer.close()
        #expect(ids.count == users.count * each)
        for user in users { #expect(seqs[Substring(user.encoded)] == Array(1...Int64(each))) }
    }

    @Test(arguments: NatsServerKind.available)
    func twentyUsersArriveOnceAndInOrder(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let fixture = try DispatchFixture()
        let users = users(20)
        for user in users { try await fixture.add(499, to: user) }
        let publisher = try await publisher(server)
        try await fixture.dispatching(publisher) { dispatcher in
            for user in users { dispatcher.wake(user) }
            for user in users { try await fixture.drained(user, dispatcher) }
        }
        await publisher.close()
        try await check(server, users, each: 500)
    }

    @Test(arguments: NatsServerKind.available)
    func aServerKilledWhilePublishingLosesAndDoublesNothing(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let fixture = try DispatchFixture()
        let users = users(8)
        for user in users { try await fixture.add(199, to: user) }
        let publisher = try await publisher(server, answerMilliseconds: 500)
        try await fixture.dispatching(publisher) { dispatcher in
            for user in users { dispatcher.wake(user) }
            for round in 1...3 {
                while await dispatcher.metrics().published < round * 200 { await Task.yield() }
                try await server.restart()
            }
            for user in users { try await fixture.drained(user, dispatcher) }
        }
        await publisher.close()
        try await check(server, users, each: 200)
    }

    /// The acknowledgement is lost and the server stays away for longer than it remembers ids: only looking helps.
    @Test(arguments: NatsServerKind.available)
    func anOutageLongerThanTheDuplicateWindowDoublesNothing(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let fixture = try DispatchFixture()
        let users = users(4)
        let publisher = try await publisher(server, answerMilliseconds: 200)
        try await fixture.dispatching(publisher) { dispatcher in
            for user in users {
                try await fixture.add(1, to: user)
                dispatcher.wake(user)
                try await fixture.drained(user, dispatcher)
            }
            server.freeze()
            for user in users {
                try await fixture.add(20, to: user, prefix: "later")
                dispatcher.wake(user)
            }
            while await dispatcher.metrics().unknowns < users.count { await Task.yield() }
            // The frozen server has the messages in its socket; thawed, it stores them and forgets their ids.
            // That takes 2 s of the server's own clock; no event tells that they are over.
            try await SystemTime().sleep(for: .milliseconds(2_500))
            server.thaw()
            for user in users { try await fixture.drained(user, dispatcher) }
        }
        await publisher.close()
        try await check(server, users, each: 22)
    }

    /// The process ends with everything sent and nothing written, and comes back after the window.
    @Test(arguments: NatsServerKind.available)
    func aRestartAfterTheDuplicateWindowDoublesNothing(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let fixture = try DispatchFixture()
        let user = UserID(uncheckedEncoded: "u0")
        try await fixture.add(29, to: user)
        var stream = Self.stream
        stream.duplicateWindowMilliseconds = 100
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: stream, logger: quiet)
        for row in try await fixture.rows(user).prefix(17) { _ = await publisher.publish(row.message(of: user)) }
        // The window is over when another id of that time is taken again.
        var probe = OutboundMessage(user: user, seq: 0, subject: "user.probe.x", id: "probe", payload: [])
        probe.payload = Array(#"{"seq":1}"#.utf8)
        var probes = 0
        while case .stored(_, false) = await publisher.publish(probe), probes < 1 { probes += 1 }
        while case .stored(_, true) = await publisher.publish(probe) {}
        try await fixture.dispatching(publisher) { try await fixture.drained(user, $0) }
        let last = try #require(try await publisher.lastStored(of: user))
        #expect(last.seq == 30)
        let state = try await publisher.streamState()
        await publisher.close()
        let consumer = try await EventConsumer.open(
            server.configuration, stream: "TEST", subject: "user.u0.>", logger: quiet)
        var ids: [String] = []
        while let event = await consumer.next(timeout: .seconds(5)) {
            ids.append(event.messageID ?? "")
            if event.remaining == 0 { break }
        }
        await consumer.close()
        #expect(ids.count == 30)
        #expect(Set(ids).count == 30)
        #expect(state.lastSequence >= 32)
    }

    @Test(arguments: NatsServerKind.available)
    func aStreamRestoredFromABackupIsFilledAgain(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let fixture = try DispatchFixture()
        let users = users(3)
        let publisher = try await publisher(server, answerMilliseconds: 500)
        try await fixture.dispatching(publisher) { dispatcher in
            func publishAll() async throws {
                for user in users { dispatcher.wake(user) }
                for user in users { try await fixture.drained(user, dispatcher) }
            }
            for user in users { try await fixture.add(9, to: user) }
            try await publishAll()
            await server.stop()
            try server.saveData()
            try await server.start()
            for user in users { try await fixture.add(10, to: user, prefix: "lost") }
            try await publishAll()
            await server.stop()
            try server.restoreData()
            try await server.start()
            // The last user has news; the others are idle and have to be found.
            try await fixture.add(1, to: users[2], prefix: "news")
            dispatcher.wake(users[2])
            while await dispatcher.metrics().resent < 30 { await Task.yield() }
            for user in users.prefix(2) { try await fixture.add(1, to: user, prefix: "news") }
            try await publishAll()
        }
        await publisher.close()
        try await check(server, users, each: 21)
    }

    @Test(arguments: NatsServerKind.available)
    func aLostStreamIsFilledAgain(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let fixture = try DispatchFixture()
        let users = users(3)
        for user in users { try await fixture.add(19, to: user) }
        let publisher = try await publisher(server, answerMilliseconds: 500)
        try await fixture.dispatching(publisher) { dispatcher in
            for user in users { dispatcher.wake(user) }
            for user in users { try await fixture.drained(user, dispatcher) }
            await server.kill()
            try server.wipe()
            try await server.start()
            while await dispatcher.metrics().published < 120 { await Task.yield() }
        }
        await publisher.close()
        try await check(server, users, each: 20)
    }
}
