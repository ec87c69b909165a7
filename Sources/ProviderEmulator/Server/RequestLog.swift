import Synchronization

/// Counters over the requests answered.
public struct RequestStats: Sendable, Hashable {
    /// Calls by method id ("gmail.users.messages.get"), the parts of batches included, and of "batch", "token",
    /// "revoke", "jwks", "certs" (Google's keys).
    public var requests: [String: Int] = [:]
    /// Answers by status, parts included.
    public var statuses: [Int: Int] = [:]
    /// Quota units spent, by mailbox.
    public var units: [String: Int] = [:]
    /// The most requests of one mailbox seen in flight at once.
    public var concurrentMax: Int = 0
    /// The same by mailbox; addresses in lower case.
    public var concurrentMaxByMailbox: [String: Int] = [:]
    /// The most parts seen in a batch.
    public var batchPartsMax: Int = 0
}

final class RequestLog: Sendable {
    private let state = Mutex(RequestStats())

    var stats: RequestStats { state.withLock { $0 } }

    func count(_ name: String, status: Int) {
        state.withLock { state in
            state.requests[name, default: 0] += 1
            state.statuses[status, default: 0] += 1
        }
    }

    func spend(_ units: Int, mailbox: String) { state.withLock { $0.units[mailbox, default: 0] += units } }

    func inFlight(_ count: Int, mailbox: String) {
        state.withLock { state in
            state.concurrentMax = max(state.concurrentMax, count)
            state.concurrentMaxByMailbox[mailbox] = max(state.concurrentMaxByMailbox[mailbox] ?? 0, count)
        }
    }

    func batch(parts: Int) { state.withLock { $0.batchPartsMax = max($0.batchPartsMax, parts) } }
}
