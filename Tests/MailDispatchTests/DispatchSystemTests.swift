import Foundation
import JetStream
import MailDispatch
import MailModel
import MailStore
import MailTestSupport
import Synchronization
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
                try await fixture.until(dispatcher) { await dispatcher.metrics().published >= round * 200 }
                try await server.restart()
            }
            for user in users { try await fixture.drained(user, dispatcher) }
        }
        await publisher.close()
        try await check(server, users, each: 200)
    }

    @Test(arguments: NatsServerKind.available)
    func aFrozenServerLosesAndDoublesNothing(kind: NatsServerKind) async throws {
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
            try await fixture.until(dispatcher) { await dispatcher.metrics().unknowns >= users.count }
            server.thaw()
            for user in users { try await fixture.drained(user, dispatcher) }
        }
        await publisher.close()
        try await check(server, users, each: 22)
    }

    /// Acknowledgements are lost and the server stays away for longer than it remembers ids (2 s): only looking helps.
    @Test(arguments: NatsServerKind.available)
    func anOutageLongerThanTheDuplicateWindowDoublesNothing(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let fixture = try DispatchFixture()
        let users = users(4)
        for user in users { try await fixture.add(21, to: user) }
        let publisher = LossyPublisher(try await publisher(server)) { message, attempt in
            message.seq == 7 && attempt == 0
        }
        try await fixture.dispatching(publisher) { dispatcher in
            for user in users { dispatcher.wake(user) }
            try await fixture.until(dispatcher) { await dispatcher.metrics().unknowns >= users.count }
            await server.kill()
            // Time has to pass for the server's clock; nothing announces it.
            try await SystemTime().sleep(for: .milliseconds(2_500))
            try await server.start()
            for user in users { try await fixture.drained(user, dispatcher) }
        }
        await publisher.stream.close()
        try await check(server, users, each: 22)
    }

    /// The connection lives, but no acknowledgement comes until the server has forgotten the id.
    @Test(arguments: NatsServerKind.available)
    func acknowledgementsLostForLongerThanTheDuplicateWindowDoubleNothing(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let fixture = try DispatchFixture()
        let users = users(4)
        for user in users { try await fixture.add(21, to: user) }
        var stream = Self.stream
        stream.duplicateWindowMilliseconds = 200
        let real = try await JetStreamPublisher.connect(server.configuration, stream: stream, logger: quiet)
        let publisher = LossyPublisher(real) { message, attempt in message.seq == 7 && attempt < 6 }
        try await fixture.dispatching(publisher) { dispatcher in
            for user in users { dispatcher.wake(user) }
            for user in users { try await fixture.drained(user, dispatcher) }
        }
        await real.close()
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
            try await fixture.until(dispatcher) { await dispatcher.metrics().resent >= 30 }
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
            try await fixture.until(dispatcher) { await dispatcher.metrics().published >= 120 }
        }
        await publisher.close()
        try await check(server, users, each: 20)
    }
}

/// A real stream some of whose acknowledgements get lost on the way.
final class LossyPublisher: EventPublisher {
    let stream: JetStreamPublisher
    private let loses: @Sendable (OutboundMessage, _ attempt: Int) -> Bool
    private let attempts = Mutex<[String: Int]>([:])

    init(_ stream: JetStreamPublisher, loses: @escaping @Sendable (OutboundMessage, _ attempt: Int) -> Bool) {
        self.stream = stream
        self.loses = loses
    }

    func publish(_ message: OutboundMessage) async -> PublishOutcome {
        let outcome = await stream.publish(message)
        let attempt = attempts.withLock { attempts in
            attempts[message.id, default: -1] += 1
            return attempts[message.id] ?? 0
        }
        if case .stored = outcome, loses(message, attempt) { return .unknown(reason: "lost by the test") }
        return outcome
    }

    func lastStored(of user: UserID) async throws -> StoredMessage? { try await stream.lastStored(of: user) }
    func firstStored(of user: UserID) async throws -> StoredMessage? { try await stream.firstStored(of: user) }
    func streamState() async throws -> StreamState { try await stream.streamState() }
    var connectionEpoch: Int { stream.connectionEpoch }
    func connections() -> AsyncStream<Int> { stream.connections() }
}
