import MailModel
import ProviderClient
import ProviderEmulator
import Testing

@testable import OutlookProvider

/// What happens when the provider does not answer as it should.
@Suite struct ReadingTests {
    @Test func aPassingFailureIsTriedAgainAtOnce() async throws {
        let faults: [FaultResponse] = [
            .graphError(.unavailable), .graphError(.generalException), .graphError(.gatewayTimeout), .html502, .garbage,
            .graphError(.mailboxConcurrency), .graphError(.tooManyRequests), .status(503), .drop,
        ]
        for fault in faults {
            try await OutlookFixture.run({ $0.messages = 5 }) { outlook in
                outlook.fault(.messagesDelta, times: 2, fault)
                try await outlook.settle()
                try await outlook.expectInStep()
                #expect(outlook.time.slept.contains(.milliseconds(500)), "\(fault)")
            }
        }
    }

    @Test func theBudgetIsToldToSlowDown() async throws {
        try await OutlookFixture.run({ $0.messages = 5 }) { outlook in
            outlook.fault(.messagesDelta, times: 1, .graphError(.mailboxMoving))
            outlook.fault(.messagesDelta, times: 1, .graphError(.tooManyRequests))
            try await outlook.settle()
            #expect(outlook.budget.throttles.contains(.seconds(5)))
        }
    }

    @Test func anExpiredTokenIsReplacedOnce() async throws {
        try await OutlookFixture.run({ options in
            options.messages = 120
            options.outlook.fullPageSize = 50
        }) { outlook in
            _ = try await outlook.pass(slice: 1)
            outlook.graph.expireAccessTokens(of: OutlookFixture.address)
            try await outlook.pass()
            try await outlook.expectInStep()
            #expect(outlook.tokens.replaced.current == 1)
        }
    }

    /// Parts of a batch that are throttled are asked for again; none is dropped.
    @Test func throttledPartsAreReadAgain() async throws {
        for error in [GraphError.mailboxConcurrency, .tooManyRequests, .unavailable, .failedDependency, .tokenExpired] {
            try await OutlookFixture.run({ $0.messages = 40 }) { outlook in
                try await outlook.pass()
                let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
                for id in ids.prefix(30) { try outlook.delete(id) }
                outlook.fault(.messagesGet, skip: 3, times: 6, .graphError(error))
                try await outlook.settle()
                try await outlook.settle()
                try await outlook.expectInStep("\(error.code)")
                #expect(try await outlook.state().gaps == 0)
            }
        }
    }

    /// A removal whose message cannot be read stays pending, and the others are settled.
    @Test func aRemovalThatCannotBeLookedIntoBlocksNoOther() async throws {
        try await OutlookFixture.run({ $0.messages = 10 }) { outlook in
            try await outlook.pass()
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            outlook.fault(.messagesGet, match: ids[2], times: nil, .garbage)
            let lines = try await outlook.news {
                for id in ids.prefix(5) { try outlook.delete(id) }
            }
            #expect(lines.count == 4 && !lines.contains("deleted \(ids[2])"))
            #expect(try await outlook.pending() == [ids[2]])
            outlook.graph.faults.removeAll()
            let settled = try await outlook.news()
            #expect(settled == ["deleted \(ids[2])"])
        }
    }

    /// An entry that cannot be read has no id or cannot be read alone either: the others are received.
    @Test func anUnreadableEntrySpoilsNoPage() async throws {
        try await OutlookFixture.run({ $0.messages = 12 }) { outlook in
            outlook.fault(.messagesDelta, match: "select", times: 1, .page(.missingID))
            try await outlook.pass()
            #expect(try await outlook.state().stored == 11)
            #expect(try await outlook.state().phase == .live)
        }
    }

