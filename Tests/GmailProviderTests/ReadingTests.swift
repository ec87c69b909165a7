import MailModel
import ProviderEmulator
import Testing

@testable import GmailProvider

/// What happens when the provider does not answer as it should.
@Suite struct ReadingTests {
    private func connected(
        messages: Int, _ adjust: (inout GmailFixture.Options) -> Void = { _ in },
        _ body: (GmailFixture) async throws -> Void
    ) async throws {
        try await GmailFixture.run({ options in
            options.messages = messages
            adjust(&options)
        }) { gmail in
            try await gmail.connect()
            try await body(gmail)
        }
    }

    /// TRAPS 7: parts that fail are tried alone; nothing is dropped.
    @Test(arguments: [
        GmailError.backendError, .unavailable, .tooManyConcurrent, .resourceExhausted, .perUserQuota, .userRateLimit,
        .authError, .precondition,
    ])
    func aPartThatFailsIsReadAlone(error: GmailError) async throws {
        try await connected(messages: 40) { gmail in
            let ids = try gmail.google.messageIDs(of: GmailFixture.address)
            for id in ids.suffix(3) { gmail.google.faults.add(Fault(.gmail(.messagesGet), match: id, .error(error))) }
            let batches = try await gmail.backfillAll()
            #expect(batches.flatMap(\.gaps).isEmpty && batches.flatMap(\.vanished).isEmpty)
            try await gmail.expectInStep()
        }
    }

    /// TRAPS 29: the budget is told of every kind of limit.
    @Test(arguments: [
        (GmailError.tooManyConcurrent, Duration.seconds(1)), (.perUserQuota, .seconds(5)),
        (.userRateLimit, .seconds(5)),
        (.resourceExhausted, .seconds(5)), (.userRateRetryAfter("2026-01-01T00:00:03.100Z"), .milliseconds(4000)),
    ])
    func limitsReachTheBudget(error: GmailError, pause: Duration) async throws {
        try await connected(messages: 20) { gmail in
            gmail.google.faults.add(Fault(.gmail(.messagesGet), .error(error)))
            try await gmail.backfillAll()
            #expect(gmail.budget.throttles == [pause])
            try await gmail.expectInStep()
        }
    }

    @Test func aLongWaitEndsThePassAndKeepsWhatWasRead() async throws {
        try await connected(messages: 40) { gmail in
            let ids = try gmail.google.messageIDs(of: GmailFixture.address)
            let fault = Fault(
                .gmail(.messagesGet), match: ids[20], times: nil, .error(.userRateRetryAfter("2026-01-01T01:00:00Z")))
            gmail.google.faults.add(fault)
            let failure = await gmail.failure { try await gmail.backfillAll() }
            #expect(failure?.decision == .retry(after: .seconds(3601), scope: .account))
            #expect(await gmail.store.present.count > 25)
            gmail.google.faults.removeAll()
            try await gmail.backfillAll(gmail.newSession())
            try await gmail.expectInStep()
        }
    }

    @Test func aMessageThatCannotBeReadIsAGapAndBlocksNothing() async throws {
        for fault in [FaultResponse.error(.backendError), .garbage, .html502, .status(400)] {
            try await connected(messages: 40) { gmail in
                let id = try #require(try gmail.expected().keys.max())
                gmail.google.faults.add(Fault(.gmail(.messagesGet), match: id, times: nil, fault))
                let batches = try await gmail.backfillAll()
                #expect(batches.flatMap(\.gaps).map(\.id) == [id], "\(fault)")
                #expect(await gmail.store.phase == .live)
                #expect(try await gmail.store.present == Set(gmail.expected().keys).subtracting([id]))
                gmail.google.faults.removeAll()
                let batch = try await gmail.session.read(ids: [id], cursor: gmail.store.cursor, phase: .live)
                await gmail.store.apply(batch)
                try await gmail.expectInStep()
            }
        }
    }

