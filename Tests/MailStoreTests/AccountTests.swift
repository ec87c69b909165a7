import MailModel
import Testing

@testable import MailStore

@Suite struct AccountTests {
    private func set(_ change: StatusChange, _ fixture: StoreFixture, at now: UnixSeconds = 99) async throws {
        try await fixture.write { [key = fixture.key] in try $0.setStatus(key, change, at: now) }
    }

    @Test func followingANewMailboxIsAnEvent() async throws {
        let fixture = try await StoreFixture().follow("here")
        let account = try await fixture.account()
        #expect(
            account
                == AccountSync(
                    key: fixture.key, cursor: Cursor("here"), phase: .starting, status: .starting,
                    mailbox: "a@example.com", estimatedTotal: 10, events: 1, outboxDepth: 1,
                    oldestUnpublishedAt: fixture.now, updatedAt: fixture.now))
        let event = try #require(try await fixture.events().first)
        #expect(event.body == .account(.connected(mailbox: "a@example.com")))
        #expect(event.origin == .backfill)
    }

    @Test func followingAgainKeepsCursorAndCounters() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.of([.new("a")], cursor: "far", phase: .live))
        try await set(.succeeded, fixture)
        try await set(.reauthRequired(message: "sign in again"), fixture)
        try await fixture.follow("start over")
        let account = try await fixture.account()
        #expect((account.cursor, account.phase, account.stored) == (Cursor("far"), .live, 1))
        #expect((account.status, account.lastError, account.lastErrorCode) == (.active, nil, nil))
        #expect(account.events == 2)
    }

    @Test func connectingAgainAfterAStopIsAnEvent() async throws {
        let fixture = try await StoreFixture().follow()
        try await set(.stopped, fixture)
        try await fixture.follow()
        try await fixture.follow()
        let events = try await fixture.events()
        #expect(events.map(\.line) == ["connected", "connected"])
        #expect(Set(events.map(\.id)).count == 2)
    }

    @Test func statusFollowsThePasses() async throws {
        let fixture = try await StoreFixture().follow()
        try await set(.failed(code: "http_500", message: "try later", retryCount: 2, nextAttemptAt: 160), fixture)
        var account = try await fixture.account()
        #expect((account.status, account.lastErrorCode, account.lastError) == (.error, "http_500", "try later"))
        #expect((account.retryCount, account.nextAttemptAt, account.lastSyncedAt) == (2, 160, nil))
        try await set(.succeeded, fixture, at: 200)
        account = try await fixture.account()
        #expect((account.status, account.lastErrorCode, account.lastError) == (.active, nil, nil))
        #expect((account.retryCount, account.nextAttemptAt, account.lastSyncedAt) == (0, nil, 200))
        try await set(.failed(code: "c", message: "m", retryCount: 1, nextAttemptAt: nil), fixture, at: 300)
        #expect(try await fixture.account().lastSyncedAt == 200)
    }

    @Test(arguments: [
        (StatusChange.reauthRequired(message: "m"), AccountStatus.reauthRequired), (.stopped, .stopped),
        (.wrongMailbox(message: "m"), .wrongMailbox), (.behindStream(message: "m"), .behindStream),
    ])
    func otherStates(change: StatusChange, status: AccountStatus) async throws {
        let fixture = try await StoreFixture().follow()
        try await set(change, fixture)
        let account = try await fixture.account()
        #expect(account.status == status)
        #expect(account.lastError == (status == .stopped ? nil : "m"))
        #expect(status.apiName == status.rawValue.lowercased())
    }

    @Test func everyAccountEventReadsBack() async throws {
        let facts: [AccountEvent] = [
            .connected(mailbox: "é\u{0}@example.com"), .disconnected, .reauthRequired(reason: "gone \"for good\""),
            .labels([]), .labels([.init(id: "Label_1", name: "A\u{0}/b", type: "user")]),
        ]
        let fixture = try await StoreFixture().follow()
        let seqs = try await fixture.write { [key = fixture.key] transaction in
            try facts.map { try transaction.record($0, of: key, origin: .repair, at: 5) }
        }
        #expect(seqs == [2, 3, 4, 5, 6])
        let events = try await fixture.events(after: 1)
        #expect(events.map(\.body) == facts.map { .account($0) })
        #expect(events.map { $0.payload() } == (try await fixture.outbox().dropFirst().map(\.payload)))
    }

    @Test func labelsAreAnnouncedWhenTheyDiffer() async throws {
        let (a, b) = (MailLabel(id: "A", name: "a", type: "user"), MailLabel(id: "B", name: "b", type: "system"))
        let renamed = MailLabel(id: "A", name: "other", type: "user")
        let fixture = try await StoreFixture().follow()
        for labels in [[b, a], [a, b], nil, [renamed, b], [b], []] {
            try await fixture.apply(.of([], labels: labels))
        }
        let events = try await fixture.events(after: 1)
        #expect(events.map(\.body) == [[a, b], [renamed, b], [b], []].map { .account(.labels($0)) })
    }

    @Test func knownMessagesArePagedById() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.new("c"), .new("a"), .new("d"), .new("b", labels: ["X"], version: 4))
        try await fixture.apply(.deleted(id: "c"))
        let known = try await fixture.stores.use(fixture.user) { [key = fixture.key] store in
            let known = store.known(key)
            return (
                try await known.present(after: nil, limit: 2), try await known.present(after: "b", limit: 2),
                try await known.states(of: ["c"])
            )
        }
        #expect(known.0.map(\.id) == ["a", "b"])
        #expect(known.0.last == MessageState(id: "b", labels: ["X"], version: 4, exists: true))
        #expect(known.1.map(\.id) == ["d"])
        #expect(known.2["c"]?.exists == false)
    }

    @Test func anAccountThatIsNotFollowedIsNil() async throws {
        let fixture = try await StoreFixture().follow()
        let other = AccountKey(user: fixture.user, provider: .google, inbox: try InboxID("other"))
        let foreign = AccountKey(user: try UserID("x"), provider: .google, inbox: .primary)
        let accounts = try await fixture.read { [try $0.account(other), try $0.account(foreign)] }
        #expect(accounts == [nil, nil])
        await #expect(throws: StoreFailure.unknownAccount(other)) {
            try await fixture.write { try $0.setStatus(other, .stopped, at: 1) }
        }
    }
}
