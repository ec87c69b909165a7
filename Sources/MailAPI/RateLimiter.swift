import MailModel

/// A token bucket per user, in bounded memory. A value: time is an input.
struct RateLimiter: Sendable {
    private struct Bucket {
        var tokens: Double
        var atMs: Int64
    }

    private let perSecond: Double
    private let burst: Double
    private let usersMax: Int
    private var buckets: [UserID: Bucket] = [:]

    init(perSecond: Double, burst: Double, usersMax: Int) {
        self.perSecond = perSecond
        self.burst = max(1, burst)
        self.usersMax = max(1, usersMax)
    }

    var rememberedUsers: Int { buckets.count }

    /// - Returns: nil when the request may proceed, else the time until one may.
    mutating func admit(_ user: UserID, atMs now: Int64) -> Duration? {
        if buckets[user] == nil, buckets.count >= usersMax { makeRoom(atMs: now) }
        var bucket = buckets[user] ?? Bucket(tokens: burst, atMs: now)
        bucket.tokens = level(bucket, atMs: now)
        bucket.atMs = max(bucket.atMs, now)
        defer { buckets[user] = bucket }
        guard bucket.tokens >= 1 else { return .seconds((1 - bucket.tokens) / perSecond) }
        bucket.tokens -= 1
        return nil
    }

    /// A full bucket is as good as none. When all are in use, every user starts anew: better than refusing one.
    private mutating func makeRoom(atMs now: Int64) {
        buckets = buckets.filter { level($0.value, atMs: now) < burst }
        if buckets.count >= usersMax { buckets.removeAll(keepingCapacity: true) }
    }

    private func level(_ bucket: Bucket, atMs now: Int64) -> Double {
        min(burst, bucket.tokens + perSecond * Double(max(0, now - bucket.atMs)) / 1000)
    }
}
