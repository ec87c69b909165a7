import Foundation
import HTTPServing
import Hummingbird
import Logging
import MailModel
import ServiceLifecycle

/// Answers the operator's commands over the control socket: `POST /{command}` with a JSON body; the answer is JSON
/// lines, the last of them a result or a problem. It is HTTP so that `curl --unix-socket` can ask as well.
final class ControlServer: ServiceLifecycle.Service {
    private let socket: ControlSocket
    private let commands: [any ControlCommand.Type]
    private let context: ControlContext

    init(socket: ControlSocket, commands: [any ControlCommand.Type], context: ControlContext) {
        self.socket = socket
        self.commands = commands
        self.context = context
    }

    /// Serves until the service group shuts down, which cancels the commands under way.
    func run() async throws {
        let draft = try socket.makeDraft()
        let logger = context.logger
        let application = Application(
            responder: ControlResponder(commands: commands, context: context),
            server: .heldHTTP1(),
            configuration: .init(address: .unixDomainSocket(path: draft.path)),
            onServerRunning: { [socket] _ in
                do {
                    try socket.publish()
                } catch {
                    logger.error("operators cannot reach the service: \(error)")
                }
                withExtendedLifetime(draft.handle) {}
            }, logger: logger)
        defer { socket.remove() }
        try await application.run()
    }
}

/// Finds the command and runs it.
struct ControlResponder: HTTPResponder {
    /// A command is a handful of options.
    static let bodyBytesMax = 64 * 1024
    private static let beatPause = Duration.seconds(1)

    let commands: [any ControlCommand.Type]
    let context: ControlContext

    func respond(to request: Request, context requestContext: BasicRequestContext) async throws -> Response {
        let path = request.uri.path
        guard request.method == .post, let type = commands.first(where: { path == "/\($0.name)" }) else {
            let names = commands.map { "POST /\($0.name)" }.sorted().joined(separator: ", ")
            return refusal(.notFound, "there is no such command: \(names) are accepted")
        }
        let body = try await request.body.collect(upTo: Self.bodyBytesMax)
        return response(to: type, Array(buffer: body), request)
    }

    private func response<Command: ControlCommand>(
        to type: Command.Type, _ body: [UInt8], _ request: Request
    ) -> Response {
        let command: Command
        do {
            command = try JSONDecoder().decode(type, from: Data(body))
        } catch {
            return refusal(.badRequest, "the body is not a \(type.name) command: is the service of the same version?")
        }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: .init { writer in
                try await stream(command, to: &writer)
                try await writer.finish(nil)
            })
    }

    /// Runs the command beside the writing of its lines, and cancels it when they cannot be written: the client is gone.
    private func stream<Command: ControlCommand>(
        _ command: Command, to writer: inout any ResponseBodyWriter
    ) async throws {
        let lines = LineChannel()
        let context = context
        context.logger.notice("operator's command", metadata: ["command": "\(Command.name)"])
        try await withThrowingTaskGroup(of: ControlMessage<Command>?.self) { group in
            group.addTask {
                defer { lines.finish() }
                return await cancelWhenGracefulShutdown { await Self.outcome(of: command, in: context, lines) }
            }
            group.addTask {
                await Self.beat(lines, context.time)
                return nil
            }
            while let line = await lines.next() { try await writer.write(ByteBuffer(bytes: line)) }
            for try await case .some(let last) in group {
                try await writer.write(ByteBuffer(bytes: last.bytes()))
                group.cancelAll()
            }
        }
    }

    /// An empty line now and then shows whether somebody still reads: a silent command has nothing else to notice by.
    private static func beat(_ lines: LineChannel, _ time: any TimeSource) async {
        do {
            while true {
                try await time.sleep(for: beatPause)
                try await lines.send([UInt8(ascii: "\n")])
            }
        } catch {
            // The answer is over.
        }
    }

    private static func outcome<Command: ControlCommand>(
        of command: Command, in context: ControlContext, _ lines: LineChannel
    ) async -> ControlMessage<Command> {
        do {
            return .result(
                try await command.run(in: context) { try await lines.send(ControlMessage<Command>.line($0).bytes()) })
        } catch {
            context.logger.notice(
                "operator's command failed",
                metadata: ["command": "\(Command.name)", "reason": "\(ControlProblem(error))"])
            return .problem(ControlProblem(error))
        }
    }

    private func refusal(_ status: HTTPResponse.Status, _ message: String) -> Response {
        var json = JSONText()
        json.object { json in
            json.key("problem")
            json.object { $0.field("message", message) }
        }
        return Response(
            status: status, headers: [.contentType: "application/x-ndjson"],
            body: .init(byteBuffer: ByteBuffer(bytes: json.bytes + [UInt8(ascii: "\n")])))
    }
}
