/// One run of one figure, as the process that ran it reports it.
struct RunResult: Codable, Sendable, Hashable {
    var messages: Int
    var seconds: Double
    /// Processor time of the process during the run; nats-server and emulator have their own.
    var processorSeconds: Double
    /// The most memory the process had resident (VmHWM), in bytes.
    var peakBytes: Int
    /// What it had resident when the run began: the material that is replayed, for figures that replay.
    var groundBytes: Int

    var perSecond: Double { seconds > 0 ? Double(messages) / seconds : 0 }
    var processorMicroseconds: Double { messages > 0 ? processorSeconds * 1e6 / Double(messages) : 0 }
}

/// Several runs of one figure.
struct Summary: Codable, Sendable, Hashable {
    var figure: Figure
    var accounts: Int
    var messages: Int
    /// Median over the runs.
    var perSecond: Double
    /// (Fastest - slowest) / median.
    var spread: Double
    /// Processor time per message in microseconds, median over the runs.
    var processorMicroseconds: Double
    /// The highest of the runs, in bytes.
    var peakBytes: Int
    /// Of the run with that peak, in bytes.
    var groundBytes: Int
    /// To the plain-C limit of the same program run: the median of each round's ratio. Nil for limits.
    var ratio: Double?

    /// - Parameters:
    ///   - runs: one per round, at least one.
    ///   - limits: the limit's rate in the same rounds; empty for limits.
    init(_ figure: Figure, accounts: Int, runs: [RunResult], limits: [Double] = []) {
        let rates = runs.map(\.perSecond)
        let highest = runs.max { $0.peakBytes < $1.peakBytes }
        self.figure = figure
        self.accounts = accounts
        messages = runs.first?.messages ?? 0
        perSecond = median(rates)
        spread = perSecond > 0 ? ((rates.max() ?? 0) - (rates.min() ?? 0)) / perSecond : 0
        processorMicroseconds = median(runs.map(\.processorMicroseconds))
        peakBytes = highest?.peakBytes ?? 0
        groundBytes = highest?.groundBytes ?? 0
        let ratios = zip(rates, limits).compactMap { rate, limit in limit > 0 ? rate / limit : nil }
        ratio = ratios.isEmpty ? nil : median(ratios)
    }
}

/// The middle value, or the mean of the two middle ones; 0 of nothing.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard let last = sorted.last else { return 0 }
    let middle = sorted.count / 2
    if sorted.count % 2 == 1 { return sorted[middle] }
    return (sorted[middle - 1] + min(sorted[middle], last)) / 2
}
