import EventAudit
import MailTestSupport
import Testing

@Suite struct SequenceSetTests {
    @Test func insertingInOrderIsOneRange() {
        var set = SequenceSet()
        for number in 1...200_000 { set.insert(Int64(number)) }
        #expect(set.ranges == [1...200_000] && set.count == 200_000)
        let isNew = set.insert(77)
        #expect(!isNew)
    }

    @Test func rangesGrowTogether() {
        var set = SequenceSet([5...7, 1...2, 10...12])
        #expect(set.ranges == [1...2, 5...7, 10...12])
        #expect(set.gaps(in: 0...13) == [0...0, 3...4, 8...9, 13...13])
        #expect(set.gaps(in: 6...11) == [8...9])
        set.insert(3...9)
        #expect(set.ranges == [1...12])
        #expect(set.gaps(in: 3...12).isEmpty && set.gaps(in: 20...21) == [20...21])
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func agreesWithASetOfNumbers(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var set = SequenceSet()
        var numbers: Set<Int64> = []
        for _ in 0..<300 {
            let number = Int64.random(in: 1...100, using: &generator)
            let isNew = set.insert(number)
            #expect(isNew == numbers.insert(number).inserted, "seed \(seed)")
        }
        #expect((0...101).allSatisfy { set.contains($0) == numbers.contains($0) }, "seed \(seed)")
        let gaps = set.gaps(in: 1...100).flatMap(Array.init)
        #expect(gaps == (1...100).filter { !numbers.contains($0) }, "seed \(seed)")
    }
}
