import MailModel
import Synchronization

/// Counts each user's requests in flight and refuses those above the limit.
final class ConcurrencyGate: Sendable {
    private let perUserMax: Int
    private let log: RequestLog
    private let inFlight = Mutex<[String: Int]>([:])

    /// - Parameter perUserMax: 0 is unlimited.
    init(perUserMax: Int, log: RequestLog) {
        self.perUserMax = perUserMax
        self.log = log
    }

    func enter(_ user: String) -> Bool {
        let count = inFlight.withLock { inFlight -> Int? in
            let count = inFlight[user, default: 0] + 1
            guard perUserMax == 0 || count <= perUserMax else { return nil }
            inFlight[user] = count
            return count
        }
        if let count { log.inFlight(count, mailbox: user) }
        return count != nil
    }

    func leave(_ users: [String]) {
        guard !users.isEmpty else { return }
        inFlight.withLock { inFlight in
            for user in users { inFlight[user, default: 1] -= 1 }
        }
    }
}

/// Each user's quota units: a bucket that holds one minute's units and fills evenly.
final class QuotaMeter: Sendable {
    private struct Bucket {
        var units: Double
        /// Milliseconds since 1970.
        var at: Int64
    }
    private let quota: GmailQuota?
    private let time: any TimeSource
    private let buckets = Mutex<[String: Bucket]>([:])

    init(_ quota: GmailQuota?, time: any TimeSource) {
        self.quota = quota
        self.time = time
    }

    func cost(_ method: GmailMethod) -> Int { (quota?.costs ?? GmailMethod.costs2026)[method] ?? 0 }

    /// False when the user has not so many left; then nothing is spent.
    func spend(_ units: Int, mailbox: String) -> Bool {
        guard let quota else { return true }
        let now = time.nowMilliseconds()
        let full = Double(quota.unitsPerMinute)
        return buckets.withLock { buckets in
            var bucket = buckets[mailbox] ?? Bucket(units: full, at: now)
            bucket.units = min(full, bucket.units + Double(max(0, now - bucket.at)) * full / 60_000)
            bucket.at = now
            let enough = bucket.units >= Double(units)
            if enough { bucket.units -= Double(units) }
            buckets[mailbox] = bucket
            return enough
        }
    }
}
