import ArgumentParser
import Foundation
import Logging

/// `Benchmarks`: measures, beside the limits of the machine, and compares with the committed baseline.
@main
struct Benchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks",
        abstract: "Measures messages per second and memory, as ratios to plain C programs on the same libraries.",
        subcommands: [Compare.self, Push.self, Measure.self, Emulate.self], defaultSubcommand: Compare.self)
}

/// The options that make a workload, on the command line and handed down to processes of our own.
struct WorkloadOptions: ParsableArguments {
    @Option(help: "Accounts measured at once.")
    var accounts = 1
    @Option(help: "Messages in each mailbox.")
    var messages = 10_000
    @Option(help: "Fill every mailbox from this mbox file instead (plain or gzip).")
    var mbox: String?
    @Option(help: "Seed of the generated mail.")
    var seed: UInt64 = 1

    var workload: Workload { Workload(accounts: accounts, messagesEach: messages, mbox: mbox, seed: seed) }
}

extension Workload {
    /// As ``WorkloadOptions`` reads it.
    var arguments: [String] {
        ["--accounts", "\(accounts)", "--messages", "\(messagesEach)", "--seed", "\(seed)"]
            + (mbox.map { ["--mbox", $0] } ?? [])
    }
}

extension Logger {
    /// Errors on the standard error; the standard output belongs to the answers.
    static var benchmarks: Logger {
        var logger = Logger(label: "benchmarks") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        return logger
    }
}

/// One figure, or the material for it, in a process of its own.
struct Measure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "measure", shouldDisplay: false)

    @OptionGroup var options: WorkloadOptions
    /// Nil: make the material.
    @Option var figure: Figure?
    @Option var material: String
    @Option var directory: String

    func run() async throws {
        let logger = Logger.benchmarks
        let material = Material(workload: options.workload, directory: material)
        guard let figure else {
            try await material.fill(logger: logger)
            return try ChildProcess.reply(["done"])
        }
        try ChildProcess.reply(try await measure(figure, material, logger))
    }

    private func measure(_ figure: Figure, _ material: Material, _ logger: Logger) async throws -> RunResult {
        switch figure {
        case .store: try await StoreMeasurement(material: material, directory: directory, logger: logger).run()
        case .publish: try await PublishMeasurement(material: material, directory: directory, logger: logger).run()
        case .outbox: try await OutboxMeasurement(material: material, directory: directory, logger: logger).run()
        case .whole: try await WholeMeasurement(material: material, directory: directory, logger: logger).run()
        case .storeLimit, .publishLimit, .combinedLimit, .fetchLimit:
            try await LimitMeasurement(figure: figure, material: material, directory: directory, logger: logger).run()
        }
    }
}

extension Figure: ExpressibleByArgument {}

/// The provider emulator, for as long as the standard input is open.
struct Emulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "emulator", shouldDisplay: false)

    @OptionGroup var options: WorkloadOptions

    func run() async throws { try await EmulatorProcess.serve(options.workload, logger: .benchmarks) }
}
