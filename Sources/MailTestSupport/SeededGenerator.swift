import Foundation

/// Random numbers that follow from a seed alone (SplitMix64; Steele, Lea and Flood 2014).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// The seed of this run: `MAILSYNC_SEED`, or the same one every time. Tests print it when they fail.
    public static var seedOfThisRun: UInt64 {
        ProcessInfo.processInfo.environment["MAILSYNC_SEED"].flatMap { UInt64($0) } ?? 20_261_121
    }
}
