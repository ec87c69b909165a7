import MailModel
import Testing

@testable import MailSync

@Suite struct PollingPolicyTests {
    private static let start: Int64 = 1_700_000_000_000
    private let policy = PollingPolicy(interval: .seconds(30), pushInterval: .seconds(900))

    private func account(_ n: Int = 1) throws -> PollingPolicy.Account {
        PollingPolicy.Account(phase: PollingPolicy.phase(of: try key(n)))
    }

    private func key(_ n: Int) throws -> AccountKey {
        AccountKey(
            user: try UserID("user-\(n / 2)"), provider: n.isMultiple(of: 2) ? .google : .microsoft, inbox: .primary)
    }

    @Test func tenThousandAccountsAreSpreadEvenlyOverTheInterval() throws {
        var perSecond = [Int](repeating: 0, count: 30)
        for n in 0..<10_000 {
            let due = try #require(policy.nextTurn(of: try account(n), after: Self.start))
            #expect(due > Self.start && due <= Self.start + 30_000)
            perSecond[Int((due - Self.start - 1) / 1000)] += 1
        }
        // 333 on average; five standard deviations of a fair throw are 90.
        #expect(perSecond.allSatisfy { (243...423).contains($0) }, "\(perSecond)")
    }

    @Test func aPhaseIsTheSameInEveryProcess() throws {
        #expect(PollingPolicy.phase(of: try key(1)) == 2_202_497_599_344_791_425)
    }

    @Test func turnsComeOneIntervalAfterTheOtherWheneverAPassEnds() throws {
        let account = try account()
        let first = try #require(policy.nextTurn(of: account, after: Self.start))
        for end in [first, first + 1, first + 12_345, first + 29_999] {
            #expect(policy.nextTurn(of: account, after: end) == first + 30_000)
        }
    }

    @Test func aChangeHalvesTheIntervalForAWhileAndNeverBelowTheBound() throws {
        var account = try account()
        account.changedAt = Self.start
        let end = Self.start + PollingPolicy.activeFor.milliseconds
        #expect(policy.interval(of: account, at: end - 1) == .seconds(15))
        #expect(policy.interval(of: account, at: end) == .seconds(30))
        for (interval, active) in [(12.0, 10.0), (5.0, 5.0), (3600.0, 1800.0)] {
            let policy = PollingPolicy(interval: .seconds(interval), pushInterval: .seconds(900))
            #expect(policy.interval(of: account, at: Self.start) == .seconds(active))
        }
    }

    @Test func healthyPushesStretchAndAnythingElseDoesNot() throws {
        var account = try account()
        account.changedAt = Self.start
        for health in PushHealth.allCases {
            account.pushes = health
            let expected: Duration = health == .healthy ? .seconds(900) : .seconds(15)
            #expect(policy.interval(of: account, at: Self.start) == expected, "\(health)")
        }
        account.pushes = .healthy
        let slow = PollingPolicy(interval: .seconds(3600), pushInterval: .seconds(900))
        #expect(slow.interval(of: account, at: Self.start) == .seconds(3600))
    }

    @Test func theUsersScheduleCountsBeforeAllElse() throws {
        var account = try account()
        account.own = AccountSchedule(interval: .seconds(7200))
        for health in [PushHealth.off, .healthy] {
            account.pushes = health
            account.changedAt = Self.start
            #expect(policy.interval(of: account, at: Self.start) == .seconds(7200))
        }
        account.own = AccountSchedule()
        #expect(policy.interval(of: account, at: Self.start) == .seconds(900))
    }

    @Test func whereThereAreFoldersTheShortestIntervalOfAnyDecides() throws {
        var account = try account()
        account.folders = .standard
        #expect(policy.interval(of: account, at: Self.start) == .seconds(300))
        account.own = AccountSchedule(folders: ["Projects": .seconds(60)])
        #expect(policy.interval(of: account, at: Self.start) == .seconds(60))
        account.own = AccountSchedule(interval: .seconds(1200), folders: ["Projects": .seconds(3600)])
        #expect(policy.interval(of: account, at: Self.start) == .seconds(1200))
    }

