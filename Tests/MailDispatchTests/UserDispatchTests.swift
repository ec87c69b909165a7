import MailModel
import MailStore
import Testing

@testable import MailDispatch

/// A user's dispatch and the shorthand to drive it.
struct Script {
    static let user = UserID(uncheckedEncoded: "u")
    static let start: Int64 = 1_700_000_000_000
    var dispatch: UserDispatch
    var now = Script.start
    let settings: DispatchSettings

    init(chunk: Int = 100) {
        var settings = DispatchSettings()
        settings.chunkRows = chunk
        self.settings = settings
        dispatch = UserDispatch(settings: settings)
    }

    static func stream(created: String = "A", first: UInt64 = 1, last: UInt64 = 1_000) -> StreamState {
        StreamState(created: created, lastSequence: last, firstSequence: first, duplicateWindowMilliseconds: 2_000)
    }

    static func item(_ seq: Int64, retries: Int = 0, age: Int64 = 0) -> UserDispatch.Item {
        let message = OutboundMessage(user: user, seq: seq, subject: "user.u.x", id: "id\(seq)", payload: [])
        return .init(message: message, retries: retries, recordedAt: start / 1000 - age)
    }

    static func state(
        last: Int64, published: Int64 = 0, at sequence: UInt64? = nil, created: String? = "A", dead: Bool = false
    ) -> DispatchState {
        DispatchState(
            lastSeq: last, publishedSeq: published, streamSequence: sequence, streamCreated: created, outboxDepth: 0,
            oldestUnpublishedAt: nil, generation: 0,
            deadLetter: dead ? .init(seq: published + 1, reason: "r", since: 0) : nil)
    }

    mutating func begin(_ connection: Int = 1, _ stream: StreamState = stream(), budget: Int = 100) -> Step {
        dispatch.begin(StreamPass(connection: connection, stream: stream), budget: budget)
    }

    mutating func load(_ state: DispatchState, _ seqs: ClosedRange<Int64>? = nil, retries: Int = 0) -> Step {
        let items = seqs.map { $0.map { Self.item($0, retries: retries) } } ?? []
        return dispatch.loaded(state, items, now: now)
    }

    mutating func look(_ seq: Int64?, at sequence: UInt64 = 1, id: String? = nil, own: String? = nil) -> Step {
        let stored = seq.map { StoredMessage(id: id ?? "id\($0)", seq: $0, streamSequence: sequence) }
        return dispatch.looked(stored, own: own.map { .id($0) } ?? .unasked, now: now)
    }

    /// The look at a stream that is not the one before.
    mutating func lookAcross(first: Int64, last: Int64, at sequence: UInt64) -> Step {
        dispatch.looked(
            StoredMessage(id: "id\(last)", seq: last, streamSequence: sequence),
            first: StoredMessage(id: "id\(first)", seq: first, streamSequence: 1), own: .id("id\(last)"), now: now)
    }

    mutating func store(_ sequence: UInt64, duplicate: Bool = false) -> Step {
        publish(.stored(streamSequence: sequence, duplicate: duplicate))
    }

    mutating func publish(_ outcome: PublishOutcome) -> Step {
        dispatch.published(outcome, now: now, jitter: 0.5)
    }

    /// A turn that ends with everything up to `seq` confirmed on this connection.
    mutating func settle(upTo seq: Int64) {
        _ = begin()
        _ = load(Self.state(last: seq), seq...seq)
        _ = look(seq - 1)
        _ = store(UInt64(seq))
    }
}

extension Step {
    /// The number of the message to publish.
    var publishes: Int64? { if case .publish(let message) = next { message.seq } else { nil } }
    var ends: TurnEnd? { if case .end(let end) = next { end } else { nil } }
}

@Suite struct UserDispatchTests {
    @Test func theFirstTurnLooksThenSendsInOrderAndConfirmsOnce() {
        var script = Script()
        #expect(script.begin() == Step(next: .load(limit: 100)))
        #expect(script.load(Script.state(last: 3), 1...3) == Step(next: .look))
        #expect(script.look(nil).publishes == 1)
        #expect(script.store(11) == Step(next: .publish(sent(2))))
        #expect(script.store(12).publishes == 3)
        #expect(script.store(13) == Step(writes: [.confirm(seq: 3, streamSequence: 13)], next: .end(.idle)))
    }

    private func sent(_ seq: Int64) -> OutboundMessage {
        var message = Script.item(seq).message
        message.connection = 1
        return message
    }

    @Test func anIdleUserIsNotLookedUp() {
        var script = Script()
        _ = script.begin()
        #expect(script.load(Script.state(last: 5, published: 5, at: 9)).ends == .idle)
    }

