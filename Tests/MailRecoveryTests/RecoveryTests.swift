import Foundation
import GRDB
import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import MailRecovery

/// What a file that was filled from the stream need not have as before, and why.
let notInTheStream: Set<String> = [
    "messages.version",  // the provider's number is no part of events; 0 lets every later record count
    "messages.folder",  // Outlook's folders are no part of events; comparing with the provider tells them
    "email_received_events.cut",
    "outbox",  // empty here and there
    "meta.owner_epoch", "meta.confirmed_at", "meta.reserved_seq",  // of the file, not of the user
    "provider_sync_state.status", "provider_sync_state.updated_at",  // the next pass writes them
    "provider_sync_state.last_synced_at",  // the checkpoint's time instead of the last idle pass's
    "provider_sync_state.last_error", "provider_sync_state.last_error_code",
    "provider_sync_state.retry_count", "provider_sync_state.next_attempt_at",
    "provider_sync_state.last_verified_at", "provider_sync_state.missing",  // verified again in time
    "message_gaps.reason", "message_gaps.first_seen_at", "message_gaps.attempts", "message_gaps.next_attempt_at",
]

@Suite struct RebuildTests {
    /// Two accounts with everything that can happen to messages, all of it in the stream.
    private func lived() async throws -> RecoveryFixture {
        let fixture = try RecoveryFixture()
        for key in [fixture.key, fixture.other] { try await fixture.follow(key) }
        let labels = [
            MailLabel(id: "L1", name: "Läbel \"1\"", type: "user"),
            MailLabel(id: "INBOX", name: "INBOX", type: "system"),
        ]
        for key in [fixture.key, fixture.other] {
            try await fixture.apply(
                (0..<700).map { fixture.message("m\($0)") }, to: key, cursor: "1", phase: .backfill, labels: labels)
            try await fixture.apply([], to: key, cursor: "2", gaps: ["g1", "g2"])
        }
        try await fixture.apply(
            [.labels(id: "m1", labels: ["INBOX", "L1"], version: 5), .deleted(id: "m2"), .deleted(id: "m3")],
            to: fixture.key, cursor: "3")
        fixture.time.advance(by: .seconds(61))
        try await fixture.apply(
            [fixture.message("m3", labels: ["L1"], version: 9), fixture.message("late", version: 9)], to: fixture.key,
            cursor: "4")
        try await fixture.publish()
        return fixture
    }

    @Test func theRebuiltFileIsTheOldOneRowForRow() async throws {
        let fixture = try await lived()
        let old = try await fixture.recovering { await fixture.recovery.rebuild(fixture.user) }
        let events = try await fixture.events()
        let state = try await fixture.read { try $0.dispatch() }
        #expect(state.publishedSeq == state.lastSeq)
        #expect(events.count == Int(state.lastSeq))
        #expect(try await fixture.read { try $0.adoption(fixture.key) } == nil)
        await fixture.stores.close()
        let found = try StoreComparison(#require(old), fixture.path).differences(except: notInTheStream)
        #expect(found == [])
        #expect(fixture.supervision.log.first == "suspend")
        #expect(fixture.supervision.log.last == "resume")
        #expect(fixture.supervision.log.contains { $0.hasSuffix("500 of \(state.lastSeq) events") })
    }

    /// Every later fact gets the id and the number it would have got.
    @Test func whatHappensNextIsTheSameAsWithoutARebuild() async throws {
        let fixture = try await lived()
        let before = try await fixture.events()
        _ = try await fixture.recovering { await fixture.recovery.rebuild(fixture.user) }
        // After the checkpoint the provider tells things again.
        try await fixture.apply(
            [fixture.message("late", version: 9), .labels(id: "m1", labels: ["L1"], version: 12)], to: fixture.key,
            cursor: "5")
        let added = try await fixture.events().dropFirst(before.count)
        let expected = EventID.make(
            generation: 0, account: fixture.key, message: "m1", type: "email.updated", revision: 2)
        #expect(added.map(\.id) == [expected])
        #expect(added.first?.seq == Int64(before.count + 1))
        await fixture.stores.close()
    }

    /// Interrupted at any place: the next attempt goes on there, also in another process.
    @Test(arguments: [1, 3, 10, 400, 900, 1400]) func anInterruptedRebuildGoesOn(after calls: Int) async throws {
        let fixture = try await lived()
        let now = fixture.archive.update { $0.calls }
        fixture.archive.update { state in
            state.failure = { $0 == now + calls ? PublisherUnavailable(reason: "scripted") : nil }
        }
        let suffix = ".before-rebuild-test"
        let old = try await fixture.stores.setAside(fixture.user, suffix: suffix)
        let restorer = StreamRestorer(
            stores: fixture.stores, archive: fixture.archive, time: fixture.time, logger: quiet)
        let floor = try await fixture.registry.floor(of: fixture.user)
        await #expect(throws: PublisherUnavailable.self) {
            _ = try await restorer.run(fixture.user, connected: [fixture.key, fixture.other], floor: floor) { _ in }
        }
        #expect(try await fixture.stores.use(fixture.user) { try await $0.needsRestoring() })
        let result = try await restorer.run(
            fixture.user, connected: [fixture.key, fixture.other], floor: floor
        ) { _ in }
        #expect(result.missing == 0)
        #expect(try await !fixture.stores.use(fixture.user) { try await $0.needsRestoring() })
        await fixture.stores.close()
        #expect(try StoreComparison(#require(old), fixture.path).differences(except: notInTheStream) == [])
    }

