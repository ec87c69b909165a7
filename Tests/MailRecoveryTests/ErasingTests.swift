import Foundation
import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import MailRecovery

@Suite struct ErasingTests {
    /// Two inboxes whose events alternate.
    private func interleaved(_ rounds: Int) async throws -> RecoveryFixture {
        let fixture = try RecoveryFixture()
        for key in [fixture.key, fixture.other] { try await fixture.follow(key) }
        for round in 0..<rounds {
            try await fixture.apply([fixture.message("PLANTED\(round)")], to: fixture.key, cursor: "\(round)")
            try await fixture.apply([fixture.message("stays\(round)")], to: fixture.other, cursor: "\(round)")
        }
        try await fixture.publish()
        return fixture
    }

    private func erase(_ key: AccountKey, _ fixture: RecoveryFixture) async throws {
        fixture.registry.update { state in state.connected.removeAll { $0 == key } }
        try await fixture.recovering {
            try await fixture.recovery.erase(key)
            await fixture.recovery.finished(fixture.user)
        }
    }

    /// The file, its log and the stream hold nothing of it; what is left is what it was, and a rebuild accepts the holes.
    @Test func theOtherInboxIsUntouchedAndARebuildAcceptsTheHoles() async throws {
        let fixture = try await interleaved(20)
        let before = try await fixture.events()
        try await erase(fixture.key, fixture)
        #expect(fixture.registry.update { $0.erasures } == [])
        #expect(try await fixture.registry.floor(of: fixture.user).generation == 1)
        let kept = before.filter { $0.account == fixture.other }
        let after = try await fixture.events()
        #expect(after.count == kept.count + 1)
        #expect(Array(after.prefix(kept.count)) == kept)
        let gone = before.filter { $0.account == fixture.key }.map(\.seq)
        #expect(
            after.last?.body == .account(.erased(AccountErasure(generation: 1, ranges: SequenceRange.covering(gone)))))
        #expect(after.last?.seq == (before.last?.seq ?? 0) + 1)
        #expect(fixture.archive.update { $0.erased.count } == gone.count)
        for suffix in ["", "-wal"] {
            let bytes = FileManager.default.contents(atPath: fixture.path + suffix) ?? Data()
            #expect(bytes.range(of: Data("PLANTED".utf8)) == nil, "in events.db\(suffix)")
        }

        try await fixture.publish()
        let old = try await fixture.recovering { await fixture.recovery.rebuild(fixture.user) }
        #expect(try await fixture.events() == after)
        #expect(try await fixture.read { try $0.adoption(fixture.other) } == nil, "nothing is missing")
        #expect(try await fixture.read { try $0.isErased(gone[0]) })
        #expect(try await !fixture.read { try $0.isErased(kept[0].seq) })
        #expect(try await fixture.write { $0.generation } == 1)
        await fixture.stores.close()
        #expect(try StoreComparison(#require(old), fixture.path).differences(except: notInTheStream) == [])
    }

    /// More holes than one event may tell of.
    @Test func manyHolesAreToldInSeveralEvents() async throws {
        let fixture = try RecoveryFixture()
        for key in [fixture.key, fixture.other] { try await fixture.follow(key) }
        let rounds = AccountErasure.rangesMax + 5
        let now = fixture.time.now()
        try await fixture.write { transaction in
            for round in 0..<rounds {
                for key in [fixture.key, fixture.other] {
                    _ = try transaction.record(
                        .reauthRequired(reason: "\(round)"), of: key, origin: .incremental, at: now)
                }
            }
        }
        try await fixture.write { _ = try $0.erase(fixture.key, at: now) }
        let erased = try await fixture.events().compactMap { event -> AccountErasure? in
            guard case .account(.erased(let erasure)) = event.body else { return nil }
            #expect(event.payload().count <= EventPayload.bytesMax)
            return erasure
        }
        #expect(erased.map(\.ranges.count) == [AccountErasure.rangesMax, rounds + 1 - AccountErasure.rangesMax])
        #expect(erased.allSatisfy { $0.generation == 1 })
        await fixture.stores.close()
    }

    /// Killed, or without a stream, at any moment: the next start takes it up before anything else.
    @Test func anErasureThatWasInterruptedIsTakenUp() async throws {
        let fixture = try await interleaved(20)
        let now = fixture.archive.update { $0.calls }
        fixture.archive.update { state in state.failure = { $0 > now + 9 ? PublisherUnavailable(reason: "away") : nil }
        }
        fixture.registry.update { state in state.connected.removeAll { $0 == fixture.key } }
        try await fixture.recovering {
            try await fixture.recovery.erase(fixture.key)
            await fixture.time.waitForSleepers()
        }
        #expect(fixture.registry.update { $0.erasures } == [fixture.key])
        await fixture.stores.close()

        fixture.archive.update { $0.failure = { _ in nil } }
        let again = try fixture.again()
        #expect(try await again.recovery.prepare() == [again.key])
        #expect(again.supervision.log == ["suspend"])
        try await again.recovering { await again.recovery.finished(again.user) }
        #expect(again.registry.update { $0.erasures } == [])
        #expect(try await again.events().filter { $0.type == "account.erased" }.count == 1)
        let left = again.archive.update { $0.messages.map { String(decoding: $0.payload, as: UTF8.self) } }
        #expect(!left.contains { $0.contains("PLANTED") })
        #expect(left.filter { $0.contains("stays") }.count == 20)
        await again.stores.close()
    }
}