    @Test func afterAStartThoseThatMissedTheirTurnComeFirstAndNobodyElse() throws {
        let account = try account()
        let turn = try #require(policy.nextTurn(of: account, after: Self.start))
        func first(keptUntil: Int64?, isSettled: Bool = true, at now: Int64) -> PollingPolicy.FirstTurn {
            policy.firstTurn(of: account, isSettled: isSettled, keptUntil: keptUntil, at: now)
        }
        #expect(first(keptUntil: turn, at: turn + 10_000) == .at(turn + 30_000))
        #expect(first(keptUntil: turn - 1, at: turn + 10_000) == .overdue(since: turn))
        #expect(first(keptUntil: nil, at: turn + 10_000) == .overdue(since: turn))
        #expect(first(keptUntil: turn, isSettled: false, at: turn + 10_000) == .overdue(since: 0))
    }

    @Test func withTheInnerClockOffOnlyUnfinishedWorkIsTakenUp() throws {
        var policy = policy
        policy.isClockOff = true
        let account = try account()
        #expect(policy.nextTurn(of: account, after: Self.start) == nil)
        #expect(policy.firstTurn(of: account, isSettled: true, keptUntil: nil, at: Self.start) == .unscheduled)
        #expect(policy.firstTurn(of: account, isSettled: false, keptUntil: nil, at: Self.start) == .overdue(since: 0))
    }
}

@Suite struct FolderScheduleTests {
    private static let now: Int64 = 1_700_000_000_000
    private let standard = FolderSchedule.standard

    private func interval(
        _ schedule: FolderSchedule, _ role: FolderSchedule.Role, quietFor: Double?, label: String = "x"
    ) -> Duration {
        let changedAt = quietFor.map { Self.now - Int64($0 * 1000) }
        return schedule.interval(role, label: label, changedAt: changedAt, at: Self.now)
    }

    @Test func theDefaultsAreTheDocumentedOnes() {
        let usual: [FolderSchedule.Role: Double] = [
            .inbox: 300, .sent: 900, .drafts: 900, .other: 1800, .archive: 86_400,
        ]
        for (role, seconds) in usual {
            // Changed lately, but not just now.
            #expect(interval(standard, role, quietFor: max(2000, seconds * 5)) == .seconds(seconds), "\(role)")
        }
        #expect(standard.shortest == .seconds(300))
    }

    @Test func activityHalvesAndQuietDoublesWithinBounds() {
        #expect(interval(standard, .inbox, quietFor: 10) == .seconds(150))
        #expect(interval(standard, .inbox, quietFor: 3000) == .seconds(600))
        #expect(interval(standard, .other, quietFor: nil) == .seconds(3600))
        #expect(interval(standard, .archive, quietFor: nil) == .seconds(86_400))
    }

    @Test func whatSomebodyAskedForIsNeverExceeded() {
        let all = FolderSchedule.every(.seconds(60))
        for role in FolderSchedule.Role.allCases {
            #expect(interval(all, role, quietFor: nil) == .seconds(60))
            #expect(interval(all, role, quietFor: 5) == .seconds(30))
        }
        let own = standard.applying(AccountSchedule(folders: ["Projects": .seconds(120)]))
        #expect(interval(own, .other, quietFor: nil, label: "Projects") == .seconds(120))
        #expect(interval(own, .other, quietFor: nil) == .seconds(3600))
        #expect(own.shortest == .seconds(120))
    }

    @Test func theNearestStepOfTheAccountCounts() {
        func isDue(_ elapsed: Int64) -> Bool {
            standard.isDue(
                .sent, label: "SENT", checkedAt: Self.now - elapsed * 1000, changedAt: Self.now - 5_000_000,
                at: Self.now)
        }
        #expect(!isDue(599) && !isDue(749))
        #expect(isDue(750) && isDue(899) && isDue(900))
        #expect(isDue(-3600), "a clock that was set back")
        #expect(standard.isDue(.archive, label: "ARCHIVE", checkedAt: nil, changedAt: nil, at: Self.now))
    }
}
