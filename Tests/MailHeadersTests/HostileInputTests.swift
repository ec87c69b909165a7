import MailHeaders
import MailTestSupport
import Testing

/// No input crashes or hangs a parser, and what comes out is one line without NUL.
@Suite struct HostileInputTests {
    /// A generator that gives the same values for the same seed.
    private struct SeededGenerator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }

    private func check(_ bytes: [UInt8], _ source: String) {
        let text = HeaderText.decode(raw: bytes)
        #expect(!text.utf8.contains { $0 == 0 || $0 == 10 || $0 == 13 }, "\(source)")
        let addresses = AddressList.parse(raw: bytes)
        #expect(!addresses.contains { $0.address.isEmpty }, "\(source)")
        _ = MailDate.parse(text)
    }

    @Test func randomSyntaxIsSurvived() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(state: seed)
        let pieces =
            [
                "<", ">", "@", ",", ";", ":", "\"", "\\", "(", ")", "[", "]", ".", " ", "\r\n ", "\t", "=?", "?=",
                "=?utf-8?q?", "=?gb2312?B?", "=?iso-2022-jp?b?", "=?utf-7?Q?", "=E9", "GyRC", "a", "b.c", "12:30",
                "-0500",
                "Jan", "99", "é", "\0", "\u{1b}$B", "+AOk",
            ].map { Array($0.utf8) } + [[0x80], [0xff], [0xc3]]
        for round in 0..<20_000 {
            let length = Int.random(in: 0...30, using: &random)
            let bytes = (0..<length).flatMap { _ in pieces.randomElement(using: &random) ?? [] }
            check(bytes, "seed \(seed), round \(round)")
        }
    }

    @Test(.enabled(if: SharedMaterial.corpus != nil))
    func everyFieldOfTheUglyCorpusIsSurvivedAlsoWhenDamaged() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(state: seed)
        for entry in try Corpus.nasty(in: SharedMaterial.corpus ?? "") {
            for field in entry.fields {
                check(field.value, entry.name)
                var damaged = field.value
                guard !damaged.isEmpty else { continue }
                damaged[Int.random(in: damaged.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                check(
                    Array(damaged.prefix(Int.random(in: 0...damaged.count, using: &random))),
                    "seed \(seed) \(entry.name)")
            }
        }
    }

    @Test func deepNestingIsSurvived() {
        for opening in ["(", "<", "[", "\"", "a:", "=?", "=?utf-8?q?", "a@", "\\"] {
            check(Array(String(repeating: opening, count: 20_000).utf8), opening)
        }
    }
}
