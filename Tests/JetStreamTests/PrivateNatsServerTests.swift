import Foundation
import JetStream
import MailModel
import MailTestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct PrivateNatsServerTests {
    private func settings(_ kind: NatsServerKind, _ directory: TemporaryDirectory) throws -> PrivateNatsServer.Settings
    {
        PrivateNatsServer.Settings(directory: "\(directory.path)/nats", binary: try #require(kind.binary))
    }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test(arguments: NatsServerKind.available)
    func keepsItsDataAndItsSecrets(kind: NatsServerKind) async throws {
        let directory = try TemporaryDirectory()
        var settings = try settings(kind, directory)
        settings.syncAlways = true
        let first = try await PrivateNatsServer.start(settings, logger: quiet)
        #expect(!first.adopted)
        let publisher = try await JetStreamPublisher.connect(first.configuration, stream: .test, logger: quiet)
        #expect(try await publisher.publish(message(1, bytes: 700_000)).isStored)
        await publisher.close()
        let files = "\(directory.path)/nats"
        #expect(try mode(files) == 0o700)
        #expect(try mode("\(files)/url") == 0o600)
        #expect(try mode("\(files)/server.conf") == 0o600)
        let written = try String(contentsOfFile: "\(files)/url", encoding: .utf8)
        #expect(written.trimmingCharacters(in: .newlines) == first.url.revealed)
        let process = try #require(first.processID)
        let arguments = try String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)
        let password = try #require(URLComponents(string: first.url.revealed)?.password)
        #expect(!arguments.contains(password))
        await first.stop()
        #expect(kill(process, 0) != 0)

        let second = try await PrivateNatsServer.start(settings, logger: quiet)
        #expect(second.port == first.port)
        let again = try await JetStreamPublisher.connect(second.configuration, stream: .test, logger: quiet)
        #expect(try await again.lastStored(of: UserID("u1"))?.seq == 1)
        await again.close()
        await second.stop()
    }

    @Test(arguments: NatsServerKind.available)
    func startsItAgainOnTheSamePortWhenItDies(kind: NatsServerKind) async throws {
        let directory = try TemporaryDirectory()
        let server = try await PrivateNatsServer.start(settings(kind, directory), logger: quiet)
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        #expect(try await publisher.publish(message(1)).isStored)
        let process = try #require(server.processID)
        kill(process, SIGKILL)
        #expect(await connection(after: 1, of: publisher) == 2)
        #expect(try await publisher.lastStored(of: UserID("u1"))?.seq == 1)
        #expect(server.processID != process)
        await publisher.close()
        await server.stop()
    }

    /// A server as a killed process leaves it: it runs, and nobody supervises it.
    private func leftBehind(_ settings: PrivateNatsServer.Settings) async throws -> (process: pid_t, url: Secret) {
        let server = try await PrivateNatsServer.start(settings, logger: quiet)
        await server.stop()
        let files = settings.directory
        let process = try ChildProcess.start(
            settings.binary.path, ["-c", "\(files)/server.conf"], output: "\(files)/server.log")
        // Connecting in the background until it answers.
        let publisher = try await JetStreamPublisher.connect(server.configuration, stream: .test, logger: quiet)
        _ = await connection(after: 0, of: publisher)
        await publisher.close()
        return (process, server.url)
    }

    @Test(arguments: NatsServerKind.available)
    func adoptsAServerThatWasLeftBehind(kind: NatsServerKind) async throws {
        let directory = try TemporaryDirectory()
        let settings = try settings(kind, directory)
        let left = try await leftBehind(settings)
        let server = try await PrivateNatsServer.start(settings, logger: quiet)
        #expect(server.adopted)
        #expect(server.processID == left.process)
        #expect(server.url == left.url)
        await server.stop()
        #expect(kill(left.process, 0) != 0)
    }

    @Test(arguments: NatsServerKind.available)
    func replacesOneThatDoesNotAnswer(kind: NatsServerKind) async throws {
        let directory = try TemporaryDirectory()
        let settings = try settings(kind, directory)
        let left = try await leftBehind(settings)
        ChildProcess.freeze(left.process)
        let server = try await PrivateNatsServer.start(settings, logger: quiet)
        #expect(!server.adopted)
        #expect(server.processID != left.process)
        #expect(kill(left.process, 0) != 0)
        await server.stop()
    }

    @Test func saysWhyItDoesNotStart() async throws {
        let kind = try #require(NatsServerKind.available.first)
        let directory = try TemporaryDirectory()
        let taken = try await NatsServerFixture(kind)
        var settings = try settings(kind, directory)
        settings.port = taken.port
        await #expect {
            _ = try await PrivateNatsServer.start(settings, logger: quiet)
        } throws: {
            "\($0)".contains("nats-server ended at once")
        }
    }

    @Test func aNamedProgramMustBeUsable() {
        #expect(throws: NatsFailure.self) { try NatsServerBinary.newest(environment: ["NATS_SERVER": "/bin/true"]) }
        #expect(throws: NatsFailure.self) { try NatsServerBinary.newest(environment: ["NATS_SERVER": "/nowhere"]) }
    }
}
