import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import MailSync

/// What every adapter must do, tested alike on each of them and on the fake that other tests trust.
@Suite struct ConformanceTests {
    @Test(arguments: Adapter.allCases) func aMailboxIsBackfilledOnceAndQuietAfterwards(_ adapter: Adapter) async throws
    {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(35)
            #expect(try await run.pass() == .caughtUp)
            try await run.expectInStep()
            #expect(try await run.state().phase == .live)
            #expect(try await run.events().count == 35)
            #expect(try await run.events().allSatisfy { $0.origin == .backfill })
            let last = try await run.lastSeq()
            for _ in 0..<3 { #expect(try await run.pass() == .caughtUp) }
            #expect(try await run.lastSeq() == last, "a quiet mailbox emits nothing")
        }
    }

    @Test(arguments: Adapter.allCases) func anEmptyMailboxIsLiveAtOnce(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            #expect(try await run.pass() == .caughtUp)
            #expect(try await run.state().phase == .live)
            let id = try run.mailbox.arrive()
            try await run.pass()
            #expect(try await run.events().map(\.kindAndID) == ["received \(id)"])
        }
    }

    @Test(arguments: Adapter.allCases) func anInterruptedBackfillGoesOn(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(450)
            var slices = 0
            while try await run.pass(slice: 1) == .sliceOver {
                slices += 1
                try #require(slices < 200, "the backfill does not come to an end")
                try await run.expectNothingTwice()
            }
            #expect(slices >= 2)
            try await run.expectInStep()
            let spent = run.mailbox.requests
            try await run.pass()
            #expect(run.mailbox.requests - spent < 30, "the content is not read again")
        }
    }

    @Test(arguments: Adapter.allCases) func aBackfillWhosePagesExpiredGoesOn(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(700)
            #expect(try await run.pass(slice: 2) == .sliceOver)
            try run.mailbox.expirePages()
            try await run.settle()
            try await run.expectInStep()
        }
    }

    @Test(arguments: Adapter.allCases) func mailThatChangesDuringABackfillIsNeitherLostNorDoubled(
        _ adapter: Adapter
    ) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(450)
            let ids = try run.mailbox.inScope().sorted()
            #expect(try await run.pass(slice: 1) == .sliceOver)
            _ = try run.mailbox.arrive()
            for id in [ids[0], ids[225], ids[449]] { try run.mailbox.delete(id) }
            for id in [ids[1], ids[226], ids[448]] { try run.mailbox.setStarred(id, true) }
            for id in [ids[2], ids[227], ids[447]] { try run.mailbox.trash(id) }
            #expect(try await run.pass(slice: 1) == .sliceOver)
            _ = try run.mailbox.arrive()
            try await run.settle()
            try await run.expectInStep()
            let last = try await run.lastSeq()
            try await run.pass()
            #expect(try await run.lastSeq() == last)
        }
    }

    @Test(arguments: Adapter.allCases) func everyChangeIsOneEvent(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            let mailbox = run.mailbox
            try mailbox.fill(6)
            try await run.pass()
            let ids = try mailbox.inScope().sorted()
            let seq = try await run.lastSeq()
            let new = try mailbox.arrive()
            try mailbox.setStarred(ids[0], true)
            try mailbox.setRead(ids[1], false)
            try mailbox.trash(ids[2])
            try mailbox.delete(ids[3])
            try mailbox.setStarred(ids[4], true)
            try mailbox.setStarred(ids[4], false)
            try await run.pass()
            let first = Set(try await run.events(after: seq).map(\.kindAndID))
            #expect(
                first == [
                    "received \(new)", "updated \(ids[0])", "updated \(ids[1])", "updated \(ids[2])",
                    "deleted \(ids[3])",
                ])
            #expect(try await run.events(after: seq).count == 5)
            try await run.expectInStep()

            let second = try await run.lastSeq()
            try mailbox.restore(ids[2])
            try mailbox.setRead(ids[1], true)
            try mailbox.trash(ids[0])
            try mailbox.delete(ids[0])
            try await run.pass()
            let net = try await run.events(after: second).map(\.kindAndID)
            #expect(net.sorted() == ["deleted \(ids[0])", "updated \(ids[1])", "updated \(ids[2])"].sorted())
            try await run.expectInStep()
        }
    }

    @Test(arguments: Adapter.allCases) func mailThatComesIntoScopeIsReceived(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(3)
            try await run.pass()
            let trashed = try #require(try run.mailbox.truth().first { $0.value.contains("TRASH") }?.key)
            try run.mailbox.setStarred(trashed, true)
            let seq = try await run.lastSeq()
            try await run.pass()
            #expect(try await run.lastSeq() == seq, "what is out of scope makes no event")
            try run.mailbox.restore(trashed)
            try await run.pass()
            #expect(try await run.events(after: seq).map(\.kindAndID) == ["received \(trashed)"])
            try await run.expectInStep()
        }
    }

    @Test(arguments: Adapter.allCases) func anExpiredCursorEmitsExactlyTheDifferences(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            let mailbox = run.mailbox
            try mailbox.fill(120)
            try await run.pass()
            let ids = try mailbox.inScope().sorted()
            let seq = try await run.lastSeq()
            let new = try mailbox.arrive()
            try mailbox.delete(ids[5])
            try mailbox.setStarred(ids[6], true)
            try mailbox.trash(ids[7])
            try mailbox.expireCursors()
            try await run.settle()
            let differences = try await run.events(after: seq)
            #expect(
                differences.map(\.kindAndID).sorted()
                    == ["deleted \(ids[5])", "received \(new)", "updated \(ids[6])", "updated \(ids[7])"].sorted())
            try await run.expectInStep()
            try mailbox.expireCursors()
            try await run.settle()
            #expect(try await run.events(after: seq).count == 4, "nothing twice")
        }
    }

    @Test(arguments: Adapter.allCases) func aPoisonedMessageBlocksNobodyAndIsReadLater(_ adapter: Adapter) async throws
    {
        try await ConformanceRun.on(adapter) { run in
            let mailbox = run.mailbox
            try mailbox.fill(12)
            let poisoned = try mailbox.inScope().sorted()[6]
            try mailbox.setUnreadable(poisoned, true)
            try await run.settle()
            #expect(try await run.state().gaps == 1)
            #expect(try await run.state().stored == 11)
            #expect(try await run.state().phase == .live)
            _ = try mailbox.arrive()
            try await run.settle()
            #expect(try await run.state().stored == 12)
            try mailbox.setUnreadable(poisoned, false)
            conformanceTime.advance(by: .seconds(86_400))
            try await run.settle()
            #expect(try await run.state().gaps == 0)
            try await run.expectInStep()
        }
    }

    @Test(arguments: Adapter.allCases, Trouble.allCases) func troubleLosesAndDoublesNothing(
        _ adapter: Adapter, _ trouble: Trouble
    ) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(130)
            try run.mailbox.trouble(trouble, times: 5)
            try await run.settle()
            try await run.expectInStep("\(trouble)")
            #expect(try await run.state().gaps == 0, "an outage fills no ledger")
            for times in [1, 4, 9] {
                _ = try run.mailbox.arrive()
                try run.mailbox.delete(try #require(try run.mailbox.inScope().sorted().first))
                try run.mailbox.trouble(trouble, times: times)
                try await run.settle()
                // What is left of the trouble must not meet the next round.
                try await run.settle()
                try await run.expectInStep("\(trouble)")
            }
            #expect(try await run.state().gaps == 0)
        }
    }

    @Test(arguments: Adapter.allCases) func anAccessTokenThatEndsIsReplaced(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(130)
            #expect(try await run.pass(slice: 1) == .sliceOver)
            try run.mailbox.expireAccessToken()
            #expect(try await run.pass() == .caughtUp)
            try await run.expectInStep()
        }
    }

    @Test(arguments: Adapter.allCases) func aWithdrawnPermissionIsTheUsersToGiveAgain(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(20)
            try await run.pass()
            _ = try run.mailbox.arrive()
            try run.mailbox.revoke()
            #expect(try await run.failure()?.decision == .reauthenticate)
            try await run.connect()
            try await run.pass(checksMailbox: true)
            try await run.expectInStep()
        }
    }

    @Test(arguments: Adapter.allCases) func anotherMailboxIsRefusedAndNothingWritten(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(5)
            try await run.pass()
            let before = try await run.state()
            try await run.connect(try run.mailbox.foreignGrant())
            await #expect(throws: WrongMailbox.self) { try await run.pass(checksMailbox: true) }
            #expect(try await run.state() == before)
            try await run.connect()
            #expect(try await run.pass(checksMailbox: true) == .caughtUp)
            try await run.expectInStep()
        }
    }

    @Test(arguments: Adapter.allCases) func aListingHoldsEveryMessageOnTheRightSide(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(40)
            let session = try await run.session()
            var (inside, outside) = (Set<String>(), Set<String>())
            var position: Cursor?
            repeat {
                let page = try await session.list(from: position)
                inside.formUnion(page.inScope)
                outside.formUnion(page.outOfScope)
                position = page.next
            } while position != nil
            #expect(inside.subtracting(outside) == (try run.mailbox.inScope()))
            #expect(inside.union(outside) == Set(try run.mailbox.truth().keys))
        }
    }

    /// Everything at once, in an order that follows from the seed.
    @Test(arguments: Adapter.allCases, [1, 2, 3] as [UInt64]) func whateverHappensStoreAndMailboxEndInStep(
        _ adapter: Adapter, _ offset: UInt64
    ) async throws {
        let seed = SeededGenerator.seedOfThisRun &+ offset
        try await ConformanceRun.on(adapter) { run in
            var random = SeededGenerator(seed: seed)
            try run.mailbox.fill(60)
            for _ in 0..<120 { try await run.step(&random) }
            try await run.settle()
            try await run.settle()
            try await run.expectInStep("seed \(seed)")
            let last = try await run.lastSeq()
            try await run.settle()
            #expect(try await run.lastSeq() == last, "seed \(seed)")
        }
    }
}

