import Foundation
import Logging
import MailModel
import Synchronization

/// A nats-server of our own, on loopback, with a generated password and its data in our directory.
///
/// It runs in a session of its own: when this process is killed it goes on, and the next start adopts it. When it
/// dies it is started again on the same port with the same data.
public final class PrivateNatsServer: Sendable {
    /// Where it runs and what it may use.
    public struct Settings: Sendable {
        /// Where everything is kept (`DATA_DIR/nats`).
        public var directory: String
        public var binary: NatsServerBinary
        /// Nil: the port of the last run if it is free, else any.
        public var port: Int?
        /// Write to disk before each acknowledgement (nats-server 2.10 or newer).
        public var syncAlways = false

        public init(directory: String, binary: NatsServerBinary, port: Int? = nil, syncAlways: Bool = false) {
            self.directory = URL(filePath: directory).standardizedFileURL.path
            self.binary = binary
            self.port = port
            self.syncAlways = syncAlways
        }
    }

    private let supervisor: ServerSupervisor
    public let port: Int
    /// True when a server left by a killed process was taken over.
    public let adopted: Bool
    private let password: String

    private init(_ supervisor: ServerSupervisor, _ started: ServerSupervisor.Started) {
        self.supervisor = supervisor
        port = started.port
        adopted = started.adopted
        password = started.password
    }

    /// Adopts or starts the server and returns when it answers.
    ///
    /// - Throws: ``NatsFailure/server(_:)`` with the end of the server's log when it does not start.
    public static func start(_ settings: Settings, logger: Logger) async throws(NatsFailure) -> PrivateNatsServer {
        let supervisor = ServerSupervisor(settings, waker: try Waker(), logger: logger)
        let thread = Thread { supervisor.run() }
        thread.name = "nats-supervisor"
        thread.start()
        switch await supervisor.started.value() {
        case .success(let started): return PrivateNatsServer(supervisor, started)
        case .failure(let failure): throw failure
        }
    }

    /// The address with user and password, as written to `DATA_DIR/nats/url`.
    public var url: Secret { Secret("nats://\(PrivateServerFiles.user):\(password)@127.0.0.1:\(port)") }

    /// How to connect to it.
    public var configuration: NatsConfiguration { NatsConfiguration(url: url.revealed) }

    /// The server's process now; it changes when the server had to be started again. Nil while there is none.
    public var processID: Int32? { supervisor.process }

    /// Lets the server end in order and waits for it.
    public func stop() async {
        supervisor.stop()
        await supervisor.end.value()
    }
}
