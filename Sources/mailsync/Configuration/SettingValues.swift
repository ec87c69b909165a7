import Configuration
import Foundation
import SystemPackage

/// The raw values of all settings: flags before environment before file.
struct SettingValues: Sendable {
    private let values: [String: String]

    /// - Parameters:
    ///   - arguments: flags as given after the command's name.
    ///   - file: path of a JSON configuration file.
    /// - Throws: ``ConfigurationProblems`` on unknown flags or an unreadable file.
    static func load(arguments: [String], environment: [String: String], file: String?) async throws -> SettingValues {
        let unknown = unknownFlags(arguments)
        guard unknown.isEmpty else { throw ConfigurationProblems(unknown) }
        var providers: [any ConfigProvider] = [
            CommandLineArgumentsProvider(arguments: ["mailsync"] + arguments),
            EnvironmentVariablesProvider(environmentVariables: environment),
        ]
        if let file { providers.append(try await read(file)) }
        let reader = ConfigReader(providers: providers)
        var values: [String: String] = [:]
        for setting in Setting.all {
            let key = ConfigKey(setting.key)
            let value =
                reader.string(forKey: key, isSecret: setting.isSecret) ?? reader.int(forKey: key).map(String.init)
            if let value, !value.isEmpty { values[setting.variable] = value }
        }
        return SettingValues(values: values)
    }

    /// For tests and the demo: values by variable.
    init(values: [String: String]) { self.values = values }

    subscript(variable: String) -> String? { values[variable] }

    private static func read(_ file: String) async throws -> any ConfigProvider {
        do {
            return try await FileProvider<JSONSnapshot>(filePath: FilePath(file))
        } catch {
            throw ConfigurationProblems(["the configuration file \(file) cannot be read: it must be a JSON object"])
        }
    }

    private static func unknownFlags(_ arguments: [String]) -> [String] {
        let known = Dictionary(Setting.all.map { ($0.flag, $0) }) { first, _ in first }
        return arguments.compactMap { argument in
            guard argument.hasPrefix("--") else { return nil }
            let flag = String(argument.prefix { $0 != "=" })
            guard let setting = known[flag] else { return "unknown flag \(flag)" }
            guard setting.isSecret else { return nil }
            return "\(flag): everybody on this machine can read a program's arguments; set \(setting.variable) in the "
                + "environment or in the configuration file"
        }
    }
}

/// Everything that is wrong with the configuration, at once.
struct ConfigurationProblems: Error, CustomStringConvertible, Equatable {
    let problems: [String]

    init(_ problems: [String]) { self.problems = problems }

    var description: String { problems.joined(separator: "\n") }

    /// One problem a line, below what they are about.
    var forTerminal: String {
        "the configuration is not usable:\n" + problems.map { "  \($0)" }.joined(separator: "\n")
    }
}