    @Test func aStreamThatCannotBeReachedIsWaitedFor() async throws {
        let fixture = try await lived()
        let now = fixture.archive.update { $0.calls }
        fixture.archive.update { state in
            state.failure = { $0 <= now + 3 ? PublisherUnavailable(reason: "away") : nil }
        }
        try await fixture.recovering {
            async let path = fixture.recovery.rebuild(fixture.user)
            for _ in 0..<3 {
                await fixture.time.waitForSleepers()
                fixture.time.advance(by: .seconds(20))
            }
            #expect(await path != nil)
        }
        #expect(fixture.supervision.log.contains { $0.contains("away") })
        #expect(try await fixture.read { try $0.dispatch().lastSeq } > 1400)
        await fixture.stores.close()
    }
}

@Suite struct StoreBehindTests {
    /// An older copy that has numbered other events meanwhile: they were never published, and are forgotten.
    @Test func aCopyThatWentOnByItselfFallsInAgain() async throws {
        let fixture = try RecoveryFixture()
        try await fixture.follow(fixture.key)
        try await fixture.apply((0..<20).map { fixture.message("m\($0)") }, to: fixture.key, cursor: "1")
        try await fixture.apply([.labels(id: "m5", labels: ["A"], version: 2)], to: fixture.key, cursor: "2")
        try await fixture.publish()
        await fixture.stores.close()
        let copy = fixture.path + ".copy"
        try FileManager.default.copyItem(atPath: fixture.path, toPath: copy)

        let later = try fixture.again()
        try await later.apply(
            [fixture.message("n1"), .labels(id: "m5", labels: ["B"], version: 3), .deleted(id: "m6")], to: later.key,
            cursor: "3")
        later.time.advance(by: .seconds(61))
        try await later.apply([fixture.message("n2")], to: later.key, cursor: "4")
        try await later.publish()
        let truth = try await later.events()
        await later.stores.close()
        try FileManager.default.removeItem(atPath: fixture.path)
        try FileManager.default.copyItem(atPath: copy, toPath: fixture.path)

        let older = try later.again()
        // Other facts under the same numbers, and changes of messages that were there before.
        try await older.apply(
            [
                .labels(id: "m5", labels: ["C"], version: 9), .deleted(id: "m7"), fixture.message("n9"),
                .labels(id: "m5", labels: ["D"], version: 10),
            ], to: older.key, cursor: "9")
        try await older.recovering {
            await older.recovery.restore(older.user)
            await older.recovery.finished(older.user)
        }
        #expect(try await older.events() == truth)
        let states = try await older.read { try $0.states(older.key, of: ["m5", "m6", "m7", "n1", "n2", "n9"]) }
        #expect(states["m5"]?.labels == ["B"])
        #expect(states["m6"]?.exists == false)
        #expect(states["m7"]?.exists == true)
        #expect(states["n9"] == nil)
        #expect(states["n2"] != nil)
        let account = try await older.read { try $0.account(older.key) }
        #expect(account?.cursor.document == "4")
        #expect(account?.stored == 22)
        #expect(account?.outboxDepth == 0)
        await older.stores.close()
    }

    /// A file that is older than what the registry knows is not used before it was filled.
    @Test func aLostFileIsNoticedAtOnce() async throws {
        let fixture = try RecoveryFixture()
        try await fixture.follow(fixture.key)
        try await fixture.publish()
        await fixture.stores.close()
        try FileManager.default.removeItem(atPath: fixture.path)
        let again = try fixture.again()
        #expect(try await again.stores.use(again.user) { try await $0.needsRestoring() })
        await again.stores.close()
    }

