import Testing

import struct Foundation.Data
import class Foundation.FileManager
import struct Foundation.URL
import struct Foundation.UUID

@testable import Benchmarks

@Suite struct StatisticsTests {
    @Test func medianOfAnOddAndAnEvenNumberOfValues() {
        #expect(median([3, 1, 2]) == 2)
        #expect(median([4, 1, 2, 3]) == 2.5)
        #expect(median([7]) == 7)
        #expect(median([]) == 0)
    }

    @Test func aSummaryTakesTheMedianRateAndTheHighestPeak() {
        let summary = Summary(.outbox, accounts: 1, runs: [run(100, peak: 5), run(400, peak: 9), run(200, peak: 7)])
        #expect(summary.perSecond == 200)
        #expect(summary.spread == 1.5)
        #expect(summary.peakBytes == 9)
        #expect(summary.messages == 1000)
        #expect(summary.processorMicroseconds == 50)
        #expect(summary.ratio == nil)
    }

    @Test func theRatioIsTakenRoundByRound() {
        // The machine was twice as slow in the second round: the ratio does not move.
        let summary = Summary(
            .outbox, accounts: 1, runs: [run(80), run(40), run(80)], limits: [100, 50, 100])
        #expect(summary.ratio == 0.8)
    }

    @Test func noTimeIsNoRate() {
        #expect(RunResult(messages: 5, seconds: 0, processorSeconds: 0, peakBytes: 0, groundBytes: 0).perSecond == 0)
    }

    private func run(_ perSecond: Double, peak: Int = 0) -> RunResult {
        RunResult(
            messages: 1000, seconds: 1000 / perSecond, processorSeconds: 0.05, peakBytes: peak, groundBytes: peak / 2)
    }
}

@Suite struct BaselineTests {
    @Test func comparesRatiosWhereThereAreAndRatesElsewhere() {
        let baseline = baseline([summary(.outbox, 100, ratio: 0.8), summary(.storeLimit, 200)])
        let slowerMachine = [summary(.outbox, 50, ratio: 0.88), summary(.storeLimit, 100)]
        #expect(abs((baseline.change(of: slowerMachine[0]) ?? 0) - 0.1) < 1e-9)
        #expect(baseline.change(of: slowerMachine[1]) == -0.5)
        #expect(baseline.change(of: summary(.whole, 10, ratio: 1)) == nil)
    }

    @Test func figuresOfOtherNumbersOfAccountsAreNotCompared() {
        let baseline = baseline([summary(.outbox, 100, ratio: 0.8, accounts: 20)])
        #expect(baseline.change(of: summary(.outbox, 100, ratio: 0.8, accounts: 1)) == nil)
    }

    @Test func survivesTheFile() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("baseline-\(UUID().uuidString).json")
            .path
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try Baseline.load(path) == nil)
        let baseline = baseline([summary(.whole, 1234.5, ratio: 0.61)])
        try baseline.save(path)
        #expect(try Baseline.load(path) == baseline)
    }

    @Test func aDamagedFileIsAnError() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("damaged-\(UUID().uuidString).json")
            .path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("{".utf8).write(to: URL(filePath: path))
        #expect(throws: (any Error).self) { try Baseline.load(path) }
    }
}

@Suite struct ReportTests {
    @Test func showsFiguresBesideTheBaseline() {
        let before = baseline([summary(.outbox, 4000, ratio: 0.5)])
        let text = Report(summaries: [summary(.outbox, 6000, ratio: 0.75)], baseline: before).text
        let cells = text.split(separator: "\n").last?.split(separator: "|").map { $0.trimmed } ?? []
        #expect(
            cells == [
                "(a) store + outbox + publish + confirm", "1", "6000", "10 %", "0.75", "50", "2 (1 before)", "4000",
                "0.50", "+50 %",
            ])
    }

    @Test func saysNothingOfABaselineThatDoesNotHaveTheFigure() {
        let text = Report(summaries: [summary(.whole, 10, ratio: 0.1)], baseline: nil).text
        #expect(text.hasSuffix("| -                   | -                | -      |"))
    }

    @Test func linesAreOfOneWidth() {
        let text = Report(summaries: [summary(.whole, 10, ratio: 0.1), summary(.storeLimit, 1e6)], baseline: nil).text
        #expect(Set(text.split(separator: "\n").map(\.count)).count == 1)
    }
}

private func summary(_ figure: Figure, _ perSecond: Double, ratio: Double? = nil, accounts: Int = 1) -> Summary {
    var summary = Summary(
        figure, accounts: accounts,
        runs: [
            RunResult(
                messages: 1000, seconds: 1000 / perSecond, processorSeconds: 0.05, peakBytes: 2_000_000,
                groundBytes: 1_000_000)
        ])
    summary.ratio = ratio
    summary.spread = 0.1
    return summary
}

private func baseline(_ figures: [Summary]) -> Baseline {
    Baseline(recorded: "2026-01-01", machine: .example, figures: figures)
}

extension Machine {
    fileprivate static let example = Machine(
        cores: 2, memoryGiB: 8, fileSystem: "ext4", syncMilliseconds: 0.2, sqlite: "3.40.1", natsServer: "2.15.1",
        libnats: "3.4.1", libcurl: "7.88.1")
}

extension Substring {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
