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

extension Measurement {
    /// Times `body`, which tells how many messages it moved and how long that took.
    static func take(_ body: () async throws -> (messages: Int, seconds: Double)) async rethrows -> Measurement {
        Memory.resetPeak()
        let ground = Memory.resident
        let (messages, seconds) = try await body()
        return Measurement(messages: messages, seconds: seconds, peakBytes: Memory.peak, groundBytes: ground)
    }
}
