import MailModel
import Testing

@testable import MailStore

@Suite struct OutboxTests {
    /// A store with events 1…5, all unconfirmed.
    private func filled() async throws -> StoreFixture {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.new("a"), .new("b"), .new("c"), .new("d"))
        return fixture
    }

    @Test func rowsWaitInOrderWithTheirPayload() async throws {
        let fixture = try await filled()
        let rows = try await fixture.read { try $0.unpublished(limit: 3) }
        #expect(rows.map(\.seq) == [1, 2, 3])
        #expect(rows.map(\.eventType) == ["account.connected", "email.received", "email.received"])
        #expect(rows[1].subject == "user.user_abc123.email.received")
        let event = try #require(try await fixture.events(after: 1).first)
        #expect(rows[1].message(of: fixture.user).payload == event.payload())
        #expect(rows[1].message(of: fixture.user).id == event.id)
        #expect(rows[1].recordedAt == fixture.now)
    }

    @Test func confirmingMovesProgressAndPrunes() async throws {
        let fixture = try await filled()
        try await fixture.write { try $0.confirm(through: 3, streamSequence: 77, stream: "2026-01-01", at: 9) }
        #expect(try await fixture.outbox().map(\.seq) == [4, 5])
        let state = try await fixture.dispatch()
        #expect((state.lastSeq, state.publishedSeq, state.outboxDepth) == (5, 3, 2))
        #expect((state.streamSequence, state.streamCreated) == (77, "2026-01-01"))
        #expect(state.oldestUnpublishedAt == fixture.now)
        let account = try await fixture.account()
        #expect((account.events, account.published, account.outboxDepth) == (5, 3, 2))
        #expect(try await fixture.events().count == 5)
    }

    @Test func confirmingAllLeavesNothingWaiting() async throws {
        let fixture = try await filled()
        try await fixture.write { try $0.confirm(through: 5, streamSequence: 80, stream: nil, at: 9) }
        let state = try await fixture.dispatch()
        #expect((state.publishedSeq, state.outboxDepth, state.oldestUnpublishedAt) == (5, 0, nil))
        #expect(state.streamCreated == nil)
        #expect(try await fixture.account().oldestUnpublishedAt == nil)
    }

    @Test func progressNeverGoesBackNorPastWhatExists() async throws {
        let fixture = try await filled()
        try await fixture.write { try $0.confirm(through: 4, streamSequence: 80, stream: "s", at: 9) }
        try await fixture.write { try $0.confirm(through: 2, streamSequence: 81, stream: nil, at: 9) }
        #expect(try await fixture.dispatch().publishedSeq == 4)
        #expect(try await fixture.dispatch().streamCreated == "s")
        try await fixture.write { try $0.confirm(through: 1_000, streamSequence: 82, stream: nil, at: 9) }
        #expect(try await fixture.dispatch().publishedSeq == 5)
        try await fixture.apply(.new("e"))
        #expect(try await fixture.outbox().map(\.seq) == [6])
    }

    @Test func depthIsKeptPerAccount() async throws {
        let fixture = try await filled()
        let second = AccountKey(user: fixture.user, provider: .google, inbox: try InboxID("work"))
        try await fixture.write {
            try $0.follow(second, mailbox: "w@example.com", cursor: .init("s"), estimatedTotal: 1, at: 5)
            _ = try $0.apply(.of([.new("a"), .new("b")]), to: second, at: 6)
            try $0.confirm(through: 7, streamSequence: 1, stream: nil, at: 9)
        }
        let accounts = try await fixture.read { try $0.accounts() }
        #expect(accounts.map(\.key.inbox.raw) == ["primary", "work"])
        #expect(accounts.map(\.events) == [5, 3])
        #expect(accounts.map(\.outboxDepth) == [0, 1])
        #expect(accounts.map(\.oldestUnpublishedAt) == [nil, 6])
        #expect(try await fixture.dispatch().outboxDepth == 1)
    }

    @Test func failedAttemptsAreKept() async throws {
        let fixture = try await filled()
        try await fixture.write { try $0.noteAttempt(seq: 1, retries: 3, nextAttemptAt: 500, reason: "no responders") }
        let row = try #require(try await fixture.outbox().first)
        #expect((row.retries, row.nextAttemptAt) == (3, 500))
    }

    @Test func aDeadLetterStaysUntilItIsSettled() async throws {
        let fixture = try await filled()
        try await fixture.write { try $0.deadLetter(seq: 2, reason: "10054 too large", at: 42) }
        #expect(try await fixture.dispatch().deadLetter == .init(seq: 2, reason: "10054 too large", since: 42))
        try await fixture.write { try $0.confirm(through: 1, streamSequence: 1, stream: nil, at: 9) }
        #expect(try await fixture.dispatch().deadLetter?.seq == 2)
        try await fixture.write { try $0.confirm(through: 2, streamSequence: 2, stream: nil, at: 9) }
        #expect(try await fixture.dispatch().deadLetter == nil)
        try await fixture.write {
            try $0.deadLetter(seq: 3, reason: "again", at: 42)
            try $0.clearDeadLetter()
        }
        #expect(try await fixture.dispatch().deadLetter == nil)
    }

    @Test func numbersStartAboveTheFloor() async throws {
        let fixture = try StoreFixture()
        let stores = UserStores(
            directory: fixture.directory.path + "/users", time: fixture.time, logger: .init(label: "test"),
            floor: { _ in SequenceFloor(lastSeq: 100, generation: 2) })
        let (key, user) = (fixture.key, fixture.user)
        let seq = try await stores.use(user) { store in
            try await store.write { transaction in
                try transaction.follow(key, mailbox: "m", cursor: .init(""), estimatedTotal: 0, at: 1)
                return try transaction.record(.disconnected, of: key, origin: .incremental, at: 2)
            }
        }
        #expect(seq == 102)
        let state = try await stores.use(user) { try await $0.read { try $0.dispatch() } }
        #expect((state.lastSeq, state.publishedSeq, state.outboxDepth, state.generation) == (102, 100, 2, 2))
        let event = try await stores.use(user) { try await $0.read { try $0.event(seq: 102) } }
        let expected = EventID.make(
            generation: 2, account: key, message: "", type: "account.disconnected", revision: 1)
        #expect(event?.id == expected)
        #expect(try await stores.use(user) { try await $0.read { try $0.event(seq: 7) } } == nil)
        await stores.close()
    }
}
