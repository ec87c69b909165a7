import ArgumentParser
import Foundation

/// `mailsync serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the service: HTTP API, sync manager and dispatcher.",
        discussion: "Every setting is an environment variable, a flag and a key of the configuration file:\n\n"
            + Setting.all.map { "  \($0.variable), \($0.flag)\n      \($0.meaning) (default: \($0.standard))" }
            .joined(separator: "\n"))

    @Option(help: "A JSON configuration file: HTTP_PORT is {\"http\": {\"port\": 8080}}.")
    var config: String?

    @Argument(parsing: .allUnrecognized, help: .hidden)
    var settings: [String] = []

    func run() async throws {
        let values: SettingValues
        let configuration: ServiceConfiguration
        do {
            values = try await SettingValues.load(
                arguments: settings, environment: ProcessInfo.processInfo.environment, file: config)
            configuration = try ServiceConfiguration(values)
        } catch let problems as ConfigurationProblems {
            throw ValidationError("the configuration is not usable:\n" + problems.problems.map { "  \($0)" }.joined(separator: "\n"))
        }
        _ = configuration
    }
}
