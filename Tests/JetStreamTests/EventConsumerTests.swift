import JetStream
import Logging
import MailModel
import MailTestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct EventConsumerTests {
    private func filled(_ server: NatsServerFixture, users: Int, each: Int) async throws -> JetStreamPublisher {
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for user in 0..<users {
                group.addTask {
                    for seq in 1...each { _ = try await publisher.publish(message("u\(user)", Int64(seq))) }
                }
            }
            try await group.waitForAll()
        }
        return publisher
    }

    @Test(arguments: NatsServerKind.available)
    func readsEverythingInOrderAndThenWhatComes(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await filled(server, users: 40, each: 100)
        let consumer = try await EventConsumer.open(server.configuration, stream: "TEST", logger: quiet)
        var last: UInt64 = 0
        var remaining: UInt64 = .max
        while remaining > 0 {
            let event = try #require(await consumer.next(timeout: .seconds(10)))
            #expect(event.streamSequence == last + 1)
            #expect(event.messageID != nil)
            last = event.streamSequence
            remaining = event.remaining
        }
        #expect(last == 4_000)
        #expect(await consumer.next(timeout: .milliseconds(50)) == nil)
        async let next = consumer.next(timeout: .seconds(10))
        #expect(try await publisher.publish(message("late", 1)).isStored)
        let event = try #require(await next)
        #expect(event.subject == "user.late.email.received")
        #expect(event.messageID == "late-1")
        #expect(event.payload == (try message("late", 1)).payload)
        await consumer.close()
        #expect(await consumer.next(timeout: .seconds(10)) == nil)
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func startsWhereItIsToldAndFilters(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await filled(server, users: 3, each: 10)
        let consumer = try await EventConsumer.open(
            server.configuration, stream: "TEST", from: 11, subject: "user.u1.>", logger: quiet)
        while let event = await consumer.next(timeout: .seconds(5)) {
            #expect(event.streamSequence >= 11)
            #expect(event.subject == "user.u1.email.received")
            if event.remaining == 0 { break }
        }
        await consumer.close()
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func goesOnAfterTheServerWasKilled(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await filled(server, users: 1, each: 5)
        let consumer = try await EventConsumer.open(server.configuration, stream: "TEST", logger: quiet)
        for expected in 1...5 {
            #expect(await consumer.next(timeout: .seconds(10))?.streamSequence == UInt64(expected))
        }
        async let next = consumer.next(timeout: .seconds(30))
        try await server.restart()
        _ = await connection(after: 1, of: publisher)
        #expect(try await publisher.publish(message("u0", 6)).isStored)
        #expect(await next?.streamSequence == 6)
        await consumer.close()
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func aMissingStreamIsAnError(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        await #expect(throws: NatsFailure.self) {
            try await EventConsumer.open(server.configuration, stream: "NONE", logger: quiet)
        }
    }

    @Test(arguments: NatsServerKind.available)
    func aCancelledReaderEnds(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await filled(server, users: 1, each: 1)
        let consumer = try await EventConsumer.open(server.configuration, stream: "TEST", logger: quiet)
        let reader = Task {
            var count = 0
            for await _ in consumer.events { count += 1 }
            return count
        }
        reader.cancel()
        #expect(await reader.value <= 1)
        await consumer.close()
        await publisher.close()
    }
}