    @Test func laterTurnsOfAConnectionDoNotLook() {
        var script = Script()
        script.settle(upTo: 1)
        _ = script.begin()
        #expect(script.load(Script.state(last: 2, published: 1, at: 1), 2...2).publishes == 2)
        _ = script.store(2)
        _ = script.begin(2)
        #expect(script.load(Script.state(last: 3, published: 2, at: 2), 3...3).next == .look)
    }

    @Test func whatTheStreamHoldsIsMarkedAndTheRestSent() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 4), 1...4)
        #expect(script.look(2, at: 50, own: "id2").publishes == 3)
        _ = script.store(51)
        #expect(script.store(52).writes == [.confirm(seq: 4, streamSequence: 52)])
    }

    @Test func allStoredAlready() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 2), 1...2)
        #expect(
            script.look(2, at: 8, own: "id2") == Step(writes: [.confirm(seq: 2, streamSequence: 8)], next: .end(.idle)))
    }

    @Test func unknownWaitsAndSendsTheSameAgain() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 2), 1...2)
        _ = script.look(nil)
        _ = script.store(1)
        let step = script.publish(.unknown(reason: "lost"))
        #expect(step.writes.count == 2)
        #expect(step.writes.first == .confirm(seq: 1, streamSequence: 1))
        #expect(step.writes.last == .attempt(seq: 2, retries: 1, nextAttemptAt: script.now / 1000 + 1, reason: "lost"))
        #expect(step.ends == .wait(milliseconds: 75, reason: "lost"))
        script.now += 900
        _ = script.begin()
        #expect(script.load(Script.state(last: 2, published: 1, at: 1), 2...2, retries: 1).publishes == 2)
    }

    @Test func unknownForLongerThanHalfTheWindowIsLookedUp() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 1), 1...1)
        _ = script.look(nil)
        _ = script.publish(.unknown(reason: "lost"))
        script.now += 900
        _ = script.begin()
        _ = script.load(Script.state(last: 1), 1...1, retries: 1)
        _ = script.publish(.unknown(reason: "lost"))
        script.now += 101
        _ = script.begin()
        #expect(script.load(Script.state(last: 1), 1...1, retries: 2).next == .look)
        #expect(script.look(1, at: 7, own: "id1").writes == [.confirm(seq: 1, streamSequence: 7)])
    }

    @Test func theServerWantsALook() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 2), 1...2)
        _ = script.look(nil)
        _ = script.store(1)
        #expect(
            script.publish(.look(reason: "10071")) == Step(writes: [.confirm(seq: 1, streamSequence: 1)], next: .look))
        #expect(script.look(1).publishes == 2)
        // Asked again for the same message: no loop without a pause, and a look before the next try.
        #expect(script.publish(.look(reason: "10071")).ends == .wait(milliseconds: 75, reason: "10071"))
        _ = script.begin()
        #expect(script.load(Script.state(last: 2, published: 1, at: 1), 2...2, retries: 1).next == .look)
    }

    @Test func aMessageThatCanNeverBeStoredStopsTheUser() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 2), 1...2)
        _ = script.look(nil)
        _ = script.store(5)
        let step = script.publish(.rejected(reason: "too large"))
        #expect(step.writes == [.confirm(seq: 1, streamSequence: 5), .deadLetter(seq: 2, reason: "too large")])
        #expect(step.ends == .blocked)
        _ = script.begin()
        #expect(script.load(Script.state(last: 2, published: 1, dead: true), 2...2) == Step(next: .end(.blocked)))
        // Another connection may be to a server that takes it.
        _ = script.begin(2)
        #expect(script.load(Script.state(last: 2, published: 1, dead: true), 2...2).next == .look)
        #expect(script.look(1, own: "id1").publishes == 2)
    }

    @Test func troubleAndRefusalSpendNoAttempt() {
        for (outcome, end) in [
            (PublishOutcome.streamTrouble(reason: "full"), TurnEnd.trouble("full")),
            (.forbidden(reason: "no"), .forbidden("no")),
        ] {
            var script = Script()
            _ = script.begin()
            _ = script.load(Script.state(last: 1), 1...1)
            _ = script.look(nil)
            #expect(script.publish(outcome) == Step(next: .end(end)))
        }
    }

    @Test func theQuantumEndsTheTurnWithProgressWritten() {
        var script = Script()
        _ = script.begin(budget: 2)
        _ = script.load(Script.state(last: 3), 1...3)
        _ = script.look(nil)
        _ = script.store(1)
        #expect(script.store(2) == Step(writes: [.confirm(seq: 2, streamSequence: 2)], next: .end(.more)))
    }

    @Test func aFullChunkIsConfirmedAndTheNextRead() {
        var script = Script(chunk: 2)
        _ = script.begin()
        _ = script.load(Script.state(last: 3), 1...2)
        _ = script.look(nil)
        _ = script.store(1)
        #expect(script.store(2) == Step(writes: [.confirm(seq: 2, streamSequence: 2)], next: .load(limit: 2)))
        #expect(script.load(Script.state(last: 3, published: 2, at: 2), 3...3).publishes == 3)
    }

    @Test func anInterruptedTurnConfirmsWhatItHas() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 2), 1...2)
        _ = script.look(nil)
        _ = script.store(1)
        #expect(script.dispatch.interrupted() == Step(writes: [.confirm(seq: 1, streamSequence: 1)], next: .end(.more)))
    }

    @Test func aFailedLookIsRepeated() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 1), 1...1)
        #expect(script.dispatch.lookFailed("away").ends == .unavailable("away"))
        _ = script.begin()
        #expect(script.load(Script.state(last: 1), 1...1).next == .look)
    }
}

