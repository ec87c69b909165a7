import Foundation
import MailModel

/// What an operator asks for at the command line: the request, and the work that answers it. The same value runs in a
/// service, over its control socket (`POST /{name}` with the value as JSON), and in the operator's own process when no
/// service runs.
protocol ControlCommand: Codable, Sendable {
    /// What it tells while it runs, in order; its description is what a terminal shows.
    associatedtype Line: Codable, Sendable, CustomStringConvertible
    associatedtype Result: ControlResult

    /// The name of its operation: `replay` for `POST /replay`.
    static var name: String { get }

    /// Does the work. It is cancelled when nobody wants its result any more, and when the service ends.
    ///
    /// - Parameter report: hands a line over, and waits while the reader is slow. Throws `CancellationError` when there
    ///   is no reader any more.
    /// - Throws: ``ControlProblem``, or what ``ControlProblem/init(_:)`` knows to be safe to show.
    func run(
        in context: ControlContext, report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result
}

/// How a command ended; its description is what a terminal shows.
protocol ControlResult: Codable, Sendable, CustomStringConvertible {
    /// False makes the program exit with 1: the work was done, and found what should not be.
    var succeeded: Bool { get }
}

extension ControlResult {
    var succeeded: Bool { true }
}

/// Every command that a service answers over its control socket.
enum ControlCommands {
    static let all: [any ControlCommand.Type] = [
        ReplayRequest.self, VerifyCommand.self, GapsCommand.self, RebuildRequest.self, JobsCommand.self,
    ]
}

/// One line of an answer: a JSON object with one member. The last one is a result or a problem, any other is a line.
enum ControlMessage<Command: ControlCommand>: Codable, Sendable {
    case line(Command.Line)
    case result(Command.Result)
    case problem(ControlProblem)

    private enum Key: CodingKey { case line, result, problem }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Key.self)
        if let line = try members.decodeIfPresent(Command.Line.self, forKey: .line) {
            self = .line(line)
        } else if let result = try members.decodeIfPresent(Command.Result.self, forKey: .result) {
            self = .result(result)
        } else {
            self = .problem(try members.decode(ControlProblem.self, forKey: .problem))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: Key.self)
        switch self {
        case .line(let line): try members.encode(line, forKey: .line)
        case .result(let result): try members.encode(result, forKey: .result)
        case .problem(let problem): try members.encode(problem, forKey: .problem)
        }
    }

    /// With the line break that ends it.
    func bytes() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    }
}
