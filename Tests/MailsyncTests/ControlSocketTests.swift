import Accounts
import Foundation
import HTTPTransport
import Logging
import MailModel
import MailTestSupport
import ServiceLifecycle
import Synchronization
import Testing

@testable import mailsync

/// Commands over a real socket, answered by the server that the service has.
@Suite struct ControlSocketTests {
    @Test(.timeLimit(.minutes(1))) func aServiceAnswersWithLinesAndAResult() async throws {
        let place = try ControlPlace()
        try await place.served { _ in
            let shown = Mutex<[String]>([])
            let result = try await place.run.result(of: CountCommand(to: 200)) { line in
                shown.withLock { $0.append(line.description) }
            }
            #expect(shown.withLock { $0 } == (1...200).map { "at \($0)" })
            #expect(result.description == "counted to 200")
        }
    }

    @Test(.timeLimit(.minutes(1))) func withoutAServiceTheSameWorkIsDoneHere() async throws {
        let place = try ControlPlace()
        let shown = Mutex(0)
        let result = try await place.run.result(of: CountCommand(to: 3)) { _ in shown.withLock { $0 += 1 } }
        #expect(result.total == 3)
        #expect(shown.withLock { $0 } == 3)
        // The lock was given back.
        _ = try await place.run.result(of: CountCommand(to: 1)) { _ in }
    }

    @Test(.timeLimit(.minutes(1))) func problemsArriveInTheSameWords() async throws {
        let place = try ControlPlace()
        let expected = ControlProblem(message: "cannot count to -1")
        await #expect(throws: expected) { try await place.run.result(of: CountCommand(to: -1)) { _ in } }
        try await place.served { _ in
            await #expect(throws: expected) { try await place.run.result(of: CountCommand(to: -1)) { _ in } }
        }
    }

    @Test(.timeLimit(.minutes(1))) func aClientThatGoesAwayCancelsTheWork() async throws {
        let place = try ControlPlace()
        try await place.served { _ in
            let probe = Probe.make()
            let client = Task { try await place.run.result(of: WaitCommand(probe: probe.id)) { _ in } }
            await probe.started.wait(atMost: .seconds(30), time: SystemTime())
            client.cancel()
            await #expect(throws: CancellationError.self) { try await client.value }
            await probe.cancelled.wait(atMost: .seconds(30), time: SystemTime())
            #expect(probe.wasCancelled)
        }
    }

    @Test(.timeLimit(.minutes(1))) func theEndOfTheServiceEndsTheWork() async throws {
        let place = try ControlPlace()
        try await place.served { group in
            let probe = Probe.make()
            let client = Task { try await place.run.result(of: WaitCommand(probe: probe.id)) { _ in } }
            await probe.started.wait(atMost: .seconds(30), time: SystemTime())
            await group.triggerGracefulShutdown()
            await #expect(throws: ControlProblem(CancellationError())) { try await client.value }
            #expect(probe.wasCancelled)
        }
    }

    /// The directory's path is longer than an address can hold, and an earlier process left a socket.
    @Test(.timeLimit(.minutes(1))) func theSocketIsPrivateReplacesAStaleOneAndIsRemoved() async throws {
        let place = try ControlPlace(nested: String(repeating: "d", count: 120))
        let path = place.socket.path
        #expect(FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o666]))
        #expect(!place.socket.isServed())
        try await place.served { _ in
            var status = stat()
            #expect(lstat(path, &status) == 0)
            #expect(status.st_mode == S_IFSOCK | 0o600)
            #expect(place.socket.isServed())
            let result = try await place.run.result(of: CountCommand(to: 2)) { _ in }
            #expect(result.total == 2)
        }
        #expect(access(path, F_OK) != 0)
        let left = try FileManager.default.contentsOfDirectory(atPath: place.directory)
        #expect(!left.contains(".control"))
    }

    @Test(.timeLimit(.minutes(1))) func aHeldDirectoryWithoutASocketIsSaid() async throws {
        let place = try ControlPlace()
        let lock = try DataDirectoryLock(directory: place.directory)
        let problem = await #expect(throws: ControlProblem.self) {
            try await place.run.result(of: CountCommand(to: 1)) { _ in }
        }
        #expect(problem?.message.contains("is held by process \(getpid()), which takes no commands now") == true)
        withExtendedLifetime(lock) {}
    }

    @Test func aMissingDirectoryIsNotMade() async throws {
        let place = try ControlPlace()
        var configuration = place.configuration
        configuration.dataDirectory += "/nowhere"
        let run = ControlRun(configuration: configuration, logger: place.logger)
        await #expect(throws: ControlProblem.self) { try await run.result(of: CountCommand(to: 1)) { _ in } }
        #expect(access(configuration.dataDirectory, F_OK) != 0)
    }

    @Test(
        .timeLimit(.minutes(1)), arguments: [("nothing", "{}", 404), ("count", "{}", 400), ("count", "no JSON", 400)])
    func whatIsNoCommandIsRefused(name: String, body: String, status: Int) async throws {
        let place = try ControlPlace()
        try await place.served { _ in
            let transport = HTTPTransport(logger: place.logger)
            var request = HTTPRequest(.post, "http://localhost/\(name)", body: Array(body.utf8))
            request.unixSocket = place.socket.path
            let answer = try await transport.send(request)
            await transport.shutdown()
            #expect(answer.status == status)
            #expect(String(decoding: answer.body, as: UTF8.self).hasPrefix(#"{"problem":{"message":""#))
        }
    }
}

