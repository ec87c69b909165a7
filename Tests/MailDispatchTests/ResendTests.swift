import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import MailDispatch

/// Single events that the stream lost are sent again, after all others, and mistaken for nothing else.
@Suite struct ResendTests {
    private func waiting(_ seqs: [Int64], last: Int64 = 5, at sequence: UInt64 = 41) -> DispatchState {
        var state = Script.state(last: last, published: last, at: sequence)
        state.waitingResends = seqs
        return state
    }

    @Test func theyComeAfterTheOutboxAndAfterALook() {
        var script = Script()
        _ = script.begin()
        var state = waiting([2, 3], last: 5)
        state.publishedSeq = 4
        state.streamSequence = 40
        #expect(script.load(state, 5...5).next == .look)
        #expect(script.look(4, at: 40, own: "id4").publishes == 5)
        #expect(script.store(41) == Step(writes: [.confirm(seq: 5, streamSequence: 41)], next: .look))
        #expect(script.look(5, at: 41, own: "id5").next == .loadRequested([2, 3]))
        #expect(script.dispatch.loadedRequested([Script.item(2), Script.item(3)], now: script.now).publishes == 2)
        let second = script.store(42)
        #expect(second.writes == [.resent(seq: 2, streamSequence: 42)] && second.publishes == 3)
        #expect(script.store(43) == Step(writes: [.resent(seq: 3, streamSequence: 43)], next: .end(.more)))
    }

    @Test func anIdleUserWithOneIsLookedUp() {
        var script = Script()
        _ = script.begin()
        #expect(script.load(waiting([2])).next == .look)
        #expect(script.look(5, at: 41, own: "id5").next == .loadRequested([2]))
    }

    @Test func oneWhoseAcknowledgementWasLostIsNotSentTwice() {
        var script = Script()
        _ = script.begin()
        _ = script.load(waiting([2]))
        let step = script.look(2, at: 42, own: "id2")
        #expect(step == Step(writes: [.resent(seq: 2, streamSequence: 42)], next: .loadRequested([])))
        #expect(script.dispatch.loadedRequested([], now: script.now).ends == .more)
    }

    @Test func theLastMessageSentAgainIsNotTheEndOfTheStream() {
        var script = Script()
        script.dispatch.forget()
        _ = script.begin(2)
        #expect(script.load(waiting([], at: 42)).next == .look)
        let stored = StoredMessage(id: "id2", seq: 2, streamSequence: 42)
        #expect(
            script.dispatch.looked(stored, own: .id("id2"), held: 5, now: script.now) == Step(next: .end(.idle)))
    }

    @Test func aStreamPutBackToThatMomentIsFilledFromThere() {
        var script = Script()
        _ = script.begin(2, Script.stream(last: 42))
        #expect(script.load(waiting([], last: 9, at: 60)).next == .look)
        let stored = StoredMessage(id: "id2", seq: 2, streamSequence: 42)
        let step = script.dispatch.looked(stored, own: .id("id2"), held: 5, now: script.now)
        #expect(step.next == .loadEvents(after: 5, limit: 100))
    }

    @Test func whatIsTooOldOrNotInTheLogIsCancelled() {
        var script = Script()
        _ = script.begin()
        _ = script.load(waiting([1, 2, 3]))
        _ = script.look(5, at: 41, own: "id5")
        let step = script.dispatch.loadedRequested(
            [Script.item(1, age: 40 * 86_400), Script.item(3)], now: script.now)
        #expect(step.writes == [.cancelResend(seq: 1), .cancelResend(seq: 2)] && step.publishes == 3)
    }

    @Test func whatTheServerStillRemembersIsSentInALaterTurn() {
        var script = Script()
        _ = script.begin()
        _ = script.load(waiting([2, 3]))
        _ = script.look(5, at: 41, own: "id5")
        _ = script.dispatch.loadedRequested([Script.item(2), Script.item(3)], now: script.now)
        // Number 12 was the place of the one that was lost.
        let step = script.publish(.stored(streamSequence: 12, duplicate: true))
        #expect(step.writes.isEmpty && step.publishes == 3)
        #expect(script.store(42) == Step(writes: [.resent(seq: 3, streamSequence: 42)], next: .end(.idle)))
    }

    @Test func anUnknownOutcomeIsTriedAgainLater() {
        var script = Script()
        _ = script.begin()
        _ = script.load(waiting([2]))
        _ = script.look(5, at: 41, own: "id5")
        _ = script.dispatch.loadedRequested([Script.item(2)], now: script.now)
        guard case .wait = script.publish(.unknown(reason: "lost")).ends else {
            Issue.record("the turn goes on")
            return
        }
    }

    @Test func theDispatcherSendsThemOnce() async throws {
        let fixture = try DispatchFixture()
        let user = try DispatchFixture.user("u")
        let publisher = ScriptedPublisher()
        try await fixture.dispatching(publisher) { dispatcher in
            try await fixture.add(4, to: user)
            dispatcher.wake(user)
            try await fixture.drained(user, dispatcher)
            // The stream loses the second event: its place is somebody else's.
            let other = try DispatchFixture.user("other")
            publisher.update { state in
                state.stored[1].user = other
                state.stored[1].id = "other"
            }
            try await fixture.stores.use(user) { store in
                try await store.write { try $0.requestResend(seq: 2, at: fixture.time.now()) }
            }
            dispatcher.wake(user)
            try await fixture.until(dispatcher) { try await fixture.state(user).waitingResends.isEmpty }
            #expect(publisher.stored.filter { $0.user == "u" }.map(\.seq) == [1, 3, 4, 5, 2])

            publisher.reconnect()
            try await fixture.add(1, to: user, prefix: "later")
            dispatcher.wake(user)
            try await fixture.drained(user, dispatcher)
            #expect(publisher.stored.filter { $0.user == "u" }.map(\.seq) == [1, 3, 4, 5, 2, 6])
            #expect(await dispatcher.metrics().resent == 1)
        }
    }
}
