import MailModel
import Testing

@testable import MailPush

@Suite struct HealthMachineTests {
    static let start: Int64 = 1_700_000_000_000
    let minute: Int64 = 60_000
    let hour: Int64 = 3_600_000
    var now: Int64 { Self.start }

    func grant(_ id: String = "s1", hours: Int64 = 72, at now: Int64 = HealthMachineTests.start) -> PushGrant {
        PushGrant(
            subscription: PushSubscription(id: id, expiresAt: (now + hours * hour) / 1000),
            digest: ClientStateDigest(of: Secret("state")))
    }

    func healthy() -> PushHealthMachine {
        var machine = PushHealthMachine(plan: PushPlan(), at: now)
        _ = machine.begin(at: now)
        machine.granted(grant(), at: now, random: 0.5)
        return machine
    }

    let failure = SyncFailure(.retry(after: nil, scope: .account), code: "unavailable", "try later")

    @Test func beginsPendingAndAsksAtOnce() {
        var machine = PushHealthMachine(plan: PushPlan(), at: now)
        #expect(machine.health(at: now) == .pending)
        #expect(machine.begin(at: now) == .subscribe)
        #expect(machine.begin(at: now) == nil, "one request at a time")
        machine.granted(grant(), at: now, random: 0.5)
        #expect(machine.health(at: now) == .healthy)
        #expect(machine.begin(at: now) == nil)
    }

    @Test func renewsInTime() {
        var machine = healthy()
        #expect(machine.nextAt(now) == now + 24 * hour)
        let due = now + 24 * hour
        #expect(machine.begin(at: due) == .renew(grant()))
        #expect(machine.nextAt(due) == grant().expiry, "while it is asked, only the end of the grant counts")
        machine.granted(grant(at: due), at: due, random: 0.5)
        #expect(machine.health(at: due) == .healthy)
        #expect(machine.nextAt(due) == due + 24 * hour)
    }

    @Test func aRefusalLapsesAndIsTriedAgain() throws {
        var machine = PushHealthMachine(plan: PushPlan(), at: now)
        _ = machine.begin(at: now)
        machine.failed(failure, at: now, random: 0.5)
        #expect(machine.health(at: now) == .lapsed)
        #expect(machine.lastError == "unavailable: try later")
        let next = try #require(machine.nextAt(now))
        #expect(next > now)
        #expect(machine.begin(at: next) == .subscribe)
        machine.granted(grant(at: next), at: next, random: 0.5)
        #expect(machine.health(at: next) == .healthy)
        #expect(machine.lastError == nil)
    }

    /// What was granted holds although the provider could not be asked for more.
    @Test func aFailedRenewalLapsesWhenTheGrantEnds() {
        var machine = healthy()
        _ = machine.begin(at: now + 24 * hour)
        machine.failed(failure, at: now + 24 * hour, random: 0.5)
        #expect(machine.health(at: now + 24 * hour) == .healthy)
        #expect(machine.health(at: grant().expiry - 1) == .healthy)
        #expect(machine.health(at: grant().expiry) == .lapsed)
        #expect(machine.begin(at: grant().expiry) == .subscribe, "what ended is not renewed")
    }

    @Test func goneIsSubscribedAnew() {
        var machine = healthy()
        let due = now + 24 * hour
        _ = machine.begin(at: due)
        machine.gone(at: due)
        #expect(machine.health(at: due) == .lapsed)
        #expect(machine.begin(at: due) == .subscribe)
    }

    @Test func removedIsSubscribedAnew() {
        var machine = healthy()
        machine.removed(at: now + hour)
        #expect(machine.grant == nil)
        #expect(machine.health(at: now + hour) == .lapsed)
        #expect(machine.begin(at: now + hour) == .subscribe)
    }

    @Test func aDoubtIsARenewalNow() {
        var machine = healthy()
        machine.doubted(at: now + hour)
        #expect(machine.begin(at: now + hour) == .renew(grant()))
    }

    /// What arrives while the provider is asked may be about what it grants.
    @Test func aDoubtDuringARequestIsAnotherRequest() {
        var machine = healthy()
        machine.doubted(at: now)
        _ = machine.begin(at: now)
        machine.doubted(at: now + 1)
        machine.granted(grant(), at: now + 2, random: 0.5)
        #expect(machine.begin(at: now + 2) == .renew(grant()))
        machine.granted(grant(), at: now + 3, random: 0.5)
        #expect(machine.begin(at: now + 3) == nil)
    }

