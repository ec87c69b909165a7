import MailModel
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite(.timeLimit(.minutes(2))) struct PushCourierTests {
    private static let policy = PushRetryPolicy(
        acknowledged: [200, 204], timeout: .seconds(10), triesMax: 4, delay: .milliseconds(100),
        delayMax: .milliseconds(150))

    private func letter(_ inbox: PushInbox, _ text: String = "hello") -> PushLetter {
        PushLetter(
            mailbox: "ann@example.net", url: inbox.url, headers: [("X-Name", text)], body: Array(text.utf8),
            policy: Self.policy)
    }

    private func texts(_ inbox: PushInbox) -> [String] { inbox.posts.map { String(decoding: $0.body, as: UTF8.self) } }

    private func run(
        _ faults: FaultPlan = .init(), answer: @escaping PushInbox.Answer = { _, _ in 204 },
        _ body: @Sendable (PushCourier, PushInbox, ManualTime) async throws -> Void
    ) async throws {
        try await PushInbox.run(answer: answer) { inbox in
            let time = ManualTime()
            let courier = PushCourier(faults: faults, time: time)
            do { try await body(courier, inbox, time) } catch {
                await courier.shutdown()
                throw error
            }
            await courier.shutdown()
        }
    }

    @Test func whatIsTakenIsPostedOnce() async throws {
        try await run { (courier: PushCourier, inbox: PushInbox, _: ManualTime) async throws in
            for number in 0..<100 { courier.send(letter(inbox, "\(number)")) }
            await courier.untilIdle()
            #expect(Set(texts(inbox)) == Set((0..<100).map { "\($0)" }))
            #expect(courier.stats == PushStats(letters: 100, posts: 100, acknowledged: 100))
            #expect(inbox.posts[0].headers["x-name"] == texts(inbox)[0])
        }
    }

    @Test func whatIsRefusedComesAgainLaterAndLater() async throws {
        try await run(answer: { number, _ in number < 4 ? 500 : 204 }) {
            (courier: PushCourier, inbox: PushInbox, time: ManualTime) async throws in
            courier.send(letter(inbox))
            for (tries, wait) in [(1, 100), (2, 150), (3, 150)] {
                await time.waitForSleepers()
                #expect(inbox.posts.count == tries)
                time.advance(by: .milliseconds(wait - 1))
                #expect(inbox.posts.count == tries)
                time.advance(by: .milliseconds(1))
                await inbox.received(tries + 1)
            }
            await courier.untilIdle()
            #expect(courier.stats == PushStats(letters: 1, posts: 4, acknowledged: 1, refused: [500: 3]))
        }
    }

    @Test func afterTheLastTryItIsGivenUp() async throws {
        try await run(answer: { _, _ in 401 }) {
            (courier: PushCourier, inbox: PushInbox, time: ManualTime) async throws in
            courier.send(letter(inbox))
            for _ in 0..<3 {
                await time.waitForSleepers()
                time.advance(by: .seconds(1))
            }
            await courier.untilIdle()
            #expect(courier.stats == PushStats(letters: 1, posts: 4, refused: [401: 4], givenUp: 1))
        }
    }

    @Test func aReceiverThatIsNotThereIsTriedAgain() async throws {
        try await run { (courier: PushCourier, inbox: PushInbox, time: ManualTime) async throws in
            var lost = letter(inbox)
            lost.url = "http://127.0.0.1:1/nobody"
            courier.send(lost)
            await time.waitForSleepers()
            #expect(courier.stats.refused == [0: 1])
        }
    }

    @Test func oneThatTriesAgainHoldsNobodyUp() async throws {
        try await run(answer: { _, post in post.headers["x-name"] == "bad" ? 500 : 204 }) {
            (courier: PushCourier, inbox: PushInbox, time: ManualTime) async throws in
            for _ in 0..<(2 * PushCourier.postsMax) { courier.send(letter(inbox, "bad")) }
            await time.waitForSleepers(2 * PushCourier.postsMax)
            courier.send(letter(inbox, "good"))
            await inbox.received(2 * PushCourier.postsMax + 1)
            #expect(texts(inbox).last == "good")
        }
    }

    @Test func faultsStrikeLetters() async throws {
        try await run { (courier: PushCourier, inbox: PushInbox, time: ManualTime) async throws in
            for response in [FaultResponse.drop, .double, .garbage, .delay(.seconds(5))] {
                courier.faults.add(Fault(.push, response))
            }
            courier.send(letter(inbox, "lost"))
            courier.send(letter(inbox, "twice"))
            courier.send(letter(inbox, "garbled"))
            await inbox.received(3)
            courier.send(letter(inbox, "late"))
            await time.waitForSleepers()
            #expect(inbox.posts.count == 3)
            time.advance(by: .seconds(5))
            await courier.untilIdle()
            #expect(texts(inbox).filter { $0 == "twice" }.count == 2)
            #expect(texts(inbox).last == "late")
            #expect(!texts(inbox).contains("lost") && !texts(inbox).contains("garbled"))
            #expect(courier.stats == PushStats(letters: 4, posts: 4, acknowledged: 4, dropped: 1))
        }
    }

    @Test func theNextLetterOvertakes() async throws {
        try await run { (courier: PushCourier, inbox: PushInbox, time: ManualTime) async throws in
            courier.faults.add(Fault(.push, .reorder))
            courier.send(letter(inbox, "first"))
            await time.waitForSleepers()
            courier.send(letter(inbox, "second"))
            await courier.untilIdle()
            #expect(Set(texts(inbox)) == ["first", "second"])
            // With none that overtakes it goes all the same.
            courier.faults.add(Fault(.push, .reorder))
            courier.send(letter(inbox, "alone"))
            await time.waitForSleepers()
            #expect(inbox.posts.count == 2)
            time.advance(by: PushCourier.holdMax)
            await courier.untilIdle()
            #expect(texts(inbox).last == "alone")
        }
    }

    @Test(arguments: [UInt64(1), 7, 99]) func randomFaultsFollowFromTheirSeed(_ seed: UInt64) async throws {
        let random = RandomFaults(rate: 0.5, seed: seed, endpoints: [.push], responses: [.drop, .double])
        var counts: [PushStats] = []
        for _ in 0..<2 {
            let stats = SharedStats()
            try await run(FaultPlan(random: random)) {
                (courier: PushCourier, inbox: PushInbox, _: ManualTime) async throws in
                for number in 0..<60 { courier.send(letter(inbox, "\(number)")) }
                await courier.untilIdle()
                await stats.set(courier.stats)
            }
            counts.append(await stats.value)
        }
        #expect(counts[0] == counts[1], "seed \(seed)")
        #expect(counts[0].dropped > 5 && counts[0].posts > 60 - counts[0].dropped, "seed \(seed)")
    }

    @Test func shutdownEndsWhatIsUnderWayAndWaiting() async throws {
        let never = Never()
        try await run(answer: { _, _ in
            await never.wait()
            return 204
        }) { (courier: PushCourier, inbox: PushInbox, time: ManualTime) async throws in
            courier.faults.add(Fault(.push, .delay(.seconds(60))))
            courier.send(letter(inbox, "parked"))
            courier.send(letter(inbox, "unanswered"))
            await inbox.received(1)
            await courier.shutdown()
            await courier.untilIdle()
            courier.send(letter(inbox, "too late"))
            #expect(courier.stats.letters == 2)
            await #expect(throws: (any Error).self) { try await courier.exchange(letter(inbox)) }
        }
    }

    @Test func anExchangeTellsTheAnswer() async throws {
        try await run(answer: { _, _ in 418 }) { (courier: PushCourier, inbox: PushInbox, _: ManualTime) async throws in
            courier.faults.add(Fault(.push, .drop))
            #expect(try await courier.exchange(letter(inbox)).status == 418)
            #expect(courier.stats == PushStats())
        }
    }

    /// Waits until its task is cancelled.
    private struct Never: Sendable {
        func wait() async {
            // Ends with the inbox.
            try? await SystemTime().sleep(for: .seconds(600))
        }
    }

    private actor SharedStats {
        var value = PushStats()
        func set(_ stats: PushStats) { value = stats }
    }
}
