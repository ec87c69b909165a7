import Foundation
import HTTPTransport
import Logging
import Synchronization

/// Asks a running service over its control socket.
struct ControlClient: Sendable {
    /// Longer than any command takes; the operator ends it before.
    private static let timeout = Duration.seconds(20 * 86_400)

    let socket: ControlSocket
    let logger: Logger

    /// - Parameter show: gets every line, in order. While it blocks the service waits.
    /// - Throws: ``ControlProblem``.
    func run<Command: ControlCommand>(
        _ command: Command, show: @escaping @Sendable (Command.Line) -> Void
    ) async throws -> Command.Result {
        guard let handle = DirectoryHandle(socket.directory) else { throw ControlProblem.noAnswer }
        let answer = ControlAnswer<Command>(show: show)
        var request = HTTPRequest(
            .post, "http://localhost/\(Command.name)", headers: [("Content-Type", "application/json")],
            body: Array(try JSONEncoder().encode(command)), timeout: Self.timeout)
        request.unixSocket = handle.shortPath(of: ControlSocket.name)
        // A transport for this request alone: its thread may wait for a slow terminal.
        request.onBody = { answer.take($0) }
        let transport = HTTPTransport(logger: logger)
        let outcome: Result<Void, any Error>
        do {
            _ = try await transport.send(request)
            outcome = .success(())
        } catch {
            outcome = .failure(error is CancellationError ? error : ControlProblem.noAnswer)
        }
        await transport.shutdown()
        withExtendedLifetime(handle) {}
        try outcome.get()
        return try answer.result()
    }
}

/// The lines of an answer, as they arrive.
private final class ControlAnswer<Command: ControlCommand>: Sendable {
    private struct State {
        /// What came after the last line break.
        var rest: [UInt8] = []
        var end: Result<Command.Result, ControlProblem>?
    }
    private let state = Mutex(State())
    private let show: @Sendable (Command.Line) -> Void

    init(show: @escaping @Sendable (Command.Line) -> Void) { self.show = show }

    func take(_ bytes: [UInt8]) {
        let lines = state.withLock { state in
            state.rest += bytes
            var lines = state.rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            state.rest = lines.popLast().map(Array.init) ?? []
            return lines.map(Array.init)
        }
        // An empty line only shows that the service is there.
        for line in lines where !line.isEmpty { take(line: line) }
    }

    private func take(line: [UInt8]) {
        do {
            switch try JSONDecoder().decode(ControlMessage<Command>.self, from: Data(line)) {
            case .line(let line): show(line)
            case .result(let result): state.withLock { $0.end = .success(result) }
            case .problem(let problem): state.withLock { $0.end = .failure(problem) }
            }
        } catch {
            let problem = ControlProblem(message: "the service answers in another version's words: restart it")
            state.withLock { $0.end = .failure(problem) }
        }
    }

    /// - Throws: ``ControlProblem``; also when the last line is missing.
    func result() throws -> Command.Result {
        guard let end = state.withLock({ $0.end }) else { throw ControlProblem.noAnswer }
        return try end.get()
    }
}

extension ControlProblem {
    fileprivate static let noAnswer = ControlProblem(
        message: "the service ended before the command did: see its log, and try again")
}