    /// Its id is known: it is read alone, three times, and then it is a gap.
    @Test func aMessageOfTheWrongShapeIsAGapAndReadLater() async throws {
        try await OutlookFixture.run({ $0.messages = 12 }) { outlook in
            let id = try outlook.graph.messageIDs(of: OutlookFixture.address)[4]
            outlook.fault(.messagesDelta, times: nil, .page(.damagedItem(id: id)))
            outlook.fault(.messagesGet, match: id, times: nil, .garbage)
            try await outlook.pass()
            let state = try await outlook.state()
            #expect(state.stored == 11 && state.gaps == 1 && state.phase == .live)
            outlook.graph.faults.removeAll()
            outlook.time.advance(by: .seconds(86_400))
            try await outlook.pass()
            try await outlook.expectInStep()
            #expect(try await outlook.state().gaps == 0)
        }
    }

    @Test func aMissingGrantNeedsTheUser() async throws {
        try await OutlookFixture.run { outlook in
            outlook.fault(.messagesDelta, times: nil, .graphError(.accessDenied))
            let failure = try await outlook.failure()
            #expect(failure?.decision == .reauthenticate)
        }
        try await OutlookFixture.run { outlook in
            outlook.fault(.foldersDelta, times: nil, .graphError(.noMailbox))
            let failure = try await outlook.failure()
            #expect(failure?.code == "mail_not_enabled")
        }
    }

    /// Faults of every kind at every tenth request: in the end nothing is missing.
    @Test func randomFaultsLoseAndDoubleNothing() async throws {
        let seed = UInt64.random(in: 1...1_000_000)
        try await OutlookFixture.run({ options in
            options.messages = 300
            options.outlook.fullPageSize = 40
        }) { outlook in
            outlook.graph.faults.setRandom(
                RandomFaults(rate: 0.1, seed: seed, endpoints: [.anyGraph], responses: RandomFaults.transientGraph))
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            try await outlook.settle()
            for round in 0..<5 {
                for index in 0..<6 { try outlook.deliver("new \(round) \(index)") }
                try outlook.delete(ids[round * 4])
                try outlook.move(ids[round * 4 + 1], to: "archive")
                try outlook.graph.setFlag(ids[round * 4 + 2], .flagged, in: OutlookFixture.address)
                try await outlook.settle()
            }
            outlook.graph.faults.setRandom(nil)
            outlook.time.advance(by: .seconds(86_400))
            try await outlook.settle()
            try await outlook.settle()
            try await outlook.expectInStep("seed \(seed)")
            #expect(try await outlook.state().gaps == 0, "seed \(seed)")
        }
    }

    @Test func gapsAreReadAgainOneByOne() async throws {
        try await OutlookFixture.run({ $0.messages = 6 }) { outlook in
            try await outlook.pass()
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            try outlook.delete(ids[0])
            try outlook.move(ids[1], to: "recoverableitemsdeletions")
            let cursor = try await outlook.state().cursor
            let batch = try await outlook.session().read(
                ids: [ids[0], ids[1], ids[2], "bad id\u{0}"], cursor: cursor, phase: .live)
            #expect(Set(batch.vanished) == [ids[0], ids[1]] && batch.gaps.isEmpty)
            #expect(batch.changes.count == 1 && batch.cursor == cursor && batch.phase == .live && !batch.more)
        }
    }

    @Test func aListingHoldsEveryMessageOnTheRightSide() async throws {
        try await OutlookFixture.run({ options in
            options.messages = 30
            options.outlook.lightPageSize = 12
        }) { outlook in
            let junk = try outlook.deliver("junk", to: "junkemail")
            let draft = try outlook.deliver("draft", to: "drafts")
            let archived = try outlook.deliver("archived", to: "archive")
            let session = outlook.session()
            var (inside, outside) = (Set<String>(), Set<String>())
            var position: Cursor?
            repeat {
                let page = try await session.list(from: position)
                inside.formUnion(page.inScope)
                outside.formUnion(page.outOfScope)
                position = page.next
            } while position != nil
            #expect(outside == [junk, draft] && inside.count == 31 && inside.contains(archived))
        }
    }

    @Test func theMailboxIsKnownByItsUsersID() async throws {
        try await OutlookFixture.run { outlook in
            let profile = try await outlook.session().profile()
            #expect(!profile.identity.isEmpty && !profile.identity.contains("@"))
            #expect(try OutlookCursor(profile.startingCursor) == OutlookCursor())
        }
    }
}
