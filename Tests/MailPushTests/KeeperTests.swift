import Foundation
import MailModel
import MailTestSupport
import Testing

@testable import MailPush

@Suite struct KeeperTests {
    @Test func subscribesAtConnectAndLooks() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            #expect(harness.script.calls == [.subscribe])
            try await eventually("what came before is looked for") { harness.seen.looks(ada) == 1 }
            let standing = try #require(await harness.standing(ada))
            #expect(standing.until == harness.time.now() + 72 * 3600 && standing.error == nil)
            #expect(harness.push("s1") == .accepted)
            try await eventually("the worker is woken") { harness.seen.announced(ada) == 1 }
        }
    }

    /// Of what the provider was told only the digest is kept.
    @Test func theStateItselfIsNotKept() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            let state = try #require(harness.script.clientState(of: "s1"))
            try await eventually("a record") { try await harness.records().first?.grant != nil }
            let grant = try #require(try await harness.records().first?.grant)
            #expect(grant.digest == ClientStateDigest(of: state))
            for file in ["control.db", "control.db-wal"] {
                let bytes = FileManager.default.contents(atPath: "\(harness.directory.path)/\(file)") ?? Data()
                #expect(bytes.range(of: Data(state.revealed.utf8)) == nil, "in \(file)")
            }
        }
    }

    @Test func renewsInTimeAndKeepsTheState() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            harness.time.advance(by: .seconds(21 * 3600))
            #expect(harness.script.calls == [.subscribe], "not before 90 % of a day")
            try await eventually("a renewal") {
                harness.time.advance(by: .seconds(600))
                return harness.script.calls == [.subscribe, .renew("s1")]
            }
            #expect(harness.time.nowMilliseconds() < ManualTime().nowMilliseconds() + 30 * 3_600_000)
            #expect(harness.push("s1") == .accepted)
            #expect(harness.seen.health(ada) == .healthy)
            #expect(harness.seen.looks(ada) == 1, "a renewal calls for no look")
        }
    }

    @Test func whatIsGoneIsSubscribedAnew() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            harness.script.set { $0.gone = ["s1"] }
            #expect(harness.push("s1", .reauthorize) == .accepted)
            try await eventually("a new subscription") { harness.push("s2") == .accepted }
            #expect(harness.script.calls == [.subscribe, .renew("s1"), .subscribe])
            #expect(harness.push("s1") == .unknown)
            try await eventually("what was missed is looked for") { harness.seen.looks(ada) == 2 }
        }
    }

    @Test func whatTheProviderRemovedIsSubscribedAnewWithAPass() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            #expect(harness.push("s1", .removed) == .accepted)
            try await eventually("a new subscription and a pass") {
                harness.script.calls == [.subscribe, .subscribe] && harness.seen.announced(ada) == 1
            }
            try await eventually("it is healthy") { await harness.standing(ada)?.health == .healthy }
        }
    }

    @Test func missedIsAPass() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            #expect(harness.push("s1", .missed) == .accepted)
            try await eventually("a pass") { harness.seen.announced(ada) == 1 }
            #expect(harness.script.calls == [.subscribe])
        }
    }

    @Test func forgedAndUnknownWakeNobody() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            let forged = PushAnnouncement(provider: .microsoft, subscription: "s1", clientState: Secret("guess"))
            #expect(harness.keeper.receiver.receive(forged) == .forged)
            #expect(harness.push("s7") == .unknown)
            #expect(harness.push("s1") == .accepted)
            try await eventually("the true one") { harness.seen.announced(ada) == 1 }
            #expect(harness.keeper.receipts[PushCount(provider: .microsoft, receipt: .forged)] == 1)
            #expect(harness.keeper.receipts[PushCount(provider: .microsoft, receipt: .unknown)] == 1)
        }
    }

    // MARK: going

    @Test func disconnectUnsubscribes() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            await harness.keeper.leave(ada)
            #expect(harness.script.calls == [.subscribe, .unsubscribe("s1")])
            #expect(harness.push("s1") == .unknown)
            #expect(try await harness.records().isEmpty)
            #expect(harness.seen.health(ada) == .off)
            #expect(await harness.standing(ada) == nil)
        }
    }

    @Test func aProviderThatFailsOrStallsHoldsUpNoDisconnect() async throws {
        try await withKeeper { harness in
            let (ada, bob) = (try harness.account(), try harness.account("bob"))
            try await harness.following(ada)
            try await harness.following(bob)
            harness.script.set { $0.failure = SyncFailure(.stop, code: "forbidden", "no") }
            await harness.keeper.leave(ada)
            harness.script.set { $0.stalls = true }
            let (keeper, hasLeft) = (harness.keeper, AtomicFlag())
            let leaving = Task {
                await keeper.leave(bob)
                hasLeft.raise()
            }
            try await eventually("the end of the wait") {
                harness.time.advance(by: .seconds(1))
                return hasLeft.isRaised
            }
            #expect(try await harness.records().isEmpty)
            await leaving.value
        }
    }

    /// Both follow one mailbox: what is announced of it is for both, and ends with the last of them.
    @Test func twoUsersOfOneAddress() async throws {
        try await withKeeper { harness in
            let (ada, bob) = (try harness.account("ada", .google), try harness.account("bob", .google))
            harness.script.set { $0.mailboxes = [ada: "x@example.com", bob: "x@example.com"] }
            try await harness.following(ada)
            try await harness.following(bob)
            let push = PushAnnouncement(provider: .google, subscription: "x@example.com")
            #expect(harness.keeper.receiver.receive(push) == .accepted)
            try await eventually("both are woken") {
                harness.seen.announced(ada) == 1 && harness.seen.announced(bob) == 1
            }
            await harness.keeper.leave(ada)
            #expect(harness.script.calls == [.subscribe, .subscribe], "bob still follows it")
            #expect(harness.keeper.receiver.receive(push) == .accepted)
            try await eventually("bob is woken") { harness.seen.announced(bob) == 2 }
            #expect(harness.seen.announced(ada) == 1)
            await harness.keeper.leave(bob)
            #expect(harness.script.calls.last == .unsubscribe("x@example.com"))
        }
    }

    /// A grant that arrives while its mailbox's announcements are being ended may be the one that is ended.
    @Test func whoConnectsDuringTheFarewellAsksAgain() async throws {
        try await withKeeper { harness in
            let (ada, bob) = (try harness.account("ada", .google), try harness.account("bob", .google))
            harness.script.set { $0.mailboxes = [ada: "x@example.com", bob: "x@example.com"] }
            try await harness.following(ada)
            harness.script.set { $0.stalls = true }
            let keeper = harness.keeper
            let leaving = Task { await keeper.leave(ada) }
            try await eventually("the farewell is under way") {
                harness.script.calls.contains(.unsubscribe("x@example.com"))
            }
            harness.script.set { $0.stalls = false }
            try await harness.following(bob)
            try await eventually("bob asks again") {
                harness.time.advance(by: .seconds(1))
                return harness.script.calls(of: bob) == [.subscribe, .renew("x@example.com")]
            }
            await leaving.value
        }
    }

    // MARK: refusals

    @Test func aRefusalLapsesAndBacksOff() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            harness.script.set { $0.failure = SyncFailure(.stop, code: "topic_refused", "the topic is not ours") }
            await harness.keeper.follow(ada)
            try await harness.until(ada, .lapsed)
            #expect(await harness.standing(ada)?.error == "topic_refused: the topic is not ours")
            harness.time.advance(by: .seconds(800))
            for _ in 0..<100 { await Task.yield() }
            #expect(harness.script.calls == [.subscribe], "the longest back-off")
            harness.script.set { $0.failure = nil }
            try await eventually("another try") {
                harness.time.advance(by: .seconds(10))
                return harness.seen.health(ada) == .healthy
            }
            #expect(await harness.standing(ada)?.error == nil)
        }
    }

    @Test func whoMustSignInIsLeftAloneUntilConnectedAgain() async throws {
        let ada = try KeeperHarness().account()
        let harness = try KeeperHarness(accounts: [PushedAccount(key: ada, waitsForUser: true)])
        try await withKeeper(harness) { harness in
            try await eventually("it is known") { await harness.standing(ada) != nil }
            harness.time.advance(by: .seconds(7 * 86_400))
            for _ in 0..<100 { await Task.yield() }
            #expect(harness.script.calls.isEmpty)
            try await harness.following(ada)
        }
    }

    @Test func aGrantThatEndsLapses() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            harness.script.set { $0.failure = SyncFailure(.retry(after: nil, scope: .account), code: "down", "x") }
            try await eventually("it lapsed") {
                harness.time.advance(by: .seconds(600))
                return harness.seen.health(ada) == .lapsed
            }
            #expect(harness.time.now() >= ManualTime().now() + 72 * 3600, "what was granted held")
            harness.script.set { $0.failure = nil }
            try await eventually("it is healed") {
                harness.time.advance(by: .seconds(60))
                return harness.seen.health(ada) == .healthy
            }
        }
    }

    // MARK: silence

    @Test func silentByEvidenceAndHealedByAPush() async throws {
        try await withKeeper { harness in
            let ada = try harness.account()
            try await harness.following(ada)
            harness.keeper.foundUnannounced(ada)
            try await eventually("it is silent") {
                harness.time.advance(by: .seconds(1))
                return harness.seen.health(ada) == .silent
            }
            try await eventually("a fresh subscription") { harness.push("s2") == .accepted }
            try await harness.until(ada, .healthy)
            #expect(harness.script.calls == [.subscribe, .subscribe, .unsubscribe("s1")], "the old one is ended")
        }
    }

    // MARK: restarts, many

    @Test func aRestartKeepsSubscriptions() async throws {
        let directory = try TemporaryDirectory("pushes")
        let time = ManualTime()
        let script = ScriptedPushes(time: time)
        let first = try KeeperHarness(directory: directory, time: time, script: script)
        let (ada, gone) = (try first.account(), try first.account("gone"))
        try await withKeeper(first) { harness in
            try await harness.following(ada)
            try await harness.following(gone)
        }
        let second = try KeeperHarness(
            directory: directory, time: time, script: script, accounts: [PushedAccount(key: ada)])
        try await withKeeper(second) { harness in
            try await harness.until(ada, .healthy)
            #expect(script.calls(of: ada) == [.subscribe], "nothing is asked again")
            await time.waitForSleepers()
            time.advance(by: .milliseconds(1020))
            try await eventually("what nobody heard is looked for") { harness.seen.looks(ada) == 1 }
            #expect(harness.push("s1") == .accepted)
            #expect(harness.push("s2") == .unknown)
            try await eventually("the row of an account that is gone") {
                try await harness.records().map(\.key) == [ada]
            }
        }
    }

    /// A thousand accounts, each announced ten times at once: every one is woken, and nothing is left.
    @Test func aStorm() async throws {
        try await withKeeper { harness in
            let keys = try (0..<1000).map { try harness.account("user-\($0)", .google) }
            harness.script.set { state in
                for key in keys { state.mailboxes[key] = "\(key.user.raw)@example.com" }
            }
            for key in keys { await harness.keeper.follow(key) }
            for key in keys { try await harness.until(key, .healthy) }
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        for key in keys {
                            let push = PushAnnouncement(
                                provider: .google, subscription: "\(key.user.raw)@example.com")
                            _ = harness.keeper.receiver.receive(push)
                        }
                    }
                }
            }
            for key in keys { try await eventually("\(key) is woken") { harness.seen.announced(key) > 0 } }
            let woken = keys.reduce(0) { $0 + harness.seen.announced($1) }
            #expect(woken <= 10_000)
            #expect(harness.keeper.receipts[PushCount(provider: .google, receipt: .accepted)] == 10_000)
        }
    }
}