    @Test func whoMustSignInIsLeftAloneUntilThen() {
        var machine = healthy()
        _ = machine.begin(at: now + 24 * hour)
        machine.failed(SyncFailure(.reauthenticate, code: "invalid_grant", "x"), at: now + 24 * hour, random: 0)
        #expect(machine.health(at: now + 24 * hour) == .lapsed)
        machine.doubted(at: now + 25 * hour)
        #expect(machine.begin(at: now + 71 * hour) == nil)
        machine.removed(at: now + 71 * hour)
        #expect(machine.begin(at: now + 71 * hour) == nil)
        machine.connected(at: now + 72 * hour)
        #expect(machine.begin(at: now + 72 * hour) == .subscribe)
    }

    /// The tokens that failed were those before.
    @Test func aReconnectDuringARequestIsNotLost() {
        var machine = PushHealthMachine(plan: PushPlan(), at: now)
        _ = machine.begin(at: now)
        machine.connected(at: now + 1)
        machine.failed(SyncFailure(.reauthenticate, code: "invalid_grant", "x"), at: now + 2, random: 0)
        #expect(machine.begin(at: now + 2) == .subscribe)
    }

    @Test func aGrantOfThePastIsARefusal() throws {
        var machine = PushHealthMachine(plan: PushPlan(), at: now)
        _ = machine.begin(at: now)
        machine.granted(grant(hours: -1), at: now, random: 0.5)
        #expect(machine.health(at: now) == .lapsed)
        #expect(try #require(machine.nextAt(now)) > now + 1000)
        #expect(machine.lastError?.contains("expired_grant") == true)
    }

    // MARK: silence

    @Test func silentWhenNothingAnnouncedWhatAPollFound() {
        var machine = healthy()
        let found = now + hour
        machine.foundUnannounced(at: found)
        #expect(machine.nextAt(found) == found + minute)
        machine.passed(to: found + minute - 1)
        #expect(machine.health(at: found + minute - 1) == .healthy)
        machine.passed(to: found + minute)
        #expect(machine.health(at: found + minute) == .silent)
        #expect(machine.begin(at: found + minute) == .subscribe, "a fresh one is tried")
        machine.granted(grant("s2"), at: found + minute, random: 0.5)
        #expect(machine.health(at: found + minute) == .silent, "only a push shows that it announces")
        #expect(machine.nextAt(found + minute) == found + minute + hour, "it is tried again")
        machine.pushed(at: found + 2 * minute)
        #expect(machine.health(at: found + 2 * minute) == .healthy)
    }

    @Test func aPushShortlyBeforeOrAfterClears() {
        for offset in [-minute, -1, 0, 1, minute - 1] {
            var machine = healthy()
            let found = now + hour
            if offset <= 0 { machine.pushed(at: found + offset) }
            machine.foundUnannounced(at: found)
            if offset > 0 { machine.pushed(at: found + offset) }
            machine.passed(to: found + minute)
            #expect(machine.health(at: found + minute) == .healthy, "a push \(offset) ms apart")
        }
    }

    @Test func anOldPushClearsNothing() {
        var machine = healthy()
        machine.pushed(at: now + hour - minute - 1)
        machine.foundUnannounced(at: now + hour)
        machine.passed(to: now + hour + minute)
        #expect(machine.health(at: now + hour + minute) == .silent)
    }

    /// Without a grant nobody promised to announce anything.
    @Test func noSilenceWithoutAGrant() {
        var machine = PushHealthMachine(plan: PushPlan(), at: now)
        machine.foundUnannounced(at: now)
        machine.passed(to: now + hour)
        #expect(machine.health(at: now + hour) == .pending)
    }

    @Test func anotherGrantAfterALossIsNotSilent() {
        var machine = healthy()
        machine.foundUnannounced(at: now)
        machine.passed(to: now + minute)
        machine.removed(at: now + minute)
        _ = machine.begin(at: now + minute)
        machine.granted(grant("s2"), at: now + minute, random: 0.5)
        #expect(machine.health(at: now + minute) == .healthy)
    }

    @Test func aRecordRestoresItAll() throws {
        for health in [PushHealth.healthy, .silent] {
            let key = AccountKey(user: try UserID("ada"), provider: .microsoft, inbox: .primary)
            let record = PushRecord(
                key: key, grant: grant(), dueAt: now + hour, health: health, failures: 2, lastError: "x: y")
            let machine = PushHealthMachine(plan: PushPlan(), record: record, at: now)
            #expect(machine.health(at: now) == health)
            #expect(machine.nextAt(now) == now + hour)
            #expect(machine.grant == grant())
            #expect(machine.failures == 2 && machine.lastError == "x: y")
        }
    }
}
