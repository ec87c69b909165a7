import ArgumentParser
import Foundation
import JetStream

/// What a person runs: every figure several times, the table, and the baseline.
struct Compare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Measures everything and prints it beside the last baseline.")

    @Option(help: "Messages in the mailbox of the measurement with one account.")
    var messages = 10_000
    @Option(help: "Messages in each mailbox of the measurement with many accounts.")
    var messagesEach = 1_000
    @Option(help: "Accounts of the measurement with many accounts.")
    var accounts = 20
    @Option(help: "Runs of each figure; the median counts.")
    var runs = 3
    @Option(help: "Fill every mailbox from this mbox file instead (plain or gzip).")
    var mbox: String?
    @Option(help: "Seed of the generated mail.")
    var seed: UInt64 = 1
    @Option(help: "Measure only these figures: \(Figure.allCases.map(\.rawValue).joined(separator: ", ")).")
    var only: [Figure] = []
    @Option(help: "Where files are written while measuring; must be on a disk like the service's.")
    var directory = ".build/benchmarks"
    @Option(help: "The committed baseline.")
    var baseline = "Docs/benchmarks-baseline.json"
    @Flag(help: "Write the figures to the baseline file.")
    var record = false

    func run() async throws {
        let session = try Session(directory: directory)
        defer { session.removeFiles() }
        let machine = try Machine(directory: session.directory, server: try NatsServerBinary.newest())
        say("\(machine)\n\(try await OtherLoad.describe())\n")
        let summaries = try await measureAll(session)
        let before = try Baseline.load(baseline)
        say(Report(summaries: summaries, baseline: before).text)
        say(before.map { "\nbaseline of \($0.recorded): \($0.machine)" } ?? "\nno baseline at \(baseline)")
        if record {
            try Baseline(recorded: Self.today(), machine: machine, figures: summaries).save(baseline)
            say("recorded in \(baseline)")
        }
    }

    private func measureAll(_ session: Session) async throws -> [Summary] {
        let figures = only.isEmpty ? Figure.allCases : only
        let workloads = [
            Workload(accounts: 1, messagesEach: messages, mbox: mbox, seed: seed),
            Workload(accounts: accounts, messagesEach: messagesEach, mbox: mbox, seed: seed),
        ]
        var measured: [MeasuredFigures] = []
        for workload in workloads {
            progress("making the mail of \(workload.accounts) account(s)")
            measured.append(MeasuredFigures(material: try await session.makeMaterial(workload)))
        }
        // Round by round, so that what disturbs the machine for a while does not hit all runs of one figure.
        for round in 1...max(1, runs) {
            for index in measured.indices {
                for figure in figures {
                    let material = measured[index].material
                    progress("run \(round) of \(runs): \(figure.title), \(material.workload.accounts) account(s)")
                    let measurement = try await session.measure(figure, material)
                    measured[index].runs[figure, default: []].append(measurement)
                }
            }
        }
        progress("")
        return figures.flatMap { figure in measured.map { $0.summary(of: figure) } }
    }

    private static func today() -> String {
        Date.now.formatted(.iso8601.year().month().day())
    }
}

/// The runs of one workload.
private struct MeasuredFigures {
    let material: Material
    var runs: [Figure: [RunResult]] = [:]

    func summary(of figure: Figure) -> Summary {
        let limits = figure.limit.flatMap { runs[$0] }?.map(\.perSecond) ?? []
        return Summary(figure, accounts: material.workload.accounts, runs: runs[figure] ?? [], limits: limits)
    }
}

/// The directory of one program run, and the processes that measure in it.
struct Session: Sendable {
    let directory: String

    /// - Throws: what the file system says.
    init(directory: String) throws {
        let path = URL(filePath: directory).standardizedFileURL.path + "/\(getpid())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        self.directory = path
    }

    func makeMaterial(_ workload: Workload) async throws -> Material {
        let material = Material(workload: workload, directory: "\(directory)/material-\(workload.accounts)")
        _ = try await child(nil, material, [String].self)
        return material
    }

    /// One run, in a process and a directory of its own.
    func measure(_ figure: Figure, _ material: Material) async throws -> RunResult {
        try await child(figure, material, RunResult.self)
    }

    private func child<Answer: Decodable>(
        _ figure: Figure?, _ material: Material, _ type: Answer.Type
    ) async throws -> Answer {
        let scratch = "\(directory)/run"
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        let process = try ChildProcess(
            ["measure", "--material", material.directory, "--directory", scratch]
                + (figure.map { ["--figure", $0.rawValue] } ?? []) + material.workload.arguments)
        let answer = try await process.answer(type)
        await process.end()
        try FileManager.default.removeItem(atPath: scratch)
        return answer
    }

    func removeFiles() {
        // What cannot be removed stays under the build directory.
        try? FileManager.default.removeItem(atPath: directory)
    }
}

/// What else the machine is doing: asked before anything is measured.
enum OtherLoad {
    /// Above this share of the processors, figures say little.
    private static let shareMax = 0.1

    /// One line, with a warning when others use much.
    static func describe() async throws -> String {
        guard let before = ticks() else { return "what other programs use is not known" }
        try await Task.sleep(for: .seconds(2))
        guard let after = ticks(), after.all > before.all else { return "what other programs use is not known" }
        let share = 1 - Double(after.idle - before.idle) / Double(after.all - before.all)
        let text = "other programs use \((share * 100).formatted(decimals: 0)) % of the processors"
        return share > shareMax ? "\(text): FIGURES ARE TOO LOW AND RATIOS UNEVEN" : text
    }

    /// The processors' time so far, idle and in all, in ticks; nil when the system does not tell.
    private static func ticks() -> (idle: Int, all: Int)? {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
        let fields = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().compactMap { Int($0) }
        return fields.count > 4 ? (fields[3] + fields[4], fields.reduce(0, +)) : nil
    }
}

func say(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }

/// A line on a terminal that the next one replaces; nothing in a pipe.
func progress(_ text: String) {
    guard isatty(STDERR_FILENO) == 1 else { return }
    FileHandle.standardError.write(Data("\r\u{1b}[K\(text)".utf8))
}