    @Test func aMessageAloneOnItsPageIsAGapWhenAnotherCanBeRead() async throws {
        try await connected(messages: 10) { gmail in
            try await gmail.backfillAll()
            let id = try gmail.deliver("Poison")
            gmail.google.faults.add(Fault(.gmail(.messagesGet), match: id, times: nil, .error(.backendError)))
            try await gmail.catchUp()
            #expect(await gmail.store.gaps.keys.sorted() == [id])
        }
    }

    @Test func theOnlyMessageOfAMailboxIsAGapWhenTheMailboxAnswers() async throws {
        try await GmailFixture.run { gmail in
            try await gmail.connect()
            let id = try gmail.deliver("Poison")
            gmail.google.faults.add(Fault(.gmail(.messagesGet), match: id, times: nil, .garbage))
            try await gmail.backfillAll()
            #expect(await gmail.store.gaps.keys.sorted() == [id])
        }
    }

    /// An outage must not fill the gap ledger, and must not cost a request for each message.
    @Test(arguments: [FaultResponse.error(.unavailable), .drop, .html502, .garbage])
    func anOutageIsNoGap(fault: FaultResponse) async throws {
        try await connected(messages: 60) { gmail in
            gmail.google.faults.add(Fault(.gmail(.messagesGet), times: nil, fault))
            let cursor = await gmail.store.cursor
            let failure = await gmail.failure { try await gmail.backfillAll() }
            guard case .retry(_, .account) = failure?.decision ?? .stop else {
                Issue.record("\(fault): \(String(describing: failure))")
                return
            }
            #expect(await gmail.store.gaps.isEmpty)
            #expect(await gmail.store.cursor == cursor)
        }
    }

    @Test func anOutageInTheMiddleKeepsWhatWasReadAndLedgersNothing() async throws {
        try await connected(messages: 90) { gmail in
            // The first batch of 50 passes, then nothing does.
            gmail.google.faults.add(Fault(.gmail(.messagesGet), skip: 50, times: nil, .error(.unavailable)))
            let failure = await gmail.failure { try await gmail.backfillAll() }
            #expect(failure?.code == "server_error")
            #expect(await gmail.store.gaps.isEmpty)
            #expect(await gmail.store.present.count >= 40)
            gmail.google.faults.removeAll()
            try await gmail.backfillAll(gmail.newSession())
            try await gmail.expectInStep()
        }
    }

    /// TRAPS 41 and more: whatever the batch endpoint answers as a whole.
    @Test(arguments: [
        FaultResponse.garbage, .html502, .drop, .loseAnswer, .truncate(bytes: 700), .oversized(bytes: 100_000),
        .error(.tooManyConcurrent), .error(.backendError), .status(503),
    ])
    func aBatchWithoutAUsableAnswerIsReadAgain(fault: FaultResponse) async throws {
        try await connected(messages: 30, { $0.gmail.batchBytesMax = 90_000 }) { gmail in
            gmail.google.faults.add(Fault(.batch, fault))
            let batches = try await gmail.backfillAll()
            #expect(batches.flatMap(\.gaps).isEmpty)
            try await gmail.expectInStep()
        }
    }

    @Test func aRedirectIsNotFollowed() async throws {
        try await connected(messages: 5) { gmail in
            gmail.google.faults.add(Fault(.gmail(.messagesList), .redirect("http://169.254.169.254/")))
            #expect(await gmail.failure { try await gmail.backfillAll() }?.code == "redirected")
        }
    }

    @Test func anAnswerOfUnlimitedSizeIsCut() async throws {
        try await connected(messages: 5, { $0.gmail.answerBytesMax = 50_000 }) { gmail in
            gmail.google.faults.add(Fault(.gmail(.messagesList), times: nil, .oversized(bytes: 200_000)))
            #expect(await gmail.failure { try await gmail.backfillAll() }?.code == "answer_too_large")
        }
    }

