import MailModel
import Testing

@testable import MailDispatch

@Suite struct DispatchScheduleTests {
    private let a = UserID(uncheckedEncoded: "a")
    private let b = UserID(uncheckedEncoded: "b")

    @Test func firstComeFirstServedAndEachOnce() {
        var schedule = DispatchSchedule()
        for user in [a, b, a] { schedule.wake(user) }
        #expect(schedule.readyCount == 2)
        #expect(schedule.take(max: 9) == a)
        #expect(schedule.take(max: 1) == nil)
        #expect(schedule.take(max: 2) == b)
        #expect(schedule.take(max: 9) == nil)
    }

    @Test func aUserIsNeverActiveTwiceAndAWakeUpIsNotLost() {
        var schedule = DispatchSchedule()
        schedule.wake(a)
        _ = schedule.take(max: 9)
        schedule.wake(a)
        #expect(schedule.take(max: 9) == nil)
        schedule.finish(a, more: false)
        #expect(schedule.take(max: 9) == a)
        schedule.finish(a, more: false)
        #expect(schedule.take(max: 9) == nil)
    }

    @Test func moreGoesToTheEndOfTheQueue() {
        var schedule = DispatchSchedule()
        schedule.wake(a)
        schedule.wake(b)
        _ = schedule.take(max: 1)
        schedule.finish(a, more: true)
        #expect(schedule.take(max: 1) == b)
    }

    @Test func aBackOffIsNotCutShortByAWakeUp() {
        var schedule = DispatchSchedule()
        schedule.wake(a)
        _ = schedule.take(max: 9)
        schedule.delay(a)
        schedule.wake(a)
        #expect(schedule.take(max: 9) == nil)
        schedule.release(a)
        schedule.release(a)
        #expect(schedule.take(max: 9) == a)
        schedule.delay(a)
        schedule.releaseAll()
        #expect(schedule.take(max: 9) == a)
        #expect(schedule.delayedCount == 0)
    }

    @Test func tenThousandUsersKeepTheirOrder() {
        var schedule = DispatchSchedule()
        let users = (0..<10_000).map { UserID(uncheckedEncoded: "u\($0)") }
        for user in users { schedule.wake(user) }
        for user in users { #expect(schedule.take(max: .max) == user) }
    }
}

@Suite struct StreamGateTests {
    private func stream(_ last: UInt64, created: String = "A") -> StreamState {
        StreamState(created: created, lastSequence: last, firstSequence: 1, duplicateWindowMilliseconds: 1)
    }

    private func opened(_ last: UInt64 = 10) -> StreamGate {
        var gate = StreamGate()
        _ = gate.connected(1)
        _ = gate.probed(stream(last), on: 1, acknowledged: 0)
        return gate
    }

    @Test func opensAfterALookOnly() {
        var gate = StreamGate()
        #expect(gate.connected(0) == .nothing)
        #expect(gate.pass == nil)
        #expect(gate.connected(1) == .probe(afterMilliseconds: 0, ticket: 1))
        #expect(gate.pass == nil)
        #expect(gate.probed(stream(10), on: 1, acknowledged: 0) == .first)
        #expect(gate.pass?.stream.lastSequence == 10)
    }

    @Test func looksAgainWithLongerAndLongerPauses() {
        var gate = StreamGate()
        _ = gate.connected(1)
        #expect(gate.probeFailed("x", jitter: 0.999_999) == .probe(afterMilliseconds: 99, ticket: 2))
        #expect(gate.probeFailed("x", jitter: 0) == .probe(afterMilliseconds: 50, ticket: 3))
        #expect(gate.state == .paused("x"))
        #expect(!gate.isCurrent(2))
        #expect(gate.isCurrent(3))
    }

    @Test func keepsTheStreamAsItWasBeforeWePublished() {
        var gate = opened(10)
        guard let pass = gate.pass else {
            Issue.record("closed")
            return
        }
        #expect(gate.suspect(pass, "lost") != .nothing)
        #expect(gate.suspect(pass, "lost") == .nothing)
        #expect(gate.pass == nil)
        #expect(gate.probed(stream(25), on: 1, acknowledged: 20) == .asExpected)
        #expect(gate.pass?.stream.lastSequence == 10)
        #expect(gate.suspect(pass, "late report") == .nothing)
        _ = gate.connected(2)
        #expect(gate.probed(stream(30), on: 2, acknowledged: 30) == .asExpected)
        #expect(gate.pass?.stream.lastSequence == 30)
    }

    @Test func noticesAStreamThatWentBack() {
        for (now, acknowledged) in [(stream(9), UInt64(0)), (stream(10), 11), (stream(99, created: "B"), 0)] {
            var gate = opened(10)
            _ = gate.connected(2)
            guard case .wentBack = gate.probed(now, on: 2, acknowledged: acknowledged) else {
                Issue.record("not noticed")
                continue
            }
            #expect(gate.pass?.stream == now)
        }
    }

    @Test func anAnswerOfAnEarlierConnectionOpensNothing() {
        var gate = StreamGate()
        _ = gate.connected(2)
        #expect(gate.probed(stream(1), on: 1, acknowledged: 0) == .outdated)
        #expect(gate.pass == nil)
    }

    @Test func haltsUntilTheNextConnection() {
        var gate = opened()
        guard let pass = gate.pass else { return }
        gate.forbidden(pass, "no")
        #expect(gate.pass == nil)
        #expect(gate.probed(stream(10), on: 1, acknowledged: 0) == .outdated)
        #expect(gate.state == .halted("no"))
        _ = gate.connected(2)
        _ = gate.probed(stream(10), on: 2, acknowledged: 0)
        #expect(gate.pass != nil)
    }

    @Test func troubleIsTriedAgainWithLongerPausesUntilSomethingIsStored() {
        var gate = opened()
        var pauses: [Int64] = []
        for _ in 0..<3 {
            guard let pass = gate.pass, case .probe(let pause, _) = gate.trouble(pass, "full", jitter: 0.999_999) else {
                Issue.record("no pause")
                return
            }
            pauses.append(pause)
            _ = gate.probed(stream(10), on: 1, acknowledged: 0)
        }
        #expect(pauses == [99, 199, 399])
        gate.stored()
        guard let pass = gate.pass else { return }
        #expect(gate.trouble(pass, "full", jitter: 0) == .probe(afterMilliseconds: 50, ticket: 5))
    }
}

@Suite struct SmallDispatchPartsTests {
    @Test func backOffStaysWithinItsLimits() {
        for attempts in [-1, 0, 1, 2, 10, 63, 64, 1_000, Int.max] {
            for jitter in [0.0, 0.5, 0.999_999] {
                let pause = Backoff.milliseconds(attempts: attempts, jitter: jitter)
                #expect((50...30_000).contains(pause))
            }
        }
        #expect(Backoff.milliseconds(attempts: 30, jitter: 0.999_999) > 29_000)
    }

    @Test func percentilesOfTheLastValues() {
        var ring = LatencyRing(capacity: 100)
        #expect(ring.percentile(0.5) == nil)
        for value in 1...250 { ring.add(Double(value)) }
        #expect(ring.percentile(0.5) == 201)
        #expect(ring.percentile(0.99) == 250)
        #expect(ring.percentile(0) == 151)
    }
}