/// What happens between a command and the reader of its lines.
@Suite struct LineChannelTests {
    @Test(.timeLimit(.minutes(1))) func aSlowReaderHoldsUpTheWriter() async throws {
        let channel = LineChannel()
        let sent = Mutex(0)
        let writer = Task {
            for number in 0..<200 {
                try await channel.send([UInt8(number)])
                sent.withLock { $0 += 1 }
            }
            channel.finish()
        }
        var read: [UInt8] = []
        while let line = await channel.next() {
            read += line
            #expect(sent.withLock { $0 } <= read.count + LineChannel.waitingMax)
        }
        try await writer.value
        #expect(read == (0..<200).map { UInt8($0) })
    }

    @Test(.timeLimit(.minutes(1))) func aClosedChannelEndsBothSides() async throws {
        let channel = LineChannel()
        let writer = Task { while true { try await channel.send([1]) } }
        _ = await channel.next()
        channel.close()
        await #expect(throws: CancellationError.self) { try await writer.value }
        #expect(await channel.next() == nil)
    }

    @Test(.timeLimit(.minutes(1))) func cancellingTheReaderEndsTheWriter() async throws {
        let channel = LineChannel()
        let reader = Task { while await channel.next() != nil {} }
        let writer = Task { while true { try await channel.send([1]) } }
        reader.cancel()
        await reader.value
        await #expect(throws: CancellationError.self) { try await writer.value }
    }
}

/// A data directory in which commands run, with or without a server on its socket.
struct ControlPlace: Sendable {
    let configuration: ServiceConfiguration
    let logger: Logger
    private let temporary: TemporaryDirectory

    var directory: String { configuration.dataDirectory }
    var socket: ControlSocket { ControlSocket(directory: directory) }
    var run: ControlRun { ControlRun(configuration: configuration, logger: logger) }

    init(nested: String? = nil, settings: [String: String] = [:]) throws {
        temporary = try TemporaryDirectory("control")
        let directory = temporary.path + (nested.map { "/\($0)" } ?? "")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var logger = Logger(label: "control-test")
        logger.logLevel = .error
        self.logger = logger
        let values = settings.merging(["DATA_DIR": directory]) { $1 }
        configuration = try ServiceConfiguration(SettingValues(values: values), serves: false)
    }

    /// Runs `body` while a server answers on the socket.
    func served(_ body: (ServiceGroup) async throws -> Void) async throws {
        let context = try ControlContext(standalone: configuration, time: SystemTime(), logger: logger)
        let server = ControlServer(socket: socket, commands: [CountCommand.self, WaitCommand.self], context: context)
        let group = ServiceGroup(configuration: .init(services: [server], logger: logger))
        let serving = Task { try await group.run() }
        try await eventually("the control socket is served") { socket.isServed() }
        do {
            try await body(group)
        } catch {
            Issue.record(error)
        }
        await group.triggerGracefulShutdown()
        try await serving.value
        await context.close()
    }
}

/// Counts, a line for each number.
struct CountCommand: ControlCommand {
    struct Line: Codable, Sendable, CustomStringConvertible {
        let number: Int
        var description: String { "at \(number)" }
    }
    struct Result: ControlResult {
        let total: Int
        var description: String { "counted to \(total)" }
    }
    static let name = "count"
    let to: Int

    func run(
        in context: ControlContext, report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        guard to >= 0 else { throw ControlProblem(message: "cannot count to \(to)") }
        for number in 0..<to { try await report(Line(number: number + 1)) }
        return Result(total: to)
    }
}

/// Waits until it is cancelled.
struct WaitCommand: ControlCommand {
    typealias Line = CountCommand.Line
    typealias Result = CountCommand.Result
    static let name = "wait"
    let probe: Int

    func run(
        in context: ControlContext, report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        let probe = Probe.find(probe)
        probe?.started.raise()
        do {
            try await SystemTime().sleep(for: .seconds(3600))
        } catch {
            probe?.note()
            throw error
        }
        return Result(total: 0)
    }
}

/// What a test knows of a command that runs behind a socket.
final class Probe: Sendable {
    private static let all = Mutex<[Int: Probe]>([:])

    let id: Int
    let started = WakeSignal()
    let cancelled = WakeSignal()
    private let noted = AtomicFlag()

    private init(id: Int) { self.id = id }

    static func make() -> Probe {
        all.withLock { all in
            let probe = Probe(id: all.count)
            all[probe.id] = probe
            return probe
        }
    }

    static func find(_ id: Int) -> Probe? { all.withLock { $0[id] } }

    var wasCancelled: Bool { noted.isRaised }

    func note() {
        noted.raise()
        cancelled.raise()
    }
}
