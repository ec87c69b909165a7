import Foundation

/// The memory of this process, as Linux counts it.
enum Memory {
    /// Starts the peak again from what is resident now, where the system lets us.
    static func resetPeak() {
        let file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, "5", 1)
        close(file)
    }

    /// Bytes resident now.
    static var resident: Int { value(of: "VmRSS:") }
    /// The most bytes resident since the start, or the reset.
    static var peak: Int { value(of: "VmHWM:") }

    private static func value(of key: String) -> Int {
        // Not knowing shows as 0.
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(key) }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 } ?? 0
    }
}

/// What a run costs this process, from its making on.
struct CostMeter {
    private let groundBytes: Int
    private let processorAtStart: Double
    private let began: ContinuousClock.Instant

    init() {
        Memory.resetPeak()
        groundBytes = Memory.resident
        processorAtStart = Self.processorSeconds
        began = ContinuousClock.now
    }

    /// The run is over.
    ///
    /// - Parameter seconds: how long it took; nil: since the meter was made.
    func measurement(messages: Int, seconds: Double? = nil) -> RunResult {
        RunResult(
            messages: messages, seconds: seconds ?? (ContinuousClock.now - began) / .seconds(1),
            processorSeconds: Self.processorSeconds - processorAtStart,
            peakBytes: Memory.peak, groundBytes: groundBytes)
    }

    /// User and system time of all threads so far.
    private static var processorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
