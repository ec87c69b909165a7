import MailModel
import Testing

@testable import MailStore

@Suite struct ApplyTests {
    /// Applies batches to a fresh account; returns the events after `account.connected`.
    private func events(_ batches: [MessageChange]...) async throws -> [String] {
        let fixture = try await StoreFixture().follow()
        for batch in batches { try await fixture.apply(.of(batch)) }
        return try await fixture.events(after: 1).map(\.line)
    }

    @Test func aNewMessageInScopeIsReceived() async throws {
        let fixture = try await StoreFixture().follow()
        let applied = try await fixture.apply(.new("a"))
        #expect(applied == AppliedBatch(received: 1, lastSeq: 2))
        let events = try await fixture.events()
        #expect(events.map(\.seq) == [1, 2])
        #expect(events.map(\.line) == ["connected", #"received a ["INBOX", "UNREAD"]"#])
        #expect(events[1].origin == .incremental)
        #expect(events[1].recordedAt == fixture.now)
        #expect(events[1].account == fixture.key)
    }

    @Test func aNewMessageOutOfScopeIsNot() async throws {
        let applied = try await StoreFixture().follow().apply(.read(.sample("a"), inScope: false))
        #expect(applied == AppliedBatch())
    }

    @Test func aKnownVersionIsIgnored() async throws {
        #expect(
            try await events([.new("a", labels: ["INBOX"], version: 5)], [.new("a", labels: ["X"], version: 5)])
                == [#"received a ["INBOX"]"#])
    }

    @Test func aNewerReadingWithOtherLabelsIsOneNetUpdate() async throws {
        #expect(
            try await events(
                [.new("a", labels: ["INBOX", "UNREAD"])], [.new("a", labels: ["WORK", "INBOX"], version: 2)])
                == [
                    #"received a ["INBOX", "UNREAD"]"#,
                    #"updated a ["INBOX", "WORK"] +["WORK"] -["UNREAD"]"#,
                ])
    }