    @Test func aPassingFailureOfAListingIsTriedAgainAtOnce() async throws {
        for fault in [FaultResponse.error(.backendError), .garbage, .html502, .error(.userRateLimit)] {
            try await connected(messages: 5) { gmail in
                gmail.google.faults.add(Fault(.gmail(.messagesList), times: 2, fault))
                try await gmail.backfillAll()
                try await gmail.expectInStep()
                #expect(gmail.time.slept == [.milliseconds(500), .seconds(1)])
            }
        }
    }

    /// 401: one refresh for everything in flight.
    @Test(arguments: [GmailReading.batch(partsMax: 50), .multiplexed(concurrency: 6)])
    func anExpiredTokenIsReplacedOnce(reading: GmailReading) async throws {
        try await connected(messages: 160, { $0.gmail.reading = reading }) { gmail in
            try await gmail.backfillOnce()
            gmail.google.expireAccessTokens(of: GmailFixture.address)
            try await gmail.backfillAll()
            #expect(gmail.tokens.replaced.current == 1)
            try await gmail.expectInStep()
        }
    }

    @Test func aTokenThatExpiresInsideABatchIsReplacedOnce() async throws {
        try await connected(messages: 60) { gmail in
            gmail.google.faults.add(Fault(.gmail(.messagesGet), skip: 10, .expireAccessToken))
            try await gmail.backfillAll()
            #expect(gmail.tokens.replaced.current == 1)
            try await gmail.expectInStep()
        }
    }

    @Test func tokensThatAreAllRefusedPutTheAccountOffWithoutHammering() async throws {
        try await connected(messages: 5) { gmail in
            gmail.google.faults.add(Fault(.gmail(.messagesList), times: nil, .error(.authError)))
            let failure = await gmail.failure { try await gmail.backfillAll() }
            #expect(failure?.code == "unauthorized" && failure?.decision == .retry(after: nil, scope: .account))
            #expect(gmail.tokens.replaced.current == 1)
        }
    }

    @Test func aMissingScopeNeedsTheUser() async throws {
        try await GmailFixture.run({ $0.scopes = [GmailScope.labels] }) { gmail in
            #expect(await gmail.failure { _ = try await gmail.session.profile() }?.decision == .reauthenticate)
        }
    }

    @Test func aProjectsLimitConcernsTheProject() async throws {
        try await connected(messages: 5) { gmail in
            gmail.google.faults.add(Fault(.gmail(.messagesGet), times: nil, .error(.dailyLimit)))
            let failure = await gmail.failure { try await gmail.backfillAll() }
            #expect(failure?.decision == .retry(after: .seconds(3600), scope: .project))
            #expect(gmail.budget.throttles.contains(.seconds(3600)))
        }
    }

    /// Faults of every kind at every tenth request: in the end nothing is missing.
    @Test func randomFaultsLoseAndDoubleNothing() async throws {
        let seed = UInt64.random(in: 1...1_000_000)
        try await connected(messages: 400) { gmail in
            gmail.google.faults.setRandom(RandomFaults(rate: 0.1, seed: seed))
            var activity = MailboxActivity(address: GmailFixture.address, seed: seed)
            var passes = 0
            while await gmail.store.phase != .live {
                passes += 1
                try #require(passes < 400, "seed \(seed): no end")
                for _ in 0..<3 { _ = try activity.step(gmail.google) }
                do {
                    try await gmail.catchUp()
                    try await gmail.backfillOnce()
                } catch let failure as SyncFailure {
                    guard case .retry = failure.decision else {
                        Issue.record("seed \(seed): \(failure)")
                        return
                    }
                }
            }
            gmail.google.faults.setRandom(nil)
            try await gmail.catchUp()
            let gaps = await gmail.store.gaps.keys.sorted()
            await gmail.store.apply(
                try await gmail.session.read(ids: gaps, cursor: gmail.store.cursor, phase: .live))
            #expect(await gmail.store.gaps.isEmpty, "seed \(seed)")
            try await gmail.expectInStep()
        }
    }

