import ArgumentParser
import Foundation
import Logging
import MailModel
import Synchronization

/// `Benchmarks push`: how long mail takes from the provider to a consumer of the stream, when the provider pushes.
struct Push: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Measures the time from a provider's event to its arrival at a consumer of the stream.",
        discussion: "A mailsync serve of its own, connected to an emulated Gmail that pushes with signed tokens over "
            + "HTTP. Fails when the 99th percentile is a second or more, or mail is missing.")

    @Option(help: "Accounts that are connected.")
    var accounts = 1000
    @Option(help: "Messages in each mailbox before.")
    var messages = 5
    @Option(help: "Messages that arrive per second, at random moments in random mailboxes.")
    var rate = 50.0
    @Option(help: "Seconds for which they arrive.")
    var seconds = 25.0
    @Option(help: "Seed of mail, moments and mailboxes.")
    var seed: UInt64 = 1
    @Option(help: "Where files are written while measuring; must be on a disk like the service's.")
    var directory = ".build/benchmarks"
    @Option(help: "The mailsync to measure (default: the one beside this program).")
    var mailsync: String?

    func run() async throws {
        let session = try Session(directory: directory)
        defer { session.removeFiles() }
        let measurement = PushMeasurement(
            accounts: accounts, messages: messages, rate: rate, seconds: seconds, seed: seed,
            directory: session.directory, program: mailsync ?? PushedService.besideThisProgram, logger: .benchmarks)
        progress("connecting \(accounts) accounts")
        let result = try await measurement.run()
        progress("")
        say("\(accounts) accounts, \(rate) messages a second for \(seconds) s\n\(result)")
        if !result.isInTime { throw ExitCode.failure }
    }
}

/// Times from the provider to a consumer.
struct PushLatency: Sendable, Hashable, CustomStringConvertible {
    /// In seconds, ascending.
    let latencies: [Double]
    /// Messages that did not arrive at all.
    let missing: Int

    init(latencies: [Double], missing: Int) {
        self.latencies = latencies.sorted()
        self.missing = missing
    }

    /// What so many of a hundred do not exceed; 0 of nothing.
    func percentile(_ share: Double) -> Double {
        guard let last = latencies.indices.last else { return 0 }
        return latencies[min(last, max(0, Int((Double(latencies.count) * share / 100).rounded(.up)) - 1))]
    }

    /// What is promised: everything arrives, and 99 of 100 within a second.
    var isInTime: Bool { missing == 0 && !latencies.isEmpty && percentile(99) < 1 }

    var description: String {
        let figures = [("p50", 50.0), ("p90", 90), ("p99", 99), ("max", 100)].map { name, share in
            "\(name) \(Int((percentile(share) * 1000).rounded())) ms"
        }
        return "from provider to consumer: \(figures.joined(separator: ", ")); \(latencies.count) messages, "
            + "\(missing) missing"
    }
}

/// When messages came to be, and when they were seen.
final class PushClock: Sendable {
    private struct State {
        var sent: [String: ContinuousClock.Instant] = [:]
        var arrived: [String: ContinuousClock.Instant] = [:]
    }
    private let state = Mutex(State())

    func sent(_ id: String, at instant: ContinuousClock.Instant) { state.withLock { $0.sent[id] = instant } }

    /// A consumer has it; its first arrival counts.
    func arrived(_ id: String) {
        let now = ContinuousClock.now
        state.withLock { state in if state.arrived[id] == nil { state.arrived[id] = now } }
    }

    var isComplete: Bool { state.withLock { state in state.sent.keys.allSatisfy { state.arrived[$0] != nil } } }

    var result: PushLatency {
        state.withLock { state in
            let latencies = state.sent.compactMap { id, sent in
                state.arrived[id].map { (sent.duration(to: $0)).inSeconds }
            }
            return PushLatency(latencies: latencies, missing: state.sent.count - latencies.count)
        }
    }
}
