import Foundation
import JetStream
import MailModel
import Synchronization

/// A program in a process of its own, started with an environment of the test's making. Killed when the value is
/// released.
public final class SpawnedProgram: Sendable {
    /// How it ended.
    public enum Exit: Sendable, Hashable, CustomStringConvertible {
        case code(Int32)
        case signal(Int32)

        init(waitStatus status: Int32) {
            self = status & 0x7f == 0 ? .code(status >> 8 & 0xff) : .signal(status & 0x7f)
        }

        public var description: String {
            switch self {
            case .code(let code): "exit code \(code)"
            case .signal(let signal): "signal \(signal)"
            }
        }
    }

    private struct State {
        var exit: Exit?
        var waiters: [Int: CheckedContinuation<Exit?, Never>] = [:]
        var cancelled: Set<Int> = []
        var nextWaiter = 0
    }

    public let processID: pid_t
    /// Standard output and standard error, appended to.
    public let outputPath: String
    private let state: Mutex<State>
    private let reaper: Reaper

    /// - Parameters:
    ///   - environment: all of it; nothing is inherited.
    ///   - output: the file that receives standard output and error.
    /// - Throws: ``NatsFailure/server(_:)`` when it cannot be started.
    public init(_ path: String, _ arguments: [String] = [], environment: [String: String], output: String) throws {
        processID = try ChildProcess.start(path, arguments, environment: environment, output: output)
        outputPath = output
        state = Mutex(State())
        reaper = Reaper(processID)
        reaper.start { [weak self] in self?.ended($0) }
    }

    deinit { reaper.kill(SIGKILL) }

    /// What it has written so far.
    public var output: String {
        // Nothing was written yet when the file cannot be read.
        FileManager.default.contents(atPath: outputPath).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// How it ended; nil while it runs.
    public var exit: Exit? { state.withLock { $0.exit } }

    /// Sends a signal, unless it has ended.
    public func send(_ signal: Int32) { reaper.kill(signal) }

    /// Its end; nil when it did not come in time.
    public func waitForExit(within limit: Duration) async -> Exit? {
        await withTaskGroup(of: Exit?.self) { group in
            group.addTask { await self.end() }
            group.addTask {
                // Cancelled when the end came first.
                try? await SystemTime().sleep(for: limit)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    private func end() async -> Exit? {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let answer: Exit?? = state.withLock { state in
                    if let exit = state.exit { return .some(exit) }
                    if state.cancelled.remove(id) != nil { return .some(nil) }
                    state.waiters[id] = waiter
                    return nil
                }
                if let answer { waiter.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                let waiter = state.waiters.removeValue(forKey: id)
                if waiter == nil { state.cancelled.insert(id) }
                return waiter
            }
            waiter?.resume(returning: nil)
        }
    }

    private func ended(_ exit: Exit) {
        let waiters = state.withLock { state in
            state.exit = exit
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume(returning: exit) }
    }
}

/// Waits for a child on a thread of its own, and never signals a process id that may have become somebody else's.
private final class Reaper: Sendable {
    private let pid: pid_t
    private let reaped = Mutex(false)

    init(_ pid: pid_t) { self.pid = pid }

    func start(_ ended: @escaping @Sendable (SpawnedProgram.Exit) -> Void) {
        Thread { [self] in
            var info = siginfo_t()
            // Leaves the dead child in place, so that its id stays taken until the lock is held.
            while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
            let status = reaped.withLock { reaped -> Int32 in
                reaped = true
                var status: Int32 = 0
                while waitpid(pid, &status, 0) < 0, errno == EINTR {}
                return status
            }
            ended(SpawnedProgram.Exit(waitStatus: status))
        }.start()
    }

    func kill(_ signal: Int32) {
        reaped.withLock { reaped in
            if !reaped { _ = Foundation.kill(pid, signal) }
        }
    }
}
