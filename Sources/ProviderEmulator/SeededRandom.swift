/// A small generator whose numbers follow from its seed alone (SplitMix64, Steele, Lea and Flood 2014).
struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// An independent generator for one of many things under a seed.
    init(seed: UInt64, stream: UInt64) { state = Self.mix(seed) ^ Self.mix(stream &+ 0x5851_f42d_4c95_7f2d) }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Self.mix(state)
    }

    static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// True with this probability.
    mutating func chance(_ probability: Double) -> Bool { Double(next() >> 11) / 9_007_199_254_740_992 < probability }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(1, limit))) }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    /// Lower-case letters and digits.
    mutating func token(_ length: Int) -> String {
        String(unsafeUninitializedCapacity: length) { buffer in
            for index in 0..<length {
                let digit = UInt8(next() % 36)
                buffer[index] = digit < 26 ? UInt8(ascii: "a") + digit : UInt8(ascii: "0") + digit - 26
            }
            return length
        }
    }
}