@Suite struct StoreBehindStreamTests {
    @Test func theStreamKnowsMoreThanTheStore() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 3, published: 2, at: 2), 3...3)
        let step = script.look(4)
        #expect(step.ends == .behind)
        guard case .behind(let text) = step.writes.first else {
            Issue.record("nothing written")
            return
        }
        #expect(text.contains("event 4"))
        // And it stays so on this connection, whatever is committed meanwhile.
        _ = script.begin()
        #expect(script.load(Script.state(last: 9, published: 2, at: 2), 3...9).ends == .blocked)
        _ = script.begin(2)
        #expect(script.load(Script.state(last: 9, published: 2, at: 2), 3...9).next == .look)
    }

    @Test func aStoreThatLacksTheEventIsBehindHoweverFarItCounts() {
        for (own, isBehind) in [(OwnEvent.missing, true), (.erased, false)] {
            var script = Script()
            _ = script.begin()
            _ = script.load(Script.state(last: 9, published: 8, at: 2), 9...9)
            let stored = StoredMessage(id: "theirs", seq: 4, streamSequence: 1)
            #expect((script.dispatch.looked(stored, own: own, now: script.now).ends == .behind) == isBehind)
        }
    }

    @Test func theStoreGrewPastTheStreamWithOtherEvents() {
        var script = Script()
        _ = script.begin()
        _ = script.load(Script.state(last: 9, published: 2, at: 2), 3...9)
        #expect(script.look(4, id: "theirs", own: "ours").ends == .behind)
    }
}