    @Test func aNewerReadingWithTheSameLabelsOnlyRaisesTheVersion() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.new("a", version: 1))
        #expect(try await fixture.apply(.new("a", version: 9)) == AppliedBatch())
        let state = try await fixture.states(of: ["a", "b"])
        #expect(state == ["a": MessageState(id: "a", labels: ["INBOX", "UNREAD"], version: 9, exists: true)])
        #expect(try await fixture.apply(.labels(id: "a", labels: [], version: 9)) == AppliedBatch())
    }

    @Test func labelsAreComparedAsOfTheirVersion() async throws {
        #expect(
            try await events(
                [.new("a", labels: ["INBOX"], version: 5)], [.labels(id: "a", labels: ["OLD"], version: 4)],
                [.labels(id: "a", labels: ["B", "A", "B"], version: 6)],
                [.labels(id: "unknown", labels: [], version: 7)])
                == [#"received a ["INBOX"]"#, #"updated a ["A", "B"] +["A", "B"] -["INBOX"]"#])
    }

    @Test func aDeletionIsToldOnce() async throws {
        #expect(
            try await events([.new("a", labels: [])], [.deleted(id: "a")], [.deleted(id: "a")], [.deleted(id: "b")])
                == ["received a []", "deleted a"])
    }

    @Test func labelsOfADeletedMessageAreIgnored() async throws {
        #expect(
            try await events(
                [.new("a", labels: [])], [.deleted(id: "a")], [.labels(id: "a", labels: ["X"], version: 9)])
                == ["received a []", "deleted a"])
    }

    @Test func aDeletedMessageThatIsReadAgainIsRestored() async throws {
        #expect(
            try await events([.new("a", labels: ["A"])], [.deleted(id: "a")], [.new("a", labels: ["B"], version: 2)])
                == [#"received a ["A"]"#, "deleted a", #"updated a ["B"] +["B"] -["A"] restored"#])
    }

    @Test func aKnownMessageStaysTrackedOutOfScope() async throws {
        #expect(
            try await events(
                [.new("a", labels: ["INBOX"])], [.read(.sample("a", labels: ["TRASH"], version: 2), inScope: false)])
                == [#"received a ["INBOX"]"#, #"updated a ["TRASH"] +["TRASH"] -["INBOX"]"#])
    }

    @Test func severalChangesInOneBatchAreOneNetUpdate() async throws {
        #expect(
            try await events(
                [.new("a", labels: ["A"])],
                [
                    .labels(id: "a", labels: ["A", "B"], version: 2), .labels(id: "a", labels: ["C"], version: 3),
                    .labels(id: "a", labels: ["A", "D"], version: 4),
                ])
                == [#"received a ["A"]"#, #"updated a ["A", "D"] +["D"] -[]"#])
    }

    @Test func changesThatCancelOutAreNone() async throws {
        #expect(
            try await events(
                [.new("a", labels: ["A"])],
                [.labels(id: "a", labels: [], version: 2), .labels(id: "a", labels: ["A"], version: 3)])
                == [#"received a ["A"]"#])
    }

    @Test func updatesBeforeADeletionAreNotTold() async throws {
        #expect(
            try await events(
                [.new("a", labels: ["A"])], [.labels(id: "a", labels: [], version: 2), .deleted(id: "a")])
                == [#"received a ["A"]"#, "deleted a"])
    }

    @Test func aMessageThatCameAndWentInOneBatchIsNotTold() async throws {
        #expect(try await events([.new("a"), .deleted(id: "a")]) == [])
        #expect(
            try await events([.new("a"), .deleted(id: "a"), .new("a", labels: ["B"], version: 3)])
                == [#"received a ["B"]"#])
    }

    @Test func labelsThatChangeInTheBatchOfTheReceptionAreInIt() async throws {
        #expect(
            try await events([.new("a", labels: ["A"]), .labels(id: "a", labels: ["B"], version: 2)])
                == [#"received a ["B"]"#])
    }

    @Test func eventIDsFollowFromTheFactAlone() async throws {
        let batches: [[MessageChange]] = [
            [.new("a")], [.labels(id: "a", labels: [], version: 2)], [.labels(id: "a", labels: ["X"], version: 3)],
            [.deleted(id: "a")],
        ]
        let (first, second) = (try await StoreFixture().follow(), try await StoreFixture().follow())
        for batch in batches {
            try await first.apply(.of(batch))
            try await second.apply(.of(batch))
        }
        let ids = try await first.events().map(\.id)
        #expect(ids == (try await second.events().map(\.id)))
        #expect(Set(ids).count == 5)
        let expected = EventID.make(
            generation: 0, account: first.key, message: "a", type: "email.updated", revision: 2)
        #expect(ids[3] == expected)
    }

    @Test func anUnknownAccountIsRefusedAndAnotherUsersToo() async throws {
        let fixture = try StoreFixture()
        await #expect(throws: StoreFailure.unknownAccount(fixture.key)) { try await fixture.apply(.new("a")) }
        let other = AccountKey(user: try UserID("other"), provider: .google, inbox: .primary)
        await #expect(throws: StoreFailure.unknownAccount(other)) {
            try await fixture.write {
                try $0.follow(other, mailbox: "", cursor: Cursor(""), estimatedTotal: 0, at: 0)
            }
        }
    }

    @Test func theCursorMovesOnlyWithItsBatch() async throws {
        struct Undone: Error {}
        let fixture = try await StoreFixture().follow("before")
        await #expect(throws: Undone.self) {
            try await fixture.write { [key = fixture.key] in
                _ = try $0.apply(
                    .of([.new("a")], gaps: ["g"], labels: [.init(id: "L", name: "l", type: "user")], cursor: "after"),
                    to: key, at: 1)
                throw Undone()
            }
        }
        let account = try await fixture.account()
        #expect(account.cursor == Cursor("before"))
        #expect((account.stored, account.gaps, account.events) == (0, 0, 1))
        #expect(try await fixture.events().count == 1)
        #expect(try await fixture.outbox().count == 1)
        try await fixture.apply(.of([.new("a")], cursor: "after", phase: .backfill))
        let moved = try await fixture.account()
        #expect((moved.cursor, moved.phase) == (Cursor("after"), .backfill))
        #expect(try await fixture.events().map(\.seq) == [1, 2])
    }
}
