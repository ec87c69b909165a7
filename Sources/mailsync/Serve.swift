import ArgumentParser
import Foundation

/// `mailsync serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the service: HTTP API, sync manager and dispatcher.",
        discussion: "Every setting is an environment variable, a flag (but for secrets) and a key of the configuration "
            + "file:\n\n"
            + Setting.all.map { "  \($0.variable), \($0.flag)\n      \($0.meaning) (default: \($0.standard))" }
            .joined(separator: "\n"))

    @Option(help: "A JSON configuration file: HTTP_PORT is {\"http\": {\"port\": 8080}}.")
    var config: String?

    @Argument(parsing: .allUnrecognized, help: .hidden)
    var settings: [String] = []

    func run() async throws {
        let (configuration, log) = try await configure()
        let logger = log.logger()
        do {
            let service = try await Service.make(configuration, logger: logger)
            logger.info(
                "starting",
                metadata: ["version": "\(MailsyncVersion.current)", "nats": "\(service.natsDescription)"])
            try await ShutdownDeadline.enforce(configuration.shutdownTimeout, logger: logger) {
                try await service.run()
            }
        } catch {
            logger.critical("mailsync cannot go on: \(error)")
            throw ExitCode.failure
        }
    }

    private func configure() async throws -> (ServiceConfiguration, LogSettings) {
        do {
            let values = try await SettingValues.load(
                arguments: settings, environment: ProcessInfo.processInfo.environment, file: config)
            var reader = SettingReader(values)
            return (try ServiceConfiguration(values), LogSettings.read(&reader))
        } catch let problems as ConfigurationProblems {
            throw ValidationError(problems.forTerminal)
        }
    }
}
