import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import MailSync

/// Comparing a mailbox with its store, at the end of a pass.
@Suite struct ComparisonTests {
    private func live(_ body: (SyncHarness) async throws -> Void) async throws {
        let sync = try await SyncHarness()
        sync.mailbox.fill(25)
        sync.start()
        try await sync.connect()
        try await sync.idle()
        try await body(sync)
        try await sync.stop()
    }

    /// Takes a message away, or puts one there, without the history saying so.
    private func secretly(_ sync: SyncHarness, delete: [String] = [], add: [String] = []) {
        sync.mailbox.change { state in
            for id in delete { state.messages[id] = nil }
            for id in add {
                state.messages[id] = MessageMeta(id: id, threadID: id, date: 9, labels: ["INBOX"], version: 500)
            }
        }
    }

    @Test func whatAgreesIsRecordedAsVerified() async throws {
        try await live { sync in
            let before = try await sync.eventTypes()
            let findings = try await sync.manager.compare(sync.account, heals: true)
            var expected = MailboxFindings()
            expected.listed = 25
            #expect(findings == expected)
            #expect(try await sync.eventTypes() == before)
            let stored = try await sync.stored()
            #expect(stored?.lastVerifiedAt == sync.time.now() && stored?.missing == 0)
            // Nothing was read to learn that.
            #expect(!sync.mailbox.calls.contains(.read) && sync.mailbox.calls.last == .changes)
        }
    }

    @Test func differencesAreReadAndReportedOnly() async throws {
        try await live { sync in
            secretly(sync, delete: ["old1003"], add: ["hidden1", "hidden2"])
            let before = try await sync.eventTypes()
            let findings = try await sync.manager.compare(sync.account, heals: false)
            #expect(Set(findings.missing) == ["hidden1", "hidden2"] && findings.gone == ["old1003"])
            #expect(findings.emitted == 0)
            #expect(try await sync.eventTypes() == before)
            #expect(try await sync.stored()?.missing == 2)
        }
    }

    @Test func healingEmitsThemAsRepair() async throws {
        try await live { sync in
            secretly(sync, delete: ["old1003"], add: ["hidden1", "hidden2"])
            let cursor = try await sync.stored()?.cursor
            let findings = try await sync.manager.compare(sync.account, heals: true)
            #expect(findings.emitted == 3)
            let origins = try await sync.stores.use(sync.account.user) { store in
                try await store.read { try $0.events(after: 0, limit: 1000).suffix(3).map(\.origin) }
            }
            #expect(origins == [.repair, .repair, .repair])
            #expect(
                try await sync.eventTypes().suffix(3).sorted() == ["email.deleted", "email.received", "email.received"])
            #expect(try await sync.stored()?.missing == 0)
            #expect(try await sync.stored()?.cursor == cursor)
            let again = try await sync.manager.compare(sync.account, heals: true)
            #expect(again.missing.isEmpty && again.gone.isEmpty && again.emitted == 0)
        }
    }

    @Test func whatIsOnItsWayIsNotMissing() async throws {
        try await live { sync in
            let mailbox = sync.mailbox
            mailbox.change { state in
                state.interception = { call in if call == .list { mailbox.deliver("arriving") } }
            }
            let findings = try await sync.manager.compare(sync.account, heals: false)
            #expect(findings.missing.isEmpty)
            #expect(try await sync.received().contains("arriving"))
        }
    }

    @Test func whatCannotBeReadGoesToTheGapLedger() async throws {
        try await live { sync in
            secretly(sync, add: ["broken"])
            sync.mailbox.change { $0.unreadable = ["broken"] }
            let findings = try await sync.manager.compare(sync.account, heals: true)
            #expect(findings.unreadable == ["broken"] && findings.emitted == 0)
            let stored = try await sync.stored()
            #expect(stored?.gaps == 1 && stored?.missing == 1)
            // Retried by the ledger from here on: no difference any more.
            #expect(try await sync.manager.compare(sync.account, heals: true).unreadable.isEmpty)

            // Given up, it counts apart, and comes back when it can be read.
            let account = sync.account
            _ = try await sync.stores.use(account.user) { store in
                try await store.write { try $0.giveUpGap(account, "broken", because: "test", at: 1) }
            }
            let givenUp = try await sync.manager.compare(sync.account, heals: true)
            #expect(givenUp.unreadable.isEmpty && givenUp.missing.isEmpty)
            #expect(try await sync.stored()?.givenUp == 1)
            #expect(try await sync.stored()?.missing == 0)
            sync.mailbox.change { $0.unreadable = [] }
            #expect(try await sync.manager.compare(sync.account, heals: true).missing == ["broken"])
            #expect(try await sync.stored()?.givenUp == 0)
            #expect(try await sync.received().contains("broken"))
        }
    }

    @Test func aFailureIsTheReasonWhyItCouldNotBeCompared() async throws {
        try await live { sync in
            sync.mailbox.fail(.list, SyncFailure(.retry(after: nil, scope: .account), code: "server_error", "down"))
            await #expect(throws: CannotCompare.self) { try await sync.manager.compare(sync.account, heals: true) }
            let stored = try await sync.stored()
            #expect(stored?.lastVerifiedAt == nil)
        }
    }

    @Test func whoIsNotConnectedCannotBeCompared() async throws {
        try await live { sync in
            let other = AccountKey(user: sync.account.user, provider: .google, inbox: try InboxID("other"))
            await #expect(throws: CannotCompare.self) { try await sync.manager.compare(other, heals: true) }
        }
    }

    @Test func manyIDsAreToldApartInSixteenBytesEach() {
        var digests = IDDigests()
        for number in 0..<200_000 { digests.insert("AAMkAGI1-\(number)") }
        digests.seal()
        #expect((0..<200_000).allSatisfy { digests.contains("AAMkAGI1-\($0)") })
        #expect(!(200_000..<210_000).contains { digests.contains("AAMkAGI1-\($0)") })
    }
}
