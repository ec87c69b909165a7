/// Why NATS cannot be used. The description is safe to print: it never contains a credential.
public enum NatsFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The configuration cannot work; says what to change.
    case configuration(String)
    /// No server answers at the configured addresses; worth trying again.
    case unreachable(String)
    /// The server refuses the credentials, or denies a subject.
    case refused(String)
    /// The stream exists in a form that is not ours, or the server cannot hold it; says what to do.
    case stream(String)
    /// No usable nats-server program, or it does not start.
    case server(String)

    public var description: String {
        switch self {
        case .configuration(let text), .unreachable(let text), .refused(let text), .stream(let text),
            .server(let text):
            text
        }
    }

    /// True when only an operator can change the result of another attempt.
    public var needsOperator: Bool {
        switch self {
        case .configuration, .refused, .stream: true
        case .unreachable, .server: false
        }
    }
}
