import Foundation
import Synchronization

/// Watches the free space of the data directory: syncing pauses before the disk is full, because a full disk also
/// fails the deletes and checkpoints that would free it.
final class DiskReserve: Sendable {
    enum Limit: Sendable, Hashable {
        case percent(Int)
        case bytes(Int64)

        /// `5%`, `500MB`, `2GB`.
        static func parse(_ text: String) -> Limit? {
            if text.hasSuffix("%"), let percent = Int(text.dropLast()), (0...90).contains(percent) {
                return .percent(percent)
            }
            for (unit, factor) in [("GB", Int64(1 << 30)), ("MB", 1 << 20)] where text.hasSuffix(unit) {
                guard let number = Int64(text.dropLast(2)), (0...1_000_000).contains(number) else { return nil }
                return .bytes(number * factor)
            }
            return nil
        }
    }

    /// The file system is asked at most this often, in milliseconds.
    private static let refreshMilliseconds: Int64 = 1000

    private let directory: String
    private let limit: Limit
    private let now: @Sendable () -> Int64
    private let last: Mutex<(at: Int64, obstacle: String?)>

    init(directory: String, limit: Limit, nowMilliseconds: @escaping @Sendable () -> Int64) {
        self.directory = directory
        self.limit = limit
        now = nowMilliseconds
        last = Mutex((.min, nil))
    }

    /// What is in the way of writing, or nil.
    func obstacle() -> String? {
        let now = now()
        return last.withLock { last in
            if last.at == .min || now - last.at >= Self.refreshMilliseconds { last = (now, measure()) }
            return last.obstacle
        }
    }

    private func measure() -> String? {
        var info = statvfs()
        guard statvfs(directory, &info) == 0 else { return "disk: the free space of \(directory) cannot be read" }
        let free = Int64(clamping: info.f_bavail) * Int64(clamping: info.f_frsize)
        let total = Int64(clamping: info.f_blocks) * Int64(clamping: info.f_frsize)
        let reserve = Self.reserve(limit, total: total)
        guard free < reserve else { return nil }
        return
            "disk: \(free >> 20) MiB are free in \(directory), \(reserve >> 20) MiB are kept in reserve (DISK_RESERVE)"
    }

    private static func reserve(_ limit: Limit, total: Int64) -> Int64 {
        switch limit {
        case .percent(let percent): total / 100 * Int64(percent)
        case .bytes(let bytes): bytes
        }
    }
}
