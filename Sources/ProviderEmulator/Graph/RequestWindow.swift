import MailModel
import Synchronization

/// Counts each mailbox's requests in windows of ten minutes. Refused requests count too, as at the provider.
final class RequestWindow: Sendable {
    private static let windowMilliseconds: Int64 = 600_000
    private struct Window {
        var requests: Int
        /// Milliseconds since 1970.
        var start: Int64
    }
    private let requestsMax: Int
    private let time: any TimeSource
    private let windows = Mutex<[String: Window]>([:])

    /// - Parameter requestsMax: 0 is unlimited.
    init(requestsMax: Int, time: any TimeSource) {
        self.requestsMax = requestsMax
        self.time = time
    }

    /// Counts a request; returns the seconds to wait when there were too many.
    func spend(mailbox: String) -> Int? {
        guard requestsMax > 0 else { return nil }
        let now = time.nowMilliseconds()
        return windows.withLock { windows in
            var window = windows[mailbox] ?? Window(requests: 0, start: now)
            if now - window.start >= Self.windowMilliseconds { window = Window(requests: 0, start: now) }
            window.requests += 1
            windows[mailbox] = window
            guard window.requests > requestsMax else { return nil }
            return Int((window.start + Self.windowMilliseconds - now + 999) / 1000)
        }
    }
}
