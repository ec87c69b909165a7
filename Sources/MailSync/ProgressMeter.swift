/// The rate of a backfill and when it will be done, from what was really committed. A value: takes time as input.
struct ProgressMeter: Sendable {
    /// Rates are averaged over this long, in milliseconds.
    static let windowMilliseconds: Int64 = 30_000

    private var samples: [(at: Int64, listed: Int)] = []

    /// Notes how many messages were accounted for at this time.
    mutating func note(listed: Int, at now: Int64) {
        samples.append((now, listed))
        while let first = samples.first, samples.count > 2, now - first.at > Self.windowMilliseconds {
            samples.removeFirst()
        }
    }

    /// Messages per second; nil before two samples.
    var perSecond: Double? {
        guard let first = samples.first, let last = samples.last, last.at > first.at, last.listed > first.listed else {
            return nil
        }
        return Double(last.listed - first.listed) * 1000 / Double(last.at - first.at)
    }

    /// Seconds until `total` is reached.
    func secondsLeft(total: Int) -> Int? {
        guard let perSecond, let last = samples.last else { return nil }
        return Int((Double(max(0, total - last.listed)) / perSecond).rounded(.up))
    }
}
