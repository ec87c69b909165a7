import JetStream
import MailModel
import MailTestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct StreamSetupTests {
    @Test(arguments: NatsServerKind.available)
    func updatesWhatIsOursAndKeepsTheMessages(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let first = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        #expect(try await first.publish(message(1)).isStored)
        let created = try await first.streamState().created
        await first.close()
        var changed = StreamConfiguration.test
        changed.duplicateWindowMilliseconds = 30_000
        let second = try await JetStreamPublisher.connect(server.configuration, stream: changed, logger: quiet)
        let state = try await second.streamState()
        #expect(state.duplicateWindowMilliseconds == 30_000)
        #expect(state.lastSequence == 1)
        #expect(state.created == created)
        await second.close()
    }

    @Test(arguments: NatsServerKind.available)
    func refusesAStreamWithOtherSubjects(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        var other = StreamConfiguration.test
        other.subjects = ["other.>"]
        let first = try await JetStreamPublisher.connect(server.configuration, stream: other, logger: quiet)
        await first.close()
        await #expect {
            _ = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        } throws: { error in
            "\(error)".contains("other.>") && "\(error)".contains("STREAM_NAME")
        }
    }

    @Test(arguments: NatsServerKind.available)
    func refusesSubjectsThatAnotherStreamHas(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let first = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        await first.close()
        var twin = StreamConfiguration.test
        twin.name = "TWIN"
        await #expect(throws: NatsFailure.self) {
            try await JetStreamPublisher.connect(server.configuration, stream: twin, logger: quiet)
        }
    }

    @Test(arguments: NatsServerKind.available)
    func refusesReplicasWithoutACluster(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        var stream = StreamConfiguration.test
        stream.replicas = 3
        await #expect {
            _ = try await JetStreamPublisher.connect(server.configuration, stream: stream, logger: quiet)
        } throws: {
            "\($0)".contains("STREAM_REPLICAS is 3")
        }
    }

    @Test(arguments: NatsServerKind.available)
    func makesTheStreamAgainAfterTheServerLostIt(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        #expect(try await publisher.publish(message(1)).isStored)
        let before = try await publisher.streamState()
        await server.kill()
        try server.wipe()
        try await server.start()
        _ = await connection(after: 1, of: publisher)
        let after = try await publisher.streamState()
        #expect(after.lastSequence == 0)
        #expect(after.created != before.created)
        await publisher.close()
    }
}
