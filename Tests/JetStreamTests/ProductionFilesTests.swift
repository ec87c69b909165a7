import Foundation
import JetStream
import MailModel
import MailTestSupport
import Testing

/// The files in `nats/` are what they say.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ProductionFilesTests {
    private func file(_ name: String) throws -> String {
        try String(contentsOfFile: "\(SharedMaterial.packageRoot)/nats/\(name)", encoding: .utf8)
    }

    @Test func theStreamDefinitionIsTheOneInTheCode() throws {
        let written = try #require(JSONValue(json: Array(try file("stream.json").utf8)))
        #expect(written == StreamConfiguration().definition(apiLevel: 5))
    }

    @Test(.enabled(if: NatsServerKind.available.contains(.current)))
    func theServersPermissionsAreEnoughAndNotMore() async throws {
        let text = try file("server.conf")
        #expect(text.contains("\n  sync_interval: always\n"))
        let server = try await NatsServerFixture(.current) { port, directory in
            text.replacing("0.0.0.0:4222", with: "127.0.0.1:\(port)")
                .replacing("/var/lib/nats", with: "\(directory)/store").replacing("200GB", with: "1GB")
                .replacing("$MAILSYNC_PASSWORD", with: "m").replacing("$CONSUMER_PASSWORD", with: "c")
                .replacing("$ADMIN_PASSWORD", with: "a")
        }
        var service = server.configuration
        service.urls = ["nats://mailsync:m@127.0.0.1:\(server.port)"]
        let publisher = try await JetStreamPublisher.connect(service, stream: StreamConfiguration(), logger: quiet)
        #expect(try await publisher.publish(message(1)).isStored)
        #expect(try await publisher.lastStored(of: UserID("u1"))?.seq == 1)
        #expect(try await publisher.streamState().lastSequence == 1)
        var reader = service
        reader.urls = ["nats://consumer:c@127.0.0.1:\(server.port)"]
        let consumer = try await EventConsumer.open(reader, stream: "MAIL_EVENTS", logger: quiet)
        #expect(await consumer.next(timeout: .seconds(10))?.messageID == "u1-1")
        await consumer.close()
        await publisher.close()
        // A consumer may look at the stream, which is as it should be, but not publish.
        let intruder = try await JetStreamPublisher.connect(reader, stream: StreamConfiguration(), logger: quiet)
        guard case .forbidden = try await intruder.publish(message(2)) else {
            Issue.record("a consumer may publish")
            return
        }
        await intruder.close()
    }
}
