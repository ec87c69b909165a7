import Foundation
import Logging
import MailTestSupport
import Testing

@testable import Benchmarks

@Suite struct PushLatencyTests {
    @Test func percentilesAreOfTheSortedTimes() {
        let latency = PushLatency(latencies: (1...100).reversed().map { Double($0) / 100 }, missing: 0)
        #expect(latency.percentile(50) == 0.5)
        #expect(latency.percentile(99) == 0.99)
        #expect(latency.percentile(100) == 1)
        #expect(latency.isInTime)
        #expect(latency.description.contains("p50 500 ms, p90 900 ms, p99 990 ms, max 1000 ms"))
    }

    @Test func slowMissingOrNothingIsNotInTime() {
        #expect(!PushLatency(latencies: [0.1, 1], missing: 0).isInTime)
        #expect(!PushLatency(latencies: [0.1], missing: 1).isInTime)
        #expect(!PushLatency(latencies: [], missing: 0).isInTime)
        #expect(PushLatency(latencies: [], missing: 0).percentile(99) == 0)
    }

    /// The measurement itself, small: real service, real pushes. A machine that tests keep busy is given more time than
    /// the benchmark gives.
    @Test(.enabled(if: NatsServerKind.current.binary != nil), .timeLimit(.minutes(3)))
    func mailIsInTheStreamSoonAfterItArrived() async throws {
        let directory = try TemporaryDirectory("push-latency")
        let runner = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let measurement = PushMeasurement(
            accounts: 40, messages: 5, rate: 10, seconds: 5, seed: 1, directory: directory.path,
            program: runner.appendingPathComponent("mailsync").path,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let result = try await measurement.run()
        print(result)
        #expect(result.missing == 0)
        #expect(result.percentile(50) < 1)
        #expect(result.percentile(99) < 5)
    }
}
