import MailModel
import Testing

@testable import MailStore

/// Properties of random histories; the seed is the argument, so a failure names it.
@Suite struct PropertyTests {
    static let seeds: [UInt64] = [1, 2, 3, 5, 8, 13, 2026, 0xdead_beef]

    @Test(arguments: seeds) func everyEventRendersAgainAsItWentOut(seed: UInt64) async throws {
        var random = RandomBatches(seed: seed)
        let fixture = try await StoreFixture().follow()
        for _ in 0..<40 { try await fixture.apply(random.batch()) }
        let (events, outbox) = (try await fixture.events(), try await fixture.outbox())
        #expect(events.count > 20)
        #expect(events.map(\.seq) == Array(1...Int64(events.count)), "seed \(seed)")
        #expect(outbox.map(\.seq) == events.map(\.seq), "seed \(seed)")
        for (event, row) in zip(events, outbox) {
            let isSame = event.payload() == row.payload
            #expect(isSame, "seed \(seed), seq \(event.seq)")
            #expect(event.id == row.eventID && event.subject == row.subject && event.type == row.eventType)
        }
        #expect(Set(events.map(\.id)).count == events.count, "seed \(seed)")
    }

    @Test(arguments: seeds) func aBatchThatComesAgainAddsNothing(seed: UInt64) async throws {
        var random = RandomBatches(seed: seed)
        let fixture = try await StoreFixture().follow()
        for step in 0..<40 {
            let batch = Self.settled(random.batch())
            try await fixture.apply(batch)
            let before = try await fixture.account()
            let again = try await fixture.apply(batch)
            #expect(again.lastSeq == nil, "seed \(seed), step \(step)")
            #expect(try await fixture.account() == before, "seed \(seed), step \(step)")
        }
    }

    @Test(arguments: seeds) func countersFollowTheTables(seed: UInt64) async throws {
        var random = RandomBatches(seed: seed)
        let fixture = try await StoreFixture().follow()
        for _ in 0..<60 { try await fixture.apply(random.batch()) }
        let account = try await fixture.account()
        let events = try await fixture.events()
        let stored = events.filter { $0.type == "email.received" }.count
        #expect(account.stored == stored, "seed \(seed)")
        #expect(account.events == events.count, "seed \(seed)")
        #expect(account.outboxDepth == events.count, "seed \(seed)")
        #expect(account.gaps == (try await fixture.openGaps().count), "seed \(seed)")
        await fixture.stores.close()
        let gone = try fixture.sql("SELECT count(*) FROM message_gaps WHERE state = 'gone'").first?[0] as Int?
        #expect(account.gone == gone, "seed \(seed)")
        let revisions = try fixture.sql("SELECT coalesce(sum(revision), 0) FROM messages").first?[0] as Int?
        #expect(revisions == events.filter { $0.type.hasPrefix("email.") }.count, "seed \(seed)")
    }

    @Test(arguments: seeds) func replayedEventsGiveTheCurrentState(seed: UInt64) async throws {
        var random = RandomBatches(seed: seed)
        let fixture = try await StoreFixture().follow()
        for _ in 0..<60 { try await fixture.apply(random.batch()) }
        var expected: [String: [String]] = [:]
        for event in try await fixture.events() {
            switch event.body {
            case .received(let message): expected[message.id] = message.labels
            case .updated(let update):
                let base = Set(expected[update.id] ?? [])
                if !update.restored {
                    #expect(base.union(update.added).subtracting(update.removed) == Set(update.labels))
                }
                expected[update.id] = update.labels
            case .deleted(let id, _): expected[id] = nil
            case .account: break
            }
        }
        let present = try await fixture.read { [key = fixture.key] in try $0.present(key, after: nil, limit: 99) }
        let actual = Dictionary(uniqueKeysWithValues: present.map { ($0.id, $0.labels) })
        #expect(actual == expected, "seed \(seed)")
    }

    /// A batch that says one thing per message, as an adapter's does: a gap is a renewed failure each time, and a
    /// message that is read, deleted and read again depends on what was known before.
    private static func settled(_ batch: ChangeBatch) -> ChangeBatch {
        var batch = batch
        batch.gaps = []
        var seen = Set(batch.vanished)
        batch.changes = batch.changes.filter { seen.insert($0.messageID).inserted }
        return batch
    }
}
