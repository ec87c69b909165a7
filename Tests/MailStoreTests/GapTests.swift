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

    @Test func aGapCanBeDropped() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.of([], gaps: ["g", "h"]))
        try await fixture.write { [key = fixture.key] in try $0.dropGap(key, "g", at: 5) }
        #expect(try await counters(fixture) == [1, 0, 0, 1])
    }
}
