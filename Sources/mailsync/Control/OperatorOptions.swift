import ArgumentParser
import Foundation
import Logging

/// What the commands of an operator have in common: they talk to the service that runs on the data directory, and do
/// the work themselves when none does.
struct OperatorOptions: ParsableArguments {
    /// The work could not be done; 1 says that it was, and found what should not be.
    static let notDone = ExitCode(2)

    @Option(help: "A JSON configuration file, as for mailsync serve.")
    var config: String?

    @ArgumentParser.Flag(help: "Print JSON lines, as they come from the service.")
    var json = false

    @Argument(parsing: .allUnrecognized, help: .hidden)
    var settings: [String] = []

    /// Runs the command and prints its lines and its result.
    ///
    /// - Throws: `ExitCode`, after telling why on standard error.
    @discardableResult
    func run<Command: ControlCommand>(_ command: Command) async throws -> Command.Result {
        let (configuration, logger) = try await configure()
        let result: Command.Result
        do {
            result = try await ControlRun(configuration: configuration, logger: logger).result(of: command) {
                show(Command.self, .line($0), text: $0.description)
            }
        } catch {
            FileHandle.standardError.write(Data("mailsync \(Command.name): \(ControlProblem(error))\n".utf8))
            throw Self.notDone
        }
        show(Command.self, .result(result), text: result.description)
        if !result.succeeded { throw ExitCode.failure }
        return result
    }

    /// Written at once, also into a pipe.
    private func show<Command: ControlCommand>(
        _: Command.Type, _ message: ControlMessage<Command>, text: @autoclosure () -> String
    ) {
        // What was read from JSON can be written as JSON.
        let bytes = json ? (try? message.bytes()) ?? [] : Array((text() + "\n").utf8)
        // Who reads no more has seen enough.
        try? FileHandle.standardOutput.write(contentsOf: Data(bytes))
    }

    private func configure() async throws -> (ServiceConfiguration, Logger) {
        do {
            let values = try await SettingValues.load(
                arguments: settings, environment: ProcessInfo.processInfo.environment, file: config)
            var reader = SettingReader(values)
            var log = LogSettings.read(&reader)
            // On a terminal only what is wrong, unless asked.
            if values["LOG_LEVEL"] == nil { log.level = .warning }
            return (try ServiceConfiguration(values, serves: false), log.logger())
        } catch let problems as ConfigurationProblems {
            throw ValidationError(problems.forTerminal)
        }
    }
}
