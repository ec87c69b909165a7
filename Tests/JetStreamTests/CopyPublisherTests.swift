import JetStream
import Logging
import MailModel
import MailTestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct CopyPublisherTests {
    @Test(arguments: NatsServerKind.available) func copiesAreStoredOnce(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let live = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        let copies = try await JetStreamPublisher.connect(
            server.configuration, stream: StreamConfiguration(name: "COPIES", subjects: ["copies.>"]), logger: quiet)
        let publisher = try await CopyPublisher.connect(server.configuration, logger: quiet)
        #expect(try await publisher.streams(capturing: "copies.ada.email.received") == ["COPIES"])
        #expect(try await publisher.streams(capturing: "user.ada.email.received") == ["TEST"])
        #expect(try await publisher.streams(capturing: "nobody.ada") == [])

        #expect(try await !publisher.store("copies.ada.email.received", id: "c:1", payload: [1]))
        #expect(try await !publisher.store("copies.ada.email.received", id: "c:2", payload: [2]))
        #expect(try await publisher.store("copies.ada.email.received", id: "c:1", payload: [1]))
        #expect(try await copies.streamState().lastSequence == 2)
        #expect(try await live.streamState().lastSequence == 0)
        for publisher in [live, copies] { await publisher.close() }
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available) func withoutAStreamNothingIsClaimed(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await CopyPublisher.connect(server.configuration, logger: quiet)
        await #expect(throws: PublisherUnavailable.self) {
            try await publisher.store("copies.ada.email.received", id: "c:1", payload: [1])
        }
        for number in 0..<1000 { try await publisher.send("copies.ada.x", id: "c:\(number)", payload: [1]) }
        try await publisher.flush()
        await server.kill()
        await #expect(throws: PublisherUnavailable.self) { try await publisher.flush() }
        await publisher.close()
        await #expect(throws: PublisherUnavailable.self) { try await publisher.send("copies.x", id: "c", payload: []) }
    }

    @Test func noServerIsAFailure() async throws {
        let server = try await NatsServerFixture(NatsServerKind.available.first ?? .current, started: false)
        await #expect(throws: NatsFailure.self) { try await CopyPublisher.connect(server.configuration, logger: quiet) }
    }
}
