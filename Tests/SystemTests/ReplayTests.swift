import Foundation
import JetStream
import MailModel
import MailTestSupport
import Testing

extension SystemTests {
    /// `mailsync replay`, beside a service and without one.
    @Suite struct ReplayTests {
        @Test(.timeLimit(.minutes(3))) func copiesAreTheOriginalsInOrderAndTheLiveStreamStays() async throws {
            try await withStage { stage in
                let user = try stage.makeUser("c.d/e*>", messages: 60)
                let service = try await stage.serve()
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                let live = try await stage.stream("MAIL_EVENTS", ["user.>"])
                let copies = try await stage.stream("COPIES", ["copies.>"])
                let before = try await live.streamState()
                let originals = try await stage.messages(of: "MAIL_EVENTS", through: before.lastSequence)

                let first = try await stage.operate("replay", "--user", "c.d/e*>", "--subject", "copies.a")
                #expect(first.exit == .code(0), "\(first.output)")
                #expect(first.output.contains("replayed \(originals.count) events, seq 1 to \(originals.count)"))
                #expect(first.output.contains("stored in COPIES"))
                let stored = try await stage.messages(of: "COPIES", through: copies.streamState().lastSequence)
                #expect(stored.map(\.payload) == originals.map(\.payload))
                #expect(stored.map(\.subject) == originals.map { "copies.a" + $0.subject.dropFirst("user".count) })
                #expect(stored.map(\.messageID) == originals.map { $0.messageID.map { "copies.a:\($0)" } })

                // Again: the stream knows them all.
                let again = try await stage.operate("replay", "--user", "c.d/e*>", "--subject", "copies.a")
                #expect(again.output.contains("\(originals.count) were there already"))
                #expect(try await copies.streamState().lastSequence == UInt64(originals.count))
                #expect(try await live.streamState() == before)
                #expect(await service.terminate() == .code(0))
                await live.close()
                await copies.close()
            }
        }

        /// Parts of the log; and what is done when no service runs and no stream captures the prefix.
        @Test(.timeLimit(.minutes(3))) func aPartIsReplayedWithoutAServiceToWhoListens() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 30)
                let service = try await stage.serve()
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                #expect(await service.terminate() == .code(0))
                let originals = try await stage.snapshot(of: user).events
                let listener = try await CoreSubscriber(port: stage.nats.port, subject: "heard.>")

                let part = try await stage.operate(
                    "replay", "--user", "ada", "--from", "5", "--to", "14", "--subject", "heard", "--rate", "200/s")
                #expect(part.exit == .code(0), "\(part.output)")
                #expect(part.output.contains("replayed 10 events, seq 5 to 14"))
                #expect(part.output.contains("no stream captures them"))
                try await eventually("the last one is heard") { listener.holds(originals[13].payload()) }
                for event in originals {
                    #expect(listener.holds(event.payload()) == (5...14).contains(event.seq), "seq \(event.seq)")
                }
                listener.close()

                let copies = try await stage.stream("COPIES", ["copies.>"])
                let json = try await stage.operate(
                    "replay", "--user", "ada", "--inbox", "primary", "--provider", "google", "--from", "2020-01-01",
                    "--subject", "copies", "--json")
                #expect(json.output.contains(#"{"result":{"duplicates":0,"firstSeq":1,"#), "\(json.output)")
                let stored = try await stage.messages(of: "COPIES", through: copies.streamState().lastSequence)
                #expect(stored.map(\.payload) == originals.map { $0.payload() })
                await copies.close()
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: ["user", "user.ada", "$JS", "_INBOX", "a.>", "a b", "a..b"])
        func prefixesOfOthersAreRefused(prefix: String) async throws {
            try await withStage { stage in
                let answer = try await stage.operate("replay", "--user", "ada", "--subject", prefix)
                #expect(answer.exit == .code(64))
                #expect(answer.output.contains("the prefix"))
            }
        }

        /// A prefix that only the live stream's own configuration can tell.
        @Test(.timeLimit(.minutes(2))) func unknownUsersAreSaid() async throws {
            try await withStage { stage in
                let service = try await stage.serve()
                for _ in 0..<2 {
                    let answer = try await stage.operate("replay", "--user", "nobody", "--subject", "copies")
                    #expect(answer.exit == .code(2))
                    #expect(answer.output.contains("no store of user nobody"))
                    _ = await service.terminate()
                }
            }
        }
    }
}

extension Stage {
    /// Runs `mailsync` as its operator does, to its end.
    func operate(_ arguments: String...) async throws -> (exit: SpawnedProgram.Exit?, output: String) {
        let program = try SpawnedProgram(
            BuiltProgram.mailsync, arguments, environment: environment.merging(["LOG_LEVEL": "warning"]) { $1 },
            output: "\(logPath).\(UUID().uuidString)")
        let exit = await program.waitForExit(within: MailsyncProcess.patience)
        return (exit, program.output)
    }

    /// A stream, made when there is none.
    func stream(_ name: String, _ subjects: [String]) async throws -> JetStreamPublisher {
        // The live stream as the stage configures it: it must not be changed by looking.
        let configuration = StreamConfiguration(name: name, subjects: subjects, duplicateWindowMilliseconds: 2_000)
        return try await JetStreamPublisher.connect(
            NatsConfiguration(url: nats.url), stream: configuration, logger: logger)
    }

    /// The messages of a stream from its beginning.
    func messages(of stream: String, through last: UInt64) async throws -> [ReceivedEvent] {
        guard last > 0 else { return [] }
        let consumer = try await EventConsumer.open(
            NatsConfiguration(url: nats.url), stream: stream, subject: ">", logger: logger)
        var messages: [ReceivedEvent] = []
        while (messages.last?.streamSequence ?? 0) < last, let next = await consumer.next(timeout: .seconds(20)) {
            messages.append(next)
        }
        await consumer.close()
        return messages
    }
}