    /// Everything the stream held of the user is too old: the numbers go on above what may have been given out.
    @Test func numbersAreNotUsedAgainWhenNothingIsLeft() async throws {
        let fixture = try RecoveryFixture()
        try await fixture.follow(fixture.key)
        try await fixture.apply((0..<20).map { fixture.message("m\($0)") }, to: fixture.key, cursor: "1")
        try await fixture.publish()
        let last = try await fixture.read { try $0.dispatch().lastSeq }
        await fixture.stores.close()
        try FileManager.default.removeItem(atPath: fixture.path)
        fixture.archive.expire(Int(last))

        let again = try fixture.again()
        try await again.recovering {
            await again.recovery.restore(again.user)
            await again.recovery.finished(again.user)
        }
        #expect(try await again.read { try $0.dispatch().lastSeq } >= last)
        #expect(try await again.read { try $0.adoption(again.key)?.stage } == .blind)
        // A mailbox read from the start adds state and no events.
        try await again.apply((0..<20).map { fixture.message("m\($0)") }, to: again.key, cursor: "1", phase: .backfill)
        #expect(try await again.events() == [])
        #expect(try await again.read { try $0.account(again.key)?.stored } == 20)
        try await again.write { try $0.setAdoption(again.key, nil) }
        try await again.apply([.labels(id: "m1", labels: ["A"], version: 4)], to: again.key, cursor: "2")
        let event = try await again.events().first
        #expect(event?.type == "email.updated")
        #expect(event?.seq ?? 0 > last)
        await again.stores.close()
    }

    /// The stream holds a part: the rest is taken over as state, under numbers that are no event's.
    @Test func agedOutMailIsTakenOverAsState() async throws {
        let fixture = try RecoveryFixture()
        try await fixture.follow(fixture.key)
        try await fixture.apply((0..<30).map { fixture.message("m\($0)") }, to: fixture.key, cursor: "1")
        fixture.time.advance(by: .seconds(61))
        try await fixture.apply(
            [.labels(id: "m3", labels: ["A"], version: 2), .deleted(id: "m4"), fixture.message("n1")], to: fixture.key,
            cursor: "2")
        try await fixture.publish()
        let truth = try await fixture.events()
        // Everything but the last events: n1, and the changes of m3 and m4.
        fixture.archive.expire(truth.count - 4)
        _ = try await fixture.recovering { await fixture.recovery.rebuild(fixture.user) }
        #expect(try await fixture.events() == truth.suffix(4))
        #expect(try await fixture.read { try $0.adoption(fixture.key)?.stage } == .listing)

        let ids = (0..<30).filter { $0 != 4 }.map { "m\($0)" } + ["n1"]
        try await fixture.write { try $0.noteListed(ids, next: nil, of: fixture.key) }
        // One of them changes while the list is made, and new mail arrives that is on the list.
        try await fixture.write { try $0.noteListed(["n2"], next: nil, of: fixture.key) }
        try await fixture.apply([fixture.message("n2", version: 9)], to: fixture.key, cursor: "3")
        try await fixture.write { try $0.setAdoption(fixture.key, .reading) }
        let candidates = try await fixture.read { try $0.adoptionCandidates(fixture.key, at: 0, limit: 100) }
        #expect(Set(candidates) == Set((0..<30).filter { $0 != 4 }.map { "m\($0)" }))
        let now = fixture.time.now()
        try await fixture.write {
            try $0.adopt(
                ChangeBatch(
                    changes: candidates.filter { $0 != "m7" }.map { fixture.message($0, version: 9) },
                    gaps: [MessageGap(id: "m7", reason: "500")], origin: .repair, cursor: Cursor("x"), phase: .live),
                candidates: candidates, of: fixture.key, at: now)
        }
        #expect(try await fixture.read { try $0.adoptionCandidateCount(fixture.key) } == 1)
        #expect(try await fixture.read { try $0.account(fixture.key)?.cursor.document } == "3")
        #expect(try await fixture.read { try $0.account(fixture.key)?.stored } == 30)
        let events = try await fixture.events()
        #expect(events.count == 5)
        #expect(events.allSatisfy { $0.seq > 0 })
        #expect(try await fixture.read { try $0.unpublished(limit: 9).count } == 1)

        // What happens to them later is told under ids that were never used.
        try await fixture.apply([.labels(id: "m3", labels: ["B"], version: 12)], to: fixture.key, cursor: "4")
        let used = Set(truth.map(\.id))
        #expect(try await fixture.events().suffix(1).allSatisfy { !used.contains($0.id) && $0.type == "email.updated" })
        await fixture.stores.close()
    }
}

extension RecoveryFixture {
    /// The same directory, stream and registry, as another process finds them.
    func again() throws -> RecoveryFixture { try RecoveryFixture(sharing: self) }
}
