import MailModel
import Testing

@testable import MailStore

@Suite struct GapTests {
    private func counters(_ fixture: StoreFixture) async throws -> [Int] {
        let account = try await fixture.account()
        return [account.listed, account.stored, account.gone, account.gaps]
    }

    @Test func delaysDoubleUpToSixHours() {
        let delays = (1...11).map { GapSchedule.delaySeconds(afterAttempts: $0) }
        #expect(delays == [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600, 21600])
        #expect(GapSchedule.delaySeconds(afterAttempts: 0) == 60)
        #expect(GapSchedule.delaySeconds(afterAttempts: .max) == 21600)
    }

    @Test func aGapIsRecordedAndDueLater() async throws {
        let fixture = try await StoreFixture().follow()
        #expect(try await fixture.apply(.of([], gaps: ["g"])).gaps == 1)
        #expect(try await counters(fixture) == [1, 0, 0, 1])
        let now = fixture.now
        let gaps = try await fixture.openGaps()
        #expect(
            gaps == [
                GapRecord(
                    id: "g", reason: "the provider answered 500", firstSeenAt: now, attempts: 1, nextAttemptAt: now + 60
                )
            ])
        #expect(try await fixture.dueGaps(at: now + 59) == [])
        #expect(try await fixture.dueGaps(at: now + 60) == ["g"])
    }

    @Test func failingAgainBacksOffAndCountsOnce() async throws {
        let fixture = try await StoreFixture().follow()
        for _ in 0..<3 { try await fixture.apply(.of([], gaps: ["g"])) }
        #expect(try await counters(fixture) == [1, 0, 0, 1])
        let gaps = try await fixture.openGaps()
        let gap = try #require(gaps.first)
        #expect((gap.attempts, gap.nextAttemptAt) == (3, fixture.now + 240))
    }

    @Test func readingSettlesAGap() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.of([], gaps: ["in", "out"]))
        try await fixture.apply(.new("in"), .read(.sample("out"), inScope: false))
        #expect(try await counters(fixture) == [1, 1, 0, 0])
        #expect(try await fixture.openGaps() == [])
    }

    @Test func vanishingOrDeletionSettlesAGapAsGone() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.of([], gaps: ["v", "d"]))
        try await fixture.apply(.of([.deleted(id: "d"), .deleted(id: "never-listed")], vanished: ["v"]))
        #expect(try await counters(fixture) == [2, 0, 2, 0])
    }

    @Test func vanishedMessagesCountOnceAndMayComeBack() async throws {
        let fixture = try await StoreFixture().follow()
        for _ in 0..<2 { try await fixture.apply(.of([], vanished: ["v"])) }
        #expect(try await counters(fixture) == [1, 0, 1, 0])
        try await fixture.apply(.of([], gaps: ["v"]))
        #expect(try await counters(fixture) == [1, 0, 0, 1])
        try await fixture.apply(.of([], vanished: ["v"]))
        try await fixture.apply(.new("v"))
        #expect(try await counters(fixture) == [1, 1, 0, 0])
    }

    @Test func aKnownMessageThatVanishedIsDeleted() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.new("a"))
        #expect(try await fixture.apply(.of([], vanished: ["a"])).deleted == 1)
        #expect(try await fixture.apply(.of([], vanished: ["a"])).deleted == 0)
        #expect(try await counters(fixture) == [1, 1, 0, 0])
    }

    @Test func aKnownMessageMayBeAGapTooAndSettles() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.new("a"))
        try await fixture.apply(.of([], gaps: ["a"]))
        #expect(try await counters(fixture) == [2, 1, 0, 1])
        try await fixture.apply(.new("a", version: 1))
        #expect(try await counters(fixture) == [1, 1, 0, 0])
    }

    @Test func unknownIsWhatIsNeitherStoredNorInTheLedger() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.of([.new("a")], gaps: ["g"], vanished: ["v"]))
        let unknown = try await fixture.stores.use(fixture.user) { [key = fixture.key] in
            try await $0.known(key).unknown(among: ["z", "g", "a", "v", "b"])
        }
        #expect(unknown == ["z", "v", "b"])
    }

    @Test func anOperatorMayGiveUpAGapAndTakeItBack() async throws {
        let fixture = try await StoreFixture().follow()
        let key = fixture.key
        try await fixture.apply(.of([], gaps: ["g", "h"]))
        let given = try await fixture.write { try $0.giveUpGap(key, "g", because: "a broken import", at: 77) }
        let again = try await fixture.write { try $0.giveUpGap(key, "g", because: "twice", at: 78) }
        #expect(given && !again)
        #expect(try await counters(fixture) == [2, 0, 0, 1])
        #expect(try await fixture.account().givenUp == 1)
        let record = try #require(try await fixture.read { try $0.givenUpGaps(key) }.first)
        #expect(record.id == "g" && record.givenUpAt == 77 && record.givenUpBecause == "a broken import")
        #expect(record.nextAttemptAt == nil && record.attempts == 1)
        #expect(try await fixture.dueGaps(at: .max) == ["h"])

        // All that are retried, and no other.
        #expect(try await fixture.write { try $0.retryGaps(key, at: 100) } == 1)
        #expect(try await fixture.dueGaps(at: 100) == ["h"])
        #expect(try await fixture.write { try $0.retryGaps(key, "g", at: 200) } == 1)
        #expect(try await fixture.dueGaps(at: 200) == ["h", "g"])
        #expect(try await fixture.account().givenUp == 0)
        #expect(try await fixture.write { try $0.retryGaps(key, "absent", at: 200) } == 0)
    }

    @Test func aGivenUpMessageStaysOnRecordUntilItIsRead() async throws {
        let fixture = try await StoreFixture().follow()
        let key = fixture.key
        try await fixture.apply(.of([], gaps: ["g", "h"]))
        for id in ["g", "h"] {
            _ = try await fixture.write { try $0.giveUpGap(key, id, because: "why not", at: 77) }
        }
        // Whoever lists or changes it has it read again.
        let unknown = try await fixture.stores.use(fixture.user) { try await $0.known(key).unknown(among: ["g"]) }
        #expect(unknown == ["g"])
        try await fixture.apply(.of([], gaps: ["g"]))
        let record = try #require(try await fixture.read { try $0.givenUpGaps(key) }.first { $0.id == "g" })
        #expect(record.attempts == 2 && record.givenUpBecause == "why not")
        #expect(try await fixture.account().gaps == 0)

        #expect(try await fixture.apply(.new("g")).received == 1)
        try await fixture.apply(.of([], vanished: ["h"]))
        let account = try await fixture.account()
        #expect(account.givenUp == 0 && account.gone == 1 && account.stored == 1 && account.listed == 2)
    }
}
