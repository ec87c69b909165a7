import GRDB
import MailModel
import MailTestSupport
import Testing

@testable import MailStore

/// What verification reads of a store, and how it heals it.
@Suite struct VerificationTests {
    private func tampered(_ fixture: StoreFixture, _ sql: String) async throws -> StoreFixture {
        await fixture.stores.close()
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: fixture.path, configuration: configuration)
        try await queue.write { try $0.execute(sql: sql) }
        try queue.close()
        return try await fixture.reopened()
    }

    private func records(_ fixture: StoreFixture) async throws -> [MessageRecord] {
        try await fixture.read { try $0.messageRecords(after: 0, limit: 10_000) }
    }

    private func filled() async throws -> StoreFixture {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.new("a"), .new("b"), .new("c"))
        try await fixture.apply(
            .labels(id: "a", labels: ["INBOX"], version: 7), .deleted(id: "b"))
        return fixture
    }

    @Test(arguments: 1...15 as ClosedRange<UInt64>)
    func stateIsAlwaysWhatTheLogGives(seed: UInt64) async throws {
        let fixture = try await StoreFixture().follow()
        let key = fixture.key
        var batches = RandomBatches(seed: seed)
        for _ in 0..<60 {
            try await fixture.apply(batches.batch())
            if batches.number(0..<6) == 0 {
                let id = batches.id()
                _ = try await fixture.write { try $0.giveUpGap(key, id, because: "seed", at: 5) }
            }
        }
        for record in try await records(fixture) {
            #expect(record.state == record.derivedState, "seed \(seed), message \(record.id)")
        }
        let (kept, counted) = try await fixture.read { (try $0.counters(key), try $0.recounted(key)) }
        #expect(kept == counted, "seed \(seed)")
        let stamps = try await fixture.read { try $0.stamps(after: 0, limit: 100_000) }
        #expect(stamps.map(\.seq) == Array(1...Int64(stamps.count)), "seed \(seed)")
    }

    @Test(arguments: [
        "UPDATE messages SET labels_json = '[\"SPAM\"]' WHERE seq = 4",
        "UPDATE messages SET is_present = 0 WHERE seq = 4", "UPDATE messages SET revision = 9 WHERE seq = 4",
        "DELETE FROM messages WHERE seq = 4",
    ])
    func aStateIsDerivedAnew(sql: String) async throws {
        let fixture = try await tampered(filled(), sql)
        let wrong = try await records(fixture).filter { $0.state != $0.derivedState }
        #expect(wrong.map(\.seq) == [4])
        let (derived, absent) = try await fixture.write { (try $0.deriveState(seq: 4), try $0.deriveState(seq: 99)) }
        #expect(derived && !absent)
        #expect(try await records(fixture).allSatisfy { $0.state == $0.derivedState })
        // Nothing else of the message's row was touched, and it goes on from there.
        try await fixture.apply(.labels(id: "c", labels: ["X"], version: 99))
        #expect(try await records(fixture).allSatisfy { $0.state == $0.derivedState })
    }

    @Test func aStateWithoutMessageIsFoundAndDropped() async throws {
        let fixture = try await tampered(
            filled(),
            """
            INSERT INTO messages(seq, version, revision, is_present, provider_thread_id, labels_json)
            VALUES (77, 1, 1, 1, 't', '[]')
            """)
        #expect(try await fixture.read { try $0.statesWithoutMessage(limit: 9) } == [77])
        try await fixture.write {
            try $0.dropState(seq: 77)
            try $0.dropState(seq: 2)
        }
        #expect(try await fixture.read { try $0.statesWithoutMessage(limit: 9) }.isEmpty)
        #expect(try await records(fixture).count == 3)
    }

    @Test func aChangeWithoutMessageIsFound() async throws {
        let fixture = try await tampered(
            filled(), "DELETE FROM messages WHERE seq = 2; DELETE FROM email_received_events WHERE seq = 2")
        #expect(try await fixture.read { try $0.changesWithoutMessage(limit: 9) } == [5])
        #expect(try await fixture.read { try $0.stamps(after: 0, limit: 9).map(\.seq) } == [1, 3, 4, 5, 6])
    }

    @Test(arguments: ["stored", "gone", "gaps", "given_up", "events", "account_events", "outbox_depth"])
    func everyCounterIsCountedAnew(column: String) async throws {
        let fixture = try await tampered(filled(), "UPDATE provider_sync_state SET \(column) = \(column) + 3")
        let key = fixture.key
        let (kept, counted) = try await fixture.read { (try $0.counters(key), try $0.recounted(key)) }
        #expect(kept != counted)
        try await fixture.write { try $0.recount(key, at: 9) }
        #expect(try await fixture.read { try $0.counters(key) } == counted)
    }

    @Test(arguments: [
        "DELETE FROM outbox WHERE id = 5", "UPDATE outbox SET payload = '{}' WHERE id = 5",
        "UPDATE outbox SET msg_id = 'x', subject = 'user.other.email.deleted' WHERE id = 5",
    ])
    func anOutboxRowIsRenderedAnew(sql: String) async throws {
        let before = try await filled()
        let rows = try await before.outbox()
        let fixture = try await tampered(before, sql)
        #expect(try await fixture.outbox() != rows)
        try await fixture.write { try $0.restoreOutboxRows([5], at: 9) }
        #expect(try await fixture.outbox() == rows)
        #expect(try await fixture.account().outboxDepth == rows.count)
    }

    @Test func rowsThatNothingWaitsForAreRemoved() async throws {
        let fixture = try await tampered(
            filled(),
            """
            INSERT INTO outbox(id, ts, account_id, subject, event_type, msg_id, payload)
            VALUES (50, 1, 1, 's', 't', 'm', '{}')
            """)
        try await fixture.write { try $0.restoreOutboxRows([50], at: 9) }
        #expect(try await fixture.outbox().map(\.seq) == Array(1...6))
        try await fixture.write { try $0.confirm(through: 4, streamSequence: 4, stream: "A", at: 9) }
        try await fixture.write { try $0.restoreOutboxRows([2, 5], at: 9) }
        #expect(try await fixture.outbox().map(\.seq) == [5, 6])
    }

    @Test func theOutboxComesInStretches() async throws {
        let fixture = try await filled()
        try await fixture.write { try $0.confirm(through: 2, streamSequence: 2, stream: "A", at: 9) }
        var next: Int64? = 0
        var events: [Int64] = []
        var rows: [Int64] = []
        while let after = next {
            let stretch = try await fixture.read { try $0.outboxStretch(after: after, limit: 2) }
            events += stretch.events.map(\.seq)
            rows += stretch.rows.map(\.seq)
            next = stretch.next
        }
        #expect(events == [3, 4, 5, 6] && rows == events)
    }

    @Test func anEventIsSentAgainAndItsPlaceRemembered() async throws {
        let fixture = try await filled()
        try await fixture.write { try $0.confirm(through: 6, streamSequence: 60, stream: "A", at: 9) }
        try await fixture.write {
            try $0.requestResend(seq: 2, at: 10)
            try $0.requestResend(seq: 4, at: 10)
        }
        #expect(try await fixture.dispatch().waitingResends == [2, 4])
        try await fixture.write {
            try $0.resent(seq: 2, streamSequence: 61, stream: "A", at: 11)
            try $0.cancelResend(seq: 4)
            try $0.cancelResend(seq: 2)
        }
        let state = try await fixture.dispatch()
        #expect(state.waitingResends.isEmpty && state.publishedSeq == 6 && state.streamSequence == 61)
        #expect(try await fixture.read { try $0.heldAtResend(of: 2, streamSequence: 61) } == 6)
        #expect(try await fixture.read { try $0.heldAtResend(of: 2, streamSequence: 60) } == nil)
        #expect(try await fixture.outbox().isEmpty)
    }

    @Test func aVerificationIsRecorded() async throws {
        let fixture = try await filled()
        let key = fixture.key
        #expect(try await fixture.account().lastVerifiedAt == nil)
        try await fixture.write { try $0.recordVerification(key, missing: 3, at: 44) }
        let account = try await fixture.account()
        #expect(account.lastVerifiedAt == 44 && account.missing == 3)
    }
}
