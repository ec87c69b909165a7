import Foundation
import JetStream
import MailModel
import MailTestSupport
import Testing

extension SystemTests {
    /// What a running service publishes, as a consumer receives it, against the schemas that consumers are given.
    @Suite struct PublishedEventTests {
        @Test(.timeLimit(.minutes(3))) func everyPublishedEventFitsItsSchema() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 30)
                let service = try await stage.serve()
                let client = service.client(of: user)
                let watch = try await stage.watch(user)
                try await client.connect()
                try await client.settle()

                // Everything that can happen to a message and an account.
                let id = try user.receive(subject: "Ünïcödé 😀 \u{2028} \"quoted\" \\ and \t more")
                try await watch.read(until: [id])
                try user.google.modify(id, in: user.address, add: ["STARRED"])
                try await stage.live(user) { $0.contains(#""labels_added":["STARRED"]"#) }
                try user.google.delete(id, in: user.address)
                try await stage.live(user) { $0.contains("email.deleted") }
                stage.emulator.google.revokeGrant(of: user.address)
                stage.emulator.google.expireAccessTokens(of: user.address)
                try await eventually("the grant is gone") { try await client.account()?.status == "reauth_required" }
                try await client.connect()
                try await client.settle()
                let answer = try await client.post("/mail/disconnect", Data(#"{"provider":"google"}"#.utf8))
                #expect(answer.status == 200)
                try await stage.live(user) { $0.contains("account.disconnected") }
                await watch.close()

                var types = try await stage.checkPublished()
                #expect(types == Self.types.subtracting(["account.erased"]))
                // Takes the others away.
                try await client.connect()
                try await client.settle()
                let erased = try await client.post(
                    "/mail/disconnect", Data(#"{"provider":"google","erase":true}"#.utf8))
                #expect(erased.status == 200)
                try await stage.live(user) { $0.contains("account.erased") }
                types.formUnion(try await stage.checkPublished())
                #expect(types == Self.types)
                #expect(await service.terminate() == .code(0))
            }
        }

        private static let types: Set = [
            "email.received", "email.updated", "email.deleted", "account.connected", "account.disconnected",
            "account.reauth_required", "account.labels", "account.checkpoint", "account.erased",
        ]
    }
}

extension Stage {
    /// Holds every message of the stream against the schema of its type.
    ///
    /// - Returns: the types there are.
    fileprivate func checkPublished() async throws -> Set<String> {
        let publisher = try await stream("MAIL_EVENTS", ["user.>"])
        let messages = try await messages(of: "MAIL_EVENTS", through: publisher.streamState().lastSequence)
        await publisher.close()
        let schemas = try JSONSchema(directory: "\(SharedMaterial.packageRoot)/Docs/schemas", isStrict: true)
        var types: Set<String> = []
        for message in messages {
            let type = String(message.subject.dropFirst("user.ada.".count))
            let payload = try #require(JSONValue(json: message.payload))
            #expect(schemas.faults(of: payload, against: "\(type).json") == [], "\(type)")
            #expect(payload["event_id"]?.text == message.messageID)
            types.insert(type)
        }
        return types
    }

    /// Waits until a message of the user whose subject and payload hold this is in the stream.
    func live(_ user: MailUser, holds: @escaping (String) -> Bool) async throws {
        var configuration = NatsConfiguration(url: nats.url)
        configuration.name = "system-test"
        let consumer = try await EventConsumer.open(
            configuration, stream: "MAIL_EVENTS", subject: EventSubject.wildcard(user: user.id), logger: logger)
        let end = ContinuousClock.now + .seconds(60)
        var found = false
        while !found, let event = await consumer.next(timeout: end - .now) {
            found = holds(event.subject + String(decoding: event.payload, as: UTF8.self))
        }
        await consumer.close()
        if !found { throw NotInTime("the event of \(user.address) that the test waits for") }
    }
}
