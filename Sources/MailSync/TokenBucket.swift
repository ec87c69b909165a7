/// A rate limit as a value: what may be spent now, and how long to wait else. Takes the time as an input.
///
/// Over any minute it grants at most `perMinute` units: a burst of a tenth, and a refill of nine tenths.
struct TokenBucket: Sendable {
    private let capacity: Double
    private let refillPerMillisecond: Double
    private var balance: Double
    private var updatedAt: Int64
    private var blockedUntil: Int64 = 0

    init(perMinute: Int, at now: Int64) {
        capacity = Double(perMinute) / 10
        refillPerMillisecond = Double(perMinute) * 0.9 / 60_000
        balance = capacity
        updatedAt = now
    }

    /// Takes the units and returns nil, or returns how many milliseconds to wait before asking again. A request
    /// larger than the burst is granted when the bucket is full and leaves it in debt.
    mutating func take(_ units: Int, at now: Int64) -> Int64? {
        refill(at: now)
        if now < blockedUntil { return blockedUntil - now }
        let needed = min(Double(units), capacity)
        if balance >= needed {
            balance -= Double(units)
            return nil
        }
        return max(1, Int64(((needed - balance) / refillPerMillisecond).rounded(.up)))
    }

    /// The provider said to slow down: nothing is granted until then, and no burst follows.
    mutating func block(until deadline: Int64, at now: Int64) {
        refill(at: now)
        blockedUntil = max(blockedUntil, deadline)
        balance = min(balance, 0)
    }

    private mutating func refill(at now: Int64) {
        guard now > updatedAt else { return }
        balance = min(capacity, balance + Double(now - updatedAt) * refillPerMillisecond)
        updatedAt = now
    }
}
