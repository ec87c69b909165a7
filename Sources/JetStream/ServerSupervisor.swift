import Foundation
import Logging
import MailModel
import Synchronization

/// Starts the private server, starts it again when it dies, ends it. Works on a thread of its own.
final class ServerSupervisor: Sendable {
    struct Started: Sendable {
        var port: Int
        var password: String
        var adopted: Bool
    }

    private struct State {
        var process: pid_t?
        var stopping = false
    }

    let started = Promise<Result<Started, NatsFailure>>()
    let end = Promise<Void>()
    private let settings: PrivateNatsServer.Settings
    private let files: PrivateServerFiles
    private let waker: Waker
    private let logger: Logger
    private let state = Mutex(State())

    /// How long a server may take until it answers: a large store is read first.
    private static let startMillisecondsMax = 60_000
    private static let stopMillisecondsMax = 10_000
    private static let lookMilliseconds = 200

    init(_ settings: PrivateNatsServer.Settings, waker: Waker, logger: Logger) {
        self.settings = settings
        self.waker = waker
        self.logger = logger
        files = PrivateServerFiles(directory: settings.directory)
    }

    var process: pid_t? { state.withLock { $0.process } }
    private var isStopping: Bool { state.withLock { $0.stopping } }

    func stop() {
        state.withLock { $0.stopping = true }
        waker.wake()
    }

    /// The supervising thread's work, from start to end.
    func run() {
        do throws(NatsFailure) {
            try files.prepare()
            let adopted = try adopt()
            let server = if let adopted { adopted } else { try startAnew() }
            started.keep(.success(server))
            supervise(server)
        } catch {
            terminate()
            started.keep(.failure(error))
        }
        end.keep(())
    }

    // MARK: Starting

    /// Takes over a server that a killed process left, if it answers and lets us in.
    private func adopt() throws(NatsFailure) -> Started? {
        guard let pid = files.runningProcess else { return nil }
        state.withLock { $0.process = pid }
        if let url = files.knownURL, let port = url.port, let password = url.password,
            settings.port.map({ $0 == port }) ?? true, greeting(port) != nil, letsIn(port: port, password: password)
        {
            logger.notice("adopted the private nats-server of an earlier run", metadata: ["pid": "\(pid)"])
            return Started(port: port, password: password, adopted: true)
        }
        logger.warning(
            "a private nats-server of an earlier run does not answer: ending it", metadata: ["pid": "\(pid)"])
        terminate()
        return nil
    }

    private func startAnew() throws(NatsFailure) -> Started {
        let known = files.knownURL
        let password = known?.password ?? Self.newPassword()
        for attempt in 1... {
            let preferred = settings.port ?? (attempt == 1 ? known?.port : nil)
            guard let port = preferred ?? LoopbackPort.free() else {
                throw .server("no free port on 127.0.0.1 for the private nats-server")
            }
            do {
                try launch(port: port, password: password)
                return Started(port: port, password: password, adopted: false)
            } catch {
                // Somebody may have taken the port since it was seen free.
                if settings.port != nil || attempt == 4 { throw error }
            }
        }
        throw .server("the private nats-server does not start")
    }

    /// Starts the process and waits until it answers.
    private func launch(port: Int, password: String) throws(NatsFailure) {
        let name = "mailsync-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        let text = files.configText(
            name: name, port: port, password: password, version: settings.binary.version,
            syncAlways: settings.syncAlways)
        try files.write(text, to: files.config)
        try files.write(
            "nats://\(PrivateServerFiles.user):\(password)@127.0.0.1:\(port)\n", to: files.url)
        let pid = try ChildProcess.start(settings.binary.path, ["-c", files.config], output: files.log)
        state.withLock { $0.process = pid }
        let deadline = MonotonicTime.now(plusMilliseconds: Self.startMillisecondsMax)
        while greeting(port)?.name != name || !letsIn(port: port, password: password) {
            if ChildProcess.hasEnded(pid) {
                state.withLock { $0.process = nil }
                throw .server("the private nats-server ended at once. \(logTail())")
            }
            if isStopping || MonotonicTime.now() > deadline {
                terminate()
                throw .server("the private nats-server does not answer on port \(port). \(logTail())")
            }
            waker.wait(until: MonotonicTime.now(plusMilliseconds: 20))
        }
        logger.info(
            "started a private nats-server",
            metadata: ["version": "\(settings.binary.version)", "port": "\(port)", "pid": "\(pid)"])
    }

    private func greeting(_ port: Int) -> ServerGreeting? {
        ServerGreeting.read(host: "127.0.0.1", port: port, timeoutMilliseconds: 500)
    }

    private func letsIn(port: Int, password: String) -> Bool {
        let configuration = NatsConfiguration(
            url: "nats://\(PrivateServerFiles.user):\(password)@127.0.0.1:\(port)")
        // Not being let in is the answer.
        return (try? NatsLink(configuration, waker: waker) { _ in }) != nil
    }

    private func logTail() -> String {
        let lines = (files.read(files.log) ?? "").split(separator: "\n").suffix(5)
        return "The end of \(files.log): \(lines.joined(separator: " | "))"
    }

    // MARK: Watching

    private func supervise(_ server: Started) {
        var failures = 0
        while !isStopping {
            waker.wait(until: MonotonicTime.now(plusMilliseconds: Self.lookMilliseconds))
            guard !isStopping else { break }
            if isAlive() {
                failures = 0
                continue
            }
            logger.error("the private nats-server died: starting it again")
            do { try launch(port: server.port, password: server.password) } catch {
                failures += 1
                logger.error("the private nats-server cannot be started: \(error)")
                let pause = min(5_000, 100 << min(failures, 6))
                waker.wait(until: MonotonicTime.now(plusMilliseconds: pause))
            }
        }
        terminate()
    }

    private func isAlive() -> Bool {
        guard let pid = process else { return false }
        // An adopted process is not our child: waiting for it fails, then only asking remains.
        var status: Int32 = 0
        let waited = waitpid(pid, &status, WNOHANG)
        let alive = waited == 0 || (waited < 0 && kill(pid, 0) == 0)
        if !alive { state.withLock { $0.process = nil } }
        return alive
    }

    /// SIGTERM, and SIGKILL when that is not enough.
    private func terminate() {
        guard let pid = process else { return }
        kill(pid, SIGTERM)
        kill(pid, SIGCONT)
        let deadline = MonotonicTime.now(plusMilliseconds: Self.stopMillisecondsMax)
        while isAlive() {
            if MonotonicTime.now() > deadline { kill(pid, SIGKILL) }
            waker.wait(until: MonotonicTime.now(plusMilliseconds: 10))
        }
        unlink(files.pid)
    }

    // MARK: What is generated

    private static func newPassword() -> String {
        var random = SystemRandomNumberGenerator()
        return (0..<4).map { _ in String(format: "%016llx", random.next() as UInt64) }.joined()
    }
}
