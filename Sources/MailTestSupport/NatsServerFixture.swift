import Foundation
import JetStream
import Synchronization

/// Which nats-server a test runs against.
public enum NatsServerKind: String, Sendable, CaseIterable {
    /// The newest found; 2.10 or later.
    case current
    /// The oldest we support: Debian's 2.9.
    case floor

    /// Those of the two that are installed; says on standard error which is missing.
    public static let available: [NatsServerKind] = allCases.filter { kind in
        if kind.binary != nil { return true }
        FileHandle.standardError.write(
            Data("skipping tests on the \(kind.rawValue) nats-server: none found (PATH, .tools, NATS_SERVER)\n".utf8))
        return false
    }

    /// The program; nil where it is not installed.
    public var binary: NatsServerBinary? {
        switch self {
        case .current: Self.installed.filter { $0.version >= .durableAcknowledgements }.max { $0.version < $1.version }
        case .floor: Self.installed.filter { $0.version < .durableAcknowledgements }.min { $0.version < $1.version }
        }
    }

    private static let installed: [NatsServerBinary] = {
        let environment = ProcessInfo.processInfo.environment
        let named = environment["NATS_SERVER"].flatMap { NatsServerBinary(path: $0) }
        return NatsServerBinary.installed(environment: environment) + (named.map { [$0] } ?? [])
    }()
}

/// A real nats-server for one test, with its data in a directory that goes away with it. It can be killed, frozen,
/// started again on the same port, and robbed of its data.
public final class NatsServerFixture: Sendable {
    /// The program ended, or did not answer in time.
    public struct NotStarted: Error, CustomStringConvertible {
        public var description: String
    }

    public let port: Int
    private let binary: NatsServerBinary
    private let directory: TemporaryDirectory
    private let config: String
    private let process = Mutex<pid_t?>(nil)

    /// Starts a server, unless `started` is false.
    ///
    /// - Parameter authorization: lines for the configuration (users, permissions); none lets everybody in.
    public convenience init(_ kind: NatsServerKind, authorization: String = "", started: Bool = true) async throws {
        try await self.init(kind, started: started) { port, directory in
            """
            listen: "127.0.0.1:\(port)"
            max_payload: 1048576
            jetstream { store_dir: "\(directory)/store" }
            \(authorization)
            """
        }
    }

    /// The same with a configuration of the test's own, made from the port and the directory to use.
    public init(
        _ kind: NatsServerKind, started: Bool = true, config: (_ port: Int, _ directory: String) -> String
    ) async throws {
        guard let binary = kind.binary, let port = LoopbackPort.free() else {
            throw NotStarted(description: "no \(kind.rawValue) nats-server, or no free port")
        }
        self.binary = binary
        self.port = port
        directory = try TemporaryDirectory("nats")
        self.config = config(port, directory.path)
        if started { try await start() }
    }

    deinit { end(SIGKILL) }

    /// The program's version, and where clients reach it.
    public var version: ServerVersion { binary.version }
    public var url: String { "nats://127.0.0.1:\(port)" }
    /// Quick time-outs, for tests.
    public var configuration: NatsConfiguration {
        var configuration = NatsConfiguration(url: url)
        configuration.answerTimeoutMilliseconds = 2_000
        return configuration
    }

    /// Starts it on the port it always had; returns when it answers.
    public func start() async throws {
        try Data(config.utf8).write(to: URL(filePath: "\(directory.path)/server.conf"))
        try await onThread { [self] in
            let pid = try ChildProcess.start(
                binary.path, ["-c", "\(directory.path)/server.conf"], output: "\(directory.path)/log")
            process.withLock { $0 = pid }
            for _ in 0..<1_000 {
                if ServerGreeting.read(host: "127.0.0.1", port: port) != nil { return }
                if ChildProcess.hasEnded(pid) { break }
                usleep(10_000)
            }
            throw NotStarted(description: "nats-server did not start: \(log)")
        }
    }

    /// kill -9.
    public func kill() async { await end(SIGKILL) }
    /// SIGTERM.
    public func stop() async { await end(SIGTERM) }
    /// Kills it and starts it again.
    public func restart() async throws {
        await kill()
        try await start()
    }
    /// Freezes it: connections stay open, nothing is answered.
    public func freeze() { process.withLock { $0.map(ChildProcess.freeze) } }
    public func thaw() { process.withLock { _ = $0.map { Foundation.kill($0, SIGCONT) } } }

    /// Where it keeps its streams.
    public var storeDirectory: String { "\(directory.path)/store" }

    /// Deletes all its data. Only while it is stopped.
    public func wipe() throws { try FileManager.default.removeItem(atPath: "\(directory.path)/store") }

    /// Saves a copy of its data, or puts the copy back: how a stream goes back in time. Only while it is stopped.
    public func saveData() throws { try copy("store", to: "saved") }
    public func restoreData() throws { try copy("saved", to: "store") }

    private func copy(_ from: String, to: String) throws {
        let manager = FileManager.default
        if manager.fileExists(atPath: "\(directory.path)/\(to)") {
            try manager.removeItem(atPath: "\(directory.path)/\(to)")
        }
        try manager.copyItem(atPath: "\(directory.path)/\(from)", toPath: "\(directory.path)/\(to)")
    }

    private var log: String {
        FileManager.default.contents(atPath: "\(directory.path)/log").map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private func end(_ signal: Int32) async {
        // Ending cannot fail.
        try? await onThread { [self] in end(signal) }
    }

    private func end(_ signal: Int32) {
        guard
            let pid = process.withLock({ process in
                defer { process = nil }
                return process
            })
        else { return }
        Foundation.kill(pid, signal)
        Foundation.kill(pid, SIGCONT)
        ChildProcess.wait(pid)
    }

    private func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            Thread { done.resume(with: Result(catching: body)) }.start()
        }
    }
}