    @Test func gapsAreReadAgainOneByOne() async throws {
        try await connected(messages: 20) { gmail in
            let ids = try gmail.expected().keys.sorted()
            try gmail.google.delete(ids[0], in: GmailFixture.address)
            gmail.google.faults.add(Fault(.gmail(.messagesGet), match: ids[1], times: nil, .error(.backendError)))
            let cursor = await gmail.store.cursor
            let batch = try await gmail.session.read(
                ids: [ids[0], ids[1], ids[2], "../x"], cursor: cursor, phase: .live)
            #expect(batch.vanished == [ids[0]] && batch.gaps.map(\.id) == [ids[1]])
            #expect(batch.changes.count == 1 && batch.cursor == cursor && batch.phase == .live && !batch.more)
            gmail.google.faults.removeAll()
            // Two that still cannot be read stay gaps; they do not end the pass that came for them.
            gmail.google.faults.add(Fault(.gmail(.messagesGet), times: nil, .error(.unavailable)))
            let again = try await gmail.session.read(ids: [ids[2], ids[3]], cursor: cursor, phase: .live)
            #expect(again.gaps.map(\.id) == [ids[2], ids[3]])
            gmail.google.faults.add(Fault(.anyGmail, times: nil, .error(.unavailable)))
            let failure = await gmail.failure {
                _ = try await gmail.session.read(ids: [ids[2], ids[3]], cursor: cursor, phase: .live)
            }
            #expect(failure?.code == "server_error")
        }
    }

    @Test(arguments: [GmailReading.batch(partsMax: 50), .multiplexed(concurrency: 40)])
    func tooMuchAtOnceIsMadeLess(reading: GmailReading) async throws {
        try await connected(
            messages: 300,
            { options in
                options.emulator.concurrentPerUserMax = 12
                options.gmail.reading = reading
            }
        ) { gmail in
            try await gmail.backfillAll()
            try await gmail.expectInStep()
            #expect(await gmail.store.gaps.isEmpty)
            // 50, 25 and then 12 at once: refused a few times, not for ever.
            let listed = try gmail.google.snapshot(GmailFixture.address).values.filter {
                !$0.labels.contains("SPAM") && !$0.labels.contains("TRASH")
            }
            #expect(gmail.calls(.messagesGet) < listed.count + 120)
        }
    }

    /// Live mail waits for the end of a batch: batches shrink while the quota makes them slow.
    @Test func batchesShrinkWhileTheyAreSlow() async throws {
        try await connected(messages: 420) { gmail in
            gmail.budget.slows = { units in gmail.time.advance(by: .milliseconds(10 * units)) }
            let sizes = try await gmail.backfillAll().map(\.changes.count)
            #expect(sizes.first == 100 && sizes.dropFirst(4).dropLast().allSatisfy { $0 < 30 }, "\(sizes)")
            try await gmail.expectInStep()
        }
    }

    @Test func quotaIsSpentByTheTable() async throws {
        try await connected(messages: 20, { $0.gmail.costs.messagesGet = 5 }) { gmail in
            try await gmail.backfillAll()
            let hidden = try gmail.google.snapshot(GmailFixture.address).values.filter {
                $0.labels.contains("SPAM") || $0.labels.contains("TRASH")
            }
            #expect(gmail.budget.units == 1 + 1 + 5 + 5 * (20 - hidden.count))
        }
        #expect(GmailUnitCosts(parsing: "messages.get=5, history.list = 3")?.messagesGet == 5)
        #expect(GmailUnitCosts(parsing: "")?.messagesGet == 20)
        for text in ["messages.get", "messages.get=x", "messages.get=-1", "send=1", "messages.get=99999"] {
            #expect(GmailUnitCosts(parsing: text) == nil)
        }
    }
}
