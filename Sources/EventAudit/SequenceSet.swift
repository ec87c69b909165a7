/// Numbers as ranges: as small as their order is good.
public struct SequenceSet: Sendable, Hashable {
    /// Sorted, not touching each other.
    public private(set) var ranges: [ClosedRange<Int64>] = []

    public init(_ ranges: [ClosedRange<Int64>] = []) {
        for range in ranges { insert(range) }
    }

    /// No number is in the set.
    public var isEmpty: Bool { ranges.isEmpty }

    /// How many numbers are in the set.
    public var count: Int64 { ranges.reduce(0) { $0 + $1.upperBound - $1.lowerBound + 1 } }

    /// Whether the number is in the set; by bisection.
    public func contains(_ number: Int64) -> Bool {
        let place = firstRange(endingAtOrAfter: number)
        return place < ranges.count && ranges[place].contains(number)
    }

    /// - Returns: false when it was in the set.
    @discardableResult
    public mutating func insert(_ number: Int64) -> Bool {
        if contains(number) { return false }
        insert(number...number)
        return true
    }

    /// Adds the numbers of a range; those that are in the set stay.
    public mutating func insert(_ range: ClosedRange<Int64>) {
        // The common case: the next number.
        if let last = ranges.last, last.upperBound < range.lowerBound {
            if last.upperBound + 1 == range.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound...range.upperBound
            } else {
                ranges.append(range)
            }
            return
        }
        let from = firstRange(endingAtOrAfter: range.lowerBound - 1)
        var to = from
        var merged = range
        while to < ranges.count, ranges[to].lowerBound <= range.upperBound + 1 {
            merged =
                min(merged.lowerBound, ranges[to].lowerBound)...max(merged.upperBound, ranges[to].upperBound)
            to += 1
        }
        ranges.replaceSubrange(from..<to, with: [merged])
    }

    /// The numbers of `range` that are not in the set, as ranges.
    public func gaps(in range: ClosedRange<Int64>) -> [ClosedRange<Int64>] {
        var gaps: [ClosedRange<Int64>] = []
        var next = range.lowerBound
        for known in ranges[firstRange(endingAtOrAfter: range.lowerBound)...] {
            if known.lowerBound > range.upperBound { break }
            if known.lowerBound > next { gaps.append(next...known.lowerBound - 1) }
            next = max(next, known.upperBound + 1)
        }
        if next <= range.upperBound { gaps.append(next...range.upperBound) }
        return gaps
    }

    private func firstRange(endingAtOrAfter number: Int64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
