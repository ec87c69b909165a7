import JetStream
import Logging
import MailModel
import MailTestSupport
import Testing

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension StreamConfiguration {
    static let test = StreamConfiguration(name: "TEST", maxAgeSeconds: 3600, duplicateWindowMilliseconds: 60_000)
}

func message(_ user: String = "u1", _ seq: Int64, id: String? = nil, bytes: Int = 0) throws -> OutboundMessage {
    let user = try UserID(user)
    let payload = #"{"headers":{"seq":"0"},"pad":"\#(String(repeating: "x", count: bytes))","seq":\#(seq)}"#
    return OutboundMessage(
        user: user, seq: seq, subject: EventSubject.subject(user: user, type: "email.received"),
        id: id ?? "\(user)-\(seq)", payload: Array(payload.utf8))
}

func message(_ seq: Int64, bytes: Int = 0) throws -> OutboundMessage { try message("u1", seq, bytes: bytes) }

extension PublishOutcome {
    var isStored: Bool { if case .stored = self { true } else { false } }
    var isUnknown: Bool { if case .unknown = self { true } else { false } }
}

/// Waits for a connection after `epoch`.
func connection(after epoch: Int, of publisher: JetStreamPublisher) async -> Int {
    for await next in publisher.connections() where next > epoch { return next }
    return -1
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct JetStreamPublisherTests {
    @Test(arguments: NatsServerKind.available)
    func publishesAndFindsDuplicates(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        #expect(publisher.connectionEpoch == 1)
        #expect(publisher.server?.version == server.version)
        #expect(publisher.server?.acknowledgesBeforeWriting == (kind == .floor))
        #expect(try await publisher.publish(message(1)) == .stored(streamSequence: 1, duplicate: false))
        #expect(try await publisher.publish(message(1)) == .stored(streamSequence: 1, duplicate: true))
        #expect(try await publisher.publish(message(2)) == .stored(streamSequence: 2, duplicate: false))
        let state = try await publisher.streamState()
        #expect(state.lastSequence == 2)
        #expect(state.firstSequence == 1)
        #expect(state.duplicateWindowMilliseconds == 60_000)
        #expect(!state.created.isEmpty)
        await publisher.close()
        #expect(try await publisher.publish(message(3)).isUnknown)
    }

    @Test(arguments: NatsServerKind.available)
    func looksUpTheLastMessageOfAUserOverAllSubjects(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        let user = try UserID("u.1 *>")
        #expect(try await publisher.lastStored(of: user) == nil)
        _ = try await publisher.publish(message("u.1 *>", 1))
        var second = try message("u.1 *>", 2)
        second.subject = EventSubject.subject(user: user, type: "account.labels")
        _ = await publisher.publish(second)
        _ = try await publisher.publish(message("u", 9))
        let found = try #require(try await publisher.lastStored(of: user))
        #expect(found == StoredMessage(id: second.id, seq: 2, streamSequence: 2))
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func anIdIsForgottenAfterTheWindow(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        var stream = StreamConfiguration.test
        stream.duplicateWindowMilliseconds = 100
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: stream, logger: quiet)
        #expect(try await publisher.publish(message(1)).isStored)
        var outcome = try await publisher.publish(message(1))
        var tries = 0
        while case .stored(_, duplicate: true) = outcome, tries < 20_000 {
            outcome = try await publisher.publish(message(1))
            tries += 1
        }
        #expect(outcome == .stored(streamSequence: 2, duplicate: false))
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func tenThousandInAWindowArriveOnce(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        var configuration = server.configuration
        configuration.inFlightMax = 256
        let publisher = try await JetStreamPublisher.connect(configuration, stream: .test, logger: quiet)
        let stored = try await withThrowingTaskGroup(of: Int.self) { group in
            for lane in 0..<50 {
                group.addTask {
                    var stored = 0
                    for seq in 1...200 where try await publisher.publish(message("u\(lane)", Int64(seq))).isStored {
                        stored += 1
                    }
                    return stored
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(stored == 10_000)
        #expect(try await publisher.streamState().lastSequence == 10_000)
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func tooLargeIsRejectedAndTheConnectionLives(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        guard case .rejected = try await publisher.publish(message(1, bytes: 1_100_000)) else {
            Issue.record("not rejected")
            return
        }
        #expect(try await publisher.publish(message(1, bytes: 520_000)).isStored)
        #expect(try await publisher.lastStored(of: UserID("u1"))?.seq == 1)
        #expect(publisher.connectionEpoch == 1)
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func aKilledServerMeansUnknownThenANewConnection(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        #expect(try await publisher.publish(message(1)).isStored)
        server.freeze()
        async let lost = publisher.publish(message(2))
        async let alsoLost = publisher.publish(message("u2", 1))
        await server.kill()
        #expect(try await lost.isUnknown)
        #expect(try await alsoLost.isUnknown)
        try await server.start()
        #expect(await connection(after: 1, of: publisher) == 2)
        #expect(try await publisher.publish(message(1)) == .stored(streamSequence: 1, duplicate: true))
        #expect(try await publisher.publish(message(2)).isStored)
        #expect(try await publisher.lastStored(of: UserID("u1"))?.seq == 2)
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func aLostAckIsUnknownWithinTheTimeOut(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        var configuration = server.configuration
        configuration.answerTimeoutMilliseconds = 300
        let publisher = try await JetStreamPublisher.connect(configuration, stream: .test, logger: quiet)
        #expect(try await publisher.publish(message(1)).isStored)
        server.freeze()
        let began = ContinuousClock.now
        #expect(try await publisher.publish(message(2)).isUnknown)
        #expect(ContinuousClock.now - began < .seconds(2))
        server.thaw()
        // It reached the server after all: the answer was lost, not the message.
        #expect(try await publisher.publish(message(2)) == .stored(streamSequence: 2, duplicate: true))
        #expect(publisher.connectionEpoch == 1)
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func nothingIsSentLateAfterAStall(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        var configuration = server.configuration
        configuration.answerTimeoutMilliseconds = 300
        let publisher = try await JetStreamPublisher.connect(configuration, stream: .test, logger: quiet)
        server.freeze()
        // More than any socket holds, so that part of it waits in the connection when the server dies.
        await withTaskGroup(of: Bool.self) { group in
            for lane in 0..<64 {
                group.addTask {
                    (try? await publisher.publish(message("u\(lane)", 1, bytes: 500_000)).isUnknown) ?? false
                }
            }
            for await unknown in group { #expect(unknown) }
        }
        await server.kill()
        try await server.start()
        _ = await connection(after: 1, of: publisher)
        #expect(try await publisher.streamState().lastSequence == 0)
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func withoutAStreamNobodyAnswers(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        var stray = try message(1)
        stray.subject = "elsewhere.u1.email.received"
        let outcome = await publisher.publish(stray)
        #expect(outcome == .unknown(reason: "no stream answers (no leader, or it was removed)"))
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func startsBeforeTheServer(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind, started: false)
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        #expect(publisher.connectionEpoch == 0)
        #expect(try await publisher.publish(message(1)) == .unknown(reason: "not connected"))
        await #expect(throws: PublisherUnavailable.self) { try await publisher.streamState() }
        try await server.start()
        #expect(await connection(after: 0, of: publisher) == 1)
        #expect(try await publisher.publish(message(1)).isStored)
        await publisher.close()
    }

    @Test(arguments: NatsServerKind.available)
    func closingGivesEveryPublishItsOutcome(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(kind)
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        try await withThrowingTaskGroup(of: PublishOutcome.self) { group in
            for lane in 0..<500 { group.addTask { try await publisher.publish(message("u\(lane)", 1)) } }
            _ = try await group.next()
            await publisher.close()
            for try await outcome in group { #expect(outcome.isStored || outcome.isUnknown) }
        }
    }

    @Test(arguments: NatsServerKind.available)
    func deniedSubjectsAreForbidden(kind: NatsServerKind) async throws {
        let server = try await NatsServerFixture(
            kind,
            authorization: """
                authorization { users = [ { user: limited, password: pw, permissions: {
                  publish: ["$JS.API.>", "user.allowed.>"], subscribe: ["_INBOX.>"] } } ] }
                """)
        var configuration = server.configuration
        configuration.urls = ["nats://limited:pw@127.0.0.1:\(server.port)"]
        let publisher = try await JetStreamPublisher.connect(configuration, stream: .test, logger: quiet)
        #expect(try await publisher.publish(message("allowed", 1)).isStored)
        guard case .forbidden(let reason) = try await publisher.publish(message("denied", 1)) else {
            Issue.record("not forbidden")
            return
        }
        #expect(reason.contains("user.denied.email.received"))
        await publisher.close()
        configuration.urls = ["nats://limited:wrong@127.0.0.1:\(server.port)"]
        await #expect(throws: NatsFailure.self) {
            try await JetStreamPublisher.connect(configuration, stream: .test, logger: quiet)
        }
    }
}
