import MailModel
import Testing

@testable import MailPush

@Suite struct PlanTests {
    let plan = PushPlan()
    let now: Int64 = 1_700_000_000_000
    let day: Int64 = 86_400_000

    /// Google grants a week and asks for a renewal a day; Graph grants less than three days.
    @Test(arguments: [(7.0, 1.0), (2.9, 1.0), (1.0, 0.5), (0.25, 0.125)])
    func renewsDailyOrAfterHalfOfWhatWasGranted(_ granted: Double, _ expected: Double) {
        let expiry = now + Int64(granted * Double(day))
        let middle = Int64(expected * Double(day))
        for random in [0.0, 0.5, 0.999] {
            let wait = plan.renewal(at: now, expiry: expiry, random: random) - now
            #expect(abs(wait - middle) <= middle / 10 + 1)
        }
    }

    /// 10,000 accounts that were granted together: no minute has much more than its share of their renewals.
    @Test func renewalsAreSpread() {
        var generator = SystemRandomNumberGenerator()
        var minutes: [Int64: Int] = [:]
        for _ in 0..<10_000 {
            let due = plan.renewal(at: now, expiry: now + 7 * day, random: Double.random(in: 0..<1, using: &generator))
            minutes[due / 60_000, default: 0] += 1
        }
        #expect(minutes.count > 250)
        #expect((minutes.values.max() ?? 0) < 100, "the share is 35")
    }

    @Test func aGrantThatIsNearlyOverIsNoHotLoop() {
        #expect(plan.renewal(at: now, expiry: now + 1, random: 0) == now + 1000)
    }

    @Test func retriesBackOff() {
        let failure = SyncFailure(.retry(after: nil, scope: .account), code: "x", "x")
        let waits = (1...12).compactMap { failures in
            plan.retry(at: now, failures: failures, after: failure, random: 0.999_999).map { $0 - now }
        }
        #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
        #expect((2_500...5_000).contains(waits[0]))
        #expect((899_000...900_000).contains(waits[11]))
    }

    @Test func theProviderMayAskForMore() {
        let failure = SyncFailure(.retry(after: .seconds(3600), scope: .project), code: "x", "x")
        #expect(plan.retry(at: now, failures: 1, after: failure, random: 0) == now + 3_600_000)
    }

    @Test func whatAnOperatorHasToDoIsTriedRarely() throws {
        let failure = SyncFailure(.stop, code: "topic_refused", "x")
        let wait = try #require(plan.retry(at: now, failures: 1, after: failure, random: 0.5)) - now
        #expect(wait == 900_000)
    }

    @Test func whoMustSignInIsLeftAlone() {
        let failure = SyncFailure(.reauthenticate, code: "invalid_grant", "x")
        #expect(plan.retry(at: now, failures: 1, after: failure, random: 0.5) == nil)
    }
}

@Suite struct ClientStateTests {
    @Test func statesAreLongAndDifferent() {
        let states = Set((0..<100).map { _ in ClientState.make().revealed })
        #expect(states.count == 100)
        #expect(states.allSatisfy { $0.utf8.count == 64 })
    }

    @Test func onlyTheSameStateMatches() {
        let state = ClientState.make()
        let digest = ClientStateDigest(of: state)
        #expect(digest.matches(ClientStateDigest(of: state)))
        #expect(digest.bytes.count == 32)
        for other in ["", state.revealed + "0", String(state.revealed.dropLast()), state.revealed.uppercased() + "x"] {
            #expect(!digest.matches(ClientStateDigest(of: Secret(other))))
        }
        #expect(!digest.matches(ClientStateDigest(bytes: [])))
        #expect(!ClientStateDigest(bytes: []).matches(ClientStateDigest(bytes: [])))
    }
}
