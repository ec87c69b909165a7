import MailDispatch
import MailModel
import MailStore
import MailTestSupport
import ServiceLifecycle
import Testing

@Suite(.timeLimit(.minutes(1))) struct OutboxDispatcherTests {
    private let alice = UserID(uncheckedEncoded: "alice")
    private let bob = UserID(uncheckedEncoded: "bob")

    @Test func everyUsersEventsGoOutInOrder() async throws {
        let fixture = try DispatchFixture()
        let users = (0..<20).map { UserID(uncheckedEncoded: "u\($0)") }
        for user in users { try await fixture.add(49, to: user) }
        let publisher = ScriptedPublisher()
        var settings = DispatchSettings.test
        settings.chunkRows = 7
        settings.quantumMessages = 10
        settings.usersAtOnceMax = 4
        try await fixture.dispatching(publisher, settings: settings) { dispatcher in
            for user in users { dispatcher.wake(user) }
            for user in users { try await fixture.drained(user, dispatcher) }
        }
        for user in users {
            #expect(publisher.stored.filter { $0.user == user.encoded }.map(\.seq) == Array(1...50))
        }
        #expect(publisher.calls.count == 1_000)
        #expect(!publisher.update { $0.overlapped })
        #expect(publisher.update { Set($0.lookups).count } == 20)
    }

    @Test func aCommitWakesWithoutPolling() async throws {
        let time = ManualTime()
        let fixture = try DispatchFixture(time: time)
        let publisher = ScriptedPublisher()
        try await fixture.dispatching(publisher) { dispatcher in
            for round in 0..<5 {
                try await fixture.add(1, to: alice, prefix: "r\(round)-")
                dispatcher.wake(alice)
                await publisher.waitForCalls(round + 2)
            }
            try await fixture.drained(alice, dispatcher)
            let metrics = await dispatcher.metrics()
            #expect(metrics.published == 6)
            #expect(metrics.state == .open)
            #expect(metrics.lookups == 1)
            #expect(metrics.latencyMedianMilliseconds != nil)
        }
    }

    @Test func anUnknownIsSentAgainWithTheSameIdAfterTheBackOff() async throws {
        let time = ManualTime()
        let fixture = try DispatchFixture(time: time)
        try await fixture.add(2, to: alice)
        let publisher = ScriptedPublisher()
        // The second message is stored, its acknowledgement lost, twice.
        publisher.update { $0.script = { message, calls in calls == 2 || calls == 3 ? .unknown(reason: "lost") : nil } }
        try await fixture.dispatching(publisher) { dispatcher in
            dispatcher.wake(alice)
            await publisher.waitForCalls(2)
            await time.waitForSleepers()
            #expect(try await fixture.rows(alice).first?.retries == 1)
            #expect(try await fixture.state(alice).publishedSeq == 1)
            dispatcher.wake(alice)
            time.advance(by: .milliseconds(100))
            await publisher.waitForCalls(3)
            await time.waitForSleepers()
            #expect(try await fixture.rows(alice).first?.retries == 2)
            time.advance(by: .milliseconds(200))
            try await fixture.drained(alice, dispatcher)
            #expect(await dispatcher.metrics().unknowns == 2)
        }
        #expect(publisher.calls.map(\.seq) == [1, 2, 2, 2, 3])
        #expect(publisher.update { $0.lookups.count } == 1)
    }

    /// Deleted and made again while the connection stays and a user publishes: nobody says so but the numbers.
    @Test func aStreamMadeAgainUnderAUserWhoPublishesIsFilledAgain() async throws {
        let fixture = try DispatchFixture()
        let publisher = ScriptedPublisher()
        for user in [alice, bob] { try await fixture.add(20, to: user) }
        try await fixture.dispatching(publisher) { dispatcher in
            for user in [alice, bob] { dispatcher.wake(user) }
            for user in [alice, bob] { try await fixture.drained(user, dispatcher) }
            publisher.update { state in
                state.stored = []
                state.created = "B"
            }
            try await fixture.add(3, to: alice, prefix: "later")
            dispatcher.wake(alice)
            try await fixture.until(dispatcher) { publisher.stored.count == 24 + 21 }
        }
        for (user, count) in [(alice, 24), (bob, 21)] {
            let seqs = publisher.stored.filter { $0.user == user.encoded }.map(\.seq)
            #expect(seqs.sorted() == Array(1...Int64(count)))
        }
        // The one that showed it came first; what was lost follows in order.
        #expect(publisher.stored.first?.seq == 22)
    }

    @Test func nothingIsPublishedForAUserWhoIsHeld() async throws {
        let fixture = try DispatchFixture()
        let publisher = ScriptedPublisher()
        for user in [alice, bob] { try await fixture.add(5, to: user) }
        try await fixture.dispatching(publisher) { dispatcher in
            await dispatcher.hold(alice)
            for user in [alice, bob] { dispatcher.wake(user) }
            try await fixture.drained(bob, dispatcher)
            #expect(publisher.stored.allSatisfy { $0.user == bob.encoded })
            await dispatcher.release(alice)
            try await fixture.drained(alice, dispatcher)
        }
        #expect(publisher.stored.count == 12)
    }

    @Test func aPoisonedRowStopsItsUserOnly() async throws {
        let fixture = try DispatchFixture()
        try await fixture.add(3, to: alice)
        try await fixture.add(3, to: bob)
        let publisher = ScriptedPublisher()
        publisher.update { [alice] in
            $0.script = { message, _ in
                message.user == alice && message.seq == 2 ? .rejected(reason: "too large") : nil
            }
        }
        try await fixture.dispatching(publisher) { dispatcher in
            dispatcher.wake(alice)
            dispatcher.wake(bob)
            try await fixture.drained(bob, dispatcher)
            try await fixture.until(dispatcher) { try await fixture.state(alice).deadLetter != nil }
            dispatcher.wake(alice)
            #expect(await dispatcher.metrics().deadLetters == 1)
        }
        let state = try await fixture.state(alice)
        #expect(state.deadLetter?.seq == 2)
        #expect(state.deadLetter?.reason == "too large")
        #expect(state.publishedSeq == 1)
        #expect(publisher.calls.filter { $0.user == "alice" }.map(\.seq) == [1, 2])
    }

    @Test func troublePausesEverybodyAndSpendsNoAttempts() async throws {
        let time = ManualTime()
        let fixture = try DispatchFixture(time: time)
        try await fixture.add(1, to: alice)
        let publisher = ScriptedPublisher()
        publisher.update { $0.script = { _, calls in calls == 1 ? .streamTrouble(reason: "disk full") : nil } }
        try await fixture.dispatching(publisher) { dispatcher in
            dispatcher.wake(alice)
            await publisher.waitForCalls(1)
            await time.waitForSleepers()
            #expect(await dispatcher.metrics().state == .paused("disk full"))
            try await fixture.add(1, to: bob)
            dispatcher.wake(bob)
            #expect(try await fixture.rows(alice).first?.retries == 0)
            time.advance(by: .seconds(1))
            try await fixture.drained(alice, dispatcher)
            try await fixture.drained(bob, dispatcher)
        }
        #expect(publisher.calls.first == publisher.calls.dropFirst().first { $0.user == "alice" })
    }

    @Test func aRefusalHaltsUntilTheNextConnection() async throws {
        let fixture = try DispatchFixture()
        try await fixture.add(1, to: alice)
        let publisher = ScriptedPublisher()
        publisher.update { $0.script = { _, calls in calls == 1 ? .forbidden(reason: "denied") : nil } }
        try await fixture.dispatching(publisher) { dispatcher in
            dispatcher.wake(alice)
            await publisher.waitForCalls(1)
            try await fixture.until(dispatcher) { await dispatcher.metrics().state == .halted("denied") }
            publisher.reconnect()
            try await fixture.drained(alice, dispatcher)
        }
        #expect(publisher.calls.map(\.seq) == [1, 1, 2])
    }

    @Test func rowsLeftByAKilledProcessAreLookedUp() async throws {
        let fixture = try DispatchFixture()
        try await fixture.add(3, to: alice)
        let publisher = ScriptedPublisher()
        // Two of them had been sent, nothing was written.
        for row in try await fixture.rows(alice).prefix(2) {
            publisher.update { _ = $0.store(row.message(of: alice)) }
        }
        // Nobody wakes the user: the start does.
        try await fixture.dispatching(publisher) { dispatcher in try await fixture.drained(alice, dispatcher) }
        #expect(publisher.calls.map(\.seq) == [3, 4])
    }

    @Test func aStoreOlderThanTheStreamPublishesNothing() async throws {
        let fixture = try DispatchFixture()
        try await fixture.add(2, to: alice)
        try await fixture.add(2, to: bob)
        let publisher = ScriptedPublisher()
        publisher.update { [alice] in
            _ = $0.store(OutboundMessage(user: alice, seq: 9, subject: "user.alice.x", id: "later", payload: []))
        }
        let told = Flag()
        try await fixture.dispatching(publisher, onBehind: { _ in told.raise() }) {
            dispatcher in
            dispatcher.wake(alice)
            dispatcher.wake(bob)
            try await fixture.drained(bob, dispatcher)
            await told.value()
            dispatcher.wake(alice)
            #expect(await dispatcher.metrics().behind == 1)
        }
        #expect(try await fixture.status(alice) == .behindStream)
        #expect(publisher.calls.allSatisfy { $0.user == "bob" })
    }

    @Test func aStreamThatLostItsTailGetsItAgain() async throws {
        let fixture = try DispatchFixture()
        try await fixture.add(4, to: alice)
        try await fixture.add(4, to: bob)
        let publisher = ScriptedPublisher()
        let before: [String] = try await fixture.dispatching(publisher) { dispatcher in
            for user in [alice, bob] {
                dispatcher.wake(user)
                try await fixture.drained(user, dispatcher)
            }
            let before = publisher.update { $0.stored.map(\.id) }
            publisher.update { $0.stored.removeLast(7) }
            publisher.reconnect()
            // Both are idle; nobody wakes them.
            await publisher.waitForCalls(17)
            return before
        }
        #expect(publisher.update { $0.stored.map(\.id).sorted() } == before.sorted())
        for user in ["alice", "bob"] {
            #expect(publisher.stored.filter { $0.user == user }.map(\.seq) == [1, 2, 3, 4, 5])
        }
    }

    @Test func anUnreachableStreamStopsNobodyForGood() async throws {
        let time = ManualTime()
        let fixture = try DispatchFixture(time: time)
        try await fixture.add(1, to: alice)
        let publisher = ScriptedPublisher()
        publisher.update { $0.available = false }
        try await fixture.dispatching(publisher) { dispatcher in
            dispatcher.wake(alice)
            for _ in 0..<6 {
                await time.waitForSleepers()
                time.advance(by: .seconds(30))
            }
            await time.waitForSleepers()
            #expect(publisher.calls.isEmpty)
            publisher.update { $0.available = true }
            time.advance(by: .seconds(30))
            try await fixture.drained(alice, dispatcher)
        }
        #expect(publisher.stored.map(\.seq) == [1, 2])
    }

    @Test func aStopConfirmsWhatWasAcknowledged() async throws {
        let fixture = try DispatchFixture()
        try await fixture.add(200, to: alice)
        let publisher = ScriptedPublisher()
        try await fixture.dispatching(publisher) { dispatcher in
            dispatcher.wake(alice)
            await publisher.waitForCalls(20)
        }
        let state = try await fixture.state(alice)
        let stored = Int64(publisher.stored.count)
        // Cancelled, not asked nicely: it may not have been written, but nothing is marked that was not acknowledged.
        #expect(state.publishedSeq <= stored)
        try await fixture.dispatching(publisher) { try await fixture.drained(alice, $0) }
        #expect(publisher.stored.map(\.seq) == Array(1...201))
        #expect(publisher.update { Set($0.stored.map(\.id)).count } == 201)
    }

    @Test func aGracefulStopFinishesAndWritesWhatIsInFlight() async throws {
        let fixture = try DispatchFixture()
        try await fixture.add(500, to: alice)
        let publisher = ScriptedPublisher()
        let dispatcher = OutboxDispatcher(
            stores: fixture.stores, publisher: publisher, settings: .test, time: fixture.time, logger: quiet)
        let group = ServiceGroup(services: [dispatcher], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            dispatcher.wake(alice)
            await publisher.waitForCalls(20)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        let stored = publisher.stored.count
        #expect(stored < 501)
        #expect(try await fixture.state(alice).publishedSeq == Int64(stored))
    }

    @Test func aGracefulStopDoesNotWaitForEver() async throws {
        let time = ManualTime()
        let fixture = try DispatchFixture(time: time)
        try await fixture.add(1, to: alice)
        let publisher = SilentPublisher()
        let dispatcher = OutboxDispatcher(
            stores: fixture.stores, publisher: publisher, settings: .test, time: time, logger: quiet)
        let group = ServiceGroup(services: [dispatcher], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            dispatcher.wake(alice)
            await publisher.asked.value()
            await group.triggerGracefulShutdown()
            await time.waitForSleepers()
            time.advance(by: .seconds(60))
            try await tasks.waitForAll()
        }
        #expect(try await fixture.state(alice).publishedSeq == 0)
    }
}
