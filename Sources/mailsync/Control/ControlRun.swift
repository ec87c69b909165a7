import Accounts
import Foundation
import Logging
import MailModel
import ServiceLifecycle
import Synchronization

/// Where a command runs.
struct ControlRun: Sendable {
    let configuration: ServiceConfiguration
    let logger: Logger

    /// Asks the service when one runs; else takes the lock on the data directory and does the work here, until its end
    /// or SIGINT or SIGTERM.
    ///
    /// - Parameter show: gets every line, in order.
    /// - Throws: ``ControlProblem``, `DataDirectoryLockFailure` and other lines for the operator.
    func result<Command: ControlCommand>(
        of command: Command, show: @escaping @Sendable (Command.Line) -> Void
    ) async throws -> Command.Result {
        let directory = configuration.dataDirectory
        guard FileManager.default.fileExists(atPath: directory) else {
            throw ControlProblem(message: "there is no \(directory): set DATA_DIR to the service's data directory")
        }
        let socket = ControlSocket(directory: directory)
        if socket.isServed() { return try await ControlClient(socket: socket, logger: logger).run(command, show: show) }
        return try await standalone(command, show)
    }

    private func openContext() throws -> ControlContext {
        do {
            return try ControlContext(standalone: configuration, time: SystemTime(), logger: logger)
        } catch DataDirectoryLockFailure.held(let directory, let pid) {
            let holder = pid.map { "process \($0)" } ?? "another process"
            throw ControlProblem(
                message: "\(directory) is held by \(holder), which takes no commands now: a service that starts or "
                    + "ends, or another command; try again when it is done")
        }
    }

    private func standalone<Command: ControlCommand>(
        _ command: Command, _ show: @escaping @Sendable (Command.Line) -> Void
    ) async throws -> Command.Result {
        let context = try openContext()
        let work = CommandWork { try await command.run(in: context) { show($0) } }
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: work, successTerminationBehavior: .gracefullyShutdownGroup)],
                cancellationSignals: [.sigterm, .sigint],
                logger: Logger(label: "signals") { _ in SwiftLogNoOpLogHandler() }
            ))
        let outcome: Result<Void, any Error>
        do {
            try await group.run()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await context.close()
        try outcome.get()
        return try work.result()
    }
}

/// A command as a service, so that signals end it.
private final class CommandWork<Value: Sendable>: ServiceLifecycle.Service {
    private let body: @Sendable () async throws -> Value
    private let value = Mutex<Value?>(nil)

    init(_ body: @escaping @Sendable () async throws -> Value) { self.body = body }

    func run() async throws {
        let result = try await body()
        value.withLock { $0 = result }
    }

    /// - Throws: `CancellationError` when there is none.
    func result() throws -> Value {
        guard let value = value.withLock({ $0 }) else { throw CancellationError() }
        return value
    }
}