extension ConformanceRun {
    func session() async throws -> any MailboxSession {
        mailbox.provider.session(since: since, tokens: try await tokens.tokens(for: account), budget: budget)
    }

    func expectNothingTwice(_ location: SourceLocation = #_sourceLocation) async throws {
        let kinds = try await events().map(\.kindAndID).filter { $0.hasPrefix("received") }
        #expect(Set(kinds).count == kinds.count, sourceLocation: location)
    }

    /// One random change, trouble or pass.
    fileprivate func step(_ random: inout SeededGenerator) async throws {
        let truth = try mailbox.truth()
        let id = truth.keys.sorted().randomElement(using: &random)
        let isTrashed = id.flatMap { truth[$0] }?.contains("TRASH") == true
        switch (Int.random(in: 0..<22, using: &random), id) {
        case (0..<4, _): _ = try mailbox.arrive()
        case (4..<7, let id?): try mailbox.setStarred(id, Bool.random(using: &random))
        case (7..<9, let id?): try mailbox.setRead(id, Bool.random(using: &random))
        case (9..<12, let id?): try isTrashed ? mailbox.restore(id) : mailbox.trash(id)
        case (12..<14, let id?): try mailbox.delete(id)
        case (14, _): try mailbox.expireCursors()
        case (15, _): try mailbox.expirePages()
        case (17, _): _ = try await startImport(MailSelection(from: Bool.random(using: &random) ? 1000 : nil))
        case (16, _): try mailbox.trouble(Trouble.allCases.randomElement(using: &random) ?? .dropped, times: 1)
        default:
            do {
                try await pass(slice: Int.random(in: 0...3, using: &random))
            } catch let failure as SyncFailure {
                guard case .retry = failure.decision else { throw failure }
            }
        }
    }
}