@Suite struct StreamWentBackTests {
    @Test func whatTheStreamLostIsSentAgainFromTheLog() {
        var script = Script(chunk: 2)
        _ = script.begin(1, Script.stream(last: 90))
        // Seq 5 was confirmed at 100; the stream ends at 90 now.
        #expect(script.load(Script.state(last: 6, published: 5, at: 100), 6...6).next == .look)
        #expect(script.look(2, at: 80, own: "id2") == Step(next: .loadEvents(after: 2, limit: 2)))
        #expect(script.dispatch.loadedEvents([Script.item(3), Script.item(4)], now: script.now).publishes == 3)
        #expect(script.store(91).publishes == 4)
        #expect(
            script.store(92)
                == Step(writes: [.confirm(seq: 4, streamSequence: 92)], next: .loadEvents(after: 4, limit: 2)))
        #expect(script.dispatch.loadedEvents([Script.item(5), Script.item(6)], now: script.now).publishes == 5)
        #expect(script.store(93) == Step(writes: [.confirm(seq: 5, streamSequence: 93)], next: .load(limit: 2)))
        #expect(script.load(Script.state(last: 6, published: 5, at: 93), 6...6).publishes == 6)
        #expect(script.store(94) == Step(writes: [.confirm(seq: 6, streamSequence: 94)], next: .end(.idle)))
    }

    @Test func anIdleUserIsLookedUpWhenTheStreamCannotBeTheOneThatConfirmed() {
        for stream in [Script.stream(last: 99), Script.stream(created: "B")] {
            var script = Script()
            _ = script.begin(1, stream)
            #expect(script.load(Script.state(last: 5, published: 5, at: 100)).next == .look)
            #expect(script.look(nil).next == .loadEvents(after: 0, limit: 100))
        }
    }

    @Test func anInterruptedRepairBeginsWithALook() {
        var script = Script()
        _ = script.begin(1, Script.stream(created: "B"))
        _ = script.load(Script.state(last: 2, published: 2, at: 9))
        _ = script.look(nil)
        _ = script.dispatch.loadedEvents([Script.item(1), Script.item(2)], now: script.now)
        _ = script.store(1)
        #expect(script.publish(.unknown(reason: "lost")).writes.first == .confirm(seq: 1, streamSequence: 1))
        _ = script.begin(1, Script.stream(created: "B"))
        // Nothing waits in the outbox, and yet.
        #expect(script.load(Script.state(last: 2, published: 2, at: 1, created: "B")).next == .look)
        #expect(script.look(1, at: 1, own: "id1").next == .loadEvents(after: 1, limit: 100))
    }

    @Test func aStreamMadeAgainUnderTheConnectionIsNoticedByItsNumbers() {
        var script = Script()
        script.settle(upTo: 50)
        // The next one is given number 1: the stream is another one than before.
        _ = script.begin()
        #expect(script.load(Script.state(last: 51, published: 50, at: 50), 51...51).publishes == 51)
        let step = script.store(1)
        #expect(step.writes == [.confirm(seq: 51, streamSequence: 1)])
        guard case .unavailable = step.ends else { return #expect(Bool(false), "\(step)") }
        // The look at the stream shows another creation time: what is below the first one stored is sent again.
        _ = script.begin(1, Script.stream(created: "B", last: 1))
        #expect(script.load(Script.state(last: 51, published: 51, at: 1)).next == .look)
        let found = script.lookAcross(first: 51, last: 51, at: 1)
        #expect(found.next == .loadEvents(after: 0, limit: 100))
        #expect(found.writes == [.confirmUnderway(seq: 51, streamSequence: 1)])
        let lost = (1...52).map { Script.item(Int64($0)) }
        #expect(script.dispatch.loadedEvents(lost, now: script.now).publishes == 1)
        for sequence in 2...50 { #expect(script.store(UInt64(sequence)).publishes == Int64(sequence)) }
        let end = script.store(51)
        #expect(end.next == .load(limit: 100))
        #expect(end.writes == [.confirm(seq: 50, streamSequence: 51), .resent(seq: 50, streamSequence: 51)])
    }

    @Test func fillingBelowTheTailGoesOnWhereItWasInterrupted() {
        var script = Script()
        _ = script.begin(1, Script.stream(created: "B", last: 9))
        #expect(script.load(Script.state(last: 51, published: 51, at: 1)).next == .look)
        // 51 and 52 came first, then 1 to 7 were filled in.
        #expect(script.lookAcross(first: 51, last: 7, at: 9) == Step(next: .loadEvents(after: 7, limit: 100)))
        #expect(script.dispatch.loadedEvents([Script.item(8), Script.item(9)], now: script.now).publishes == 8)
        // Nothing is recorded before all is there.
        #expect(script.publish(.unknown(reason: "lost")).writes.count == 1)
    }

    @Test func aStreamMadeAgainAndFilledFromTheStartIsNoTrouble() {
        var script = Script()
        _ = script.begin(1, Script.stream(created: "B", last: 9))
        #expect(script.load(Script.state(last: 5, published: 5, at: 100)).next == .look)
        #expect(script.lookAcross(first: 1, last: 5, at: 9).ends == .idle)
    }

    @Test func aDuplicateSaysNothingOfTheStream() {
        var script = Script()
        script.settle(upTo: 50)
        _ = script.begin()
        _ = script.load(Script.state(last: 51, published: 49, at: 49), 50...51)
        #expect(script.store(50, duplicate: true).publishes == 51)
    }

    @Test func aQuietUserWhoseMessagesAgedOutIsLeftAlone() {
        var script = Script()
        _ = script.begin(1, Script.stream(first: 500, last: 900))
        _ = script.load(Script.state(last: 6, published: 5, at: 100), 6...6)
        #expect(script.look(nil).publishes == 6)
    }

    @Test func eventsOlderThanTheStreamKeepsThemAreNotSentAgain() {
        var script = Script()
        _ = script.begin(1, Script.stream(created: "B", last: 0))
        _ = script.load(Script.state(last: 3, published: 3, at: 9))
        _ = script.look(nil)
        let old = script.settings.streamMaxAgeSeconds + 1
        let events = [Script.item(1, age: old), Script.item(2, age: old), Script.item(3, age: old)]
        let step = script.dispatch.loadedEvents(events, now: script.now)
        #expect(step == Step(writes: [.confirm(seq: 3, streamSequence: 0)], next: .load(limit: 100)))
        // That settles it: the next connection finds nothing at odds.
        _ = script.load(Script.state(last: 3, published: 3, at: 0, created: "B"))
        _ = script.begin(2, Script.stream(created: "B", last: 0))
        #expect(script.load(Script.state(last: 3, published: 3, at: 0, created: "B")).ends == .idle)
    }
}
