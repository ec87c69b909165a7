import Foundation
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// The real process is killed while it works; afterwards nothing is lost, doubled or out of order.
    @Suite struct CrashTests {
        /// At every named point, and at random moments, during a backfill with live changes.
        @Test(.timeLimit(.minutes(5)), arguments: NatsServerKind.available)
        func killedAnywhere(_ kind: NatsServerKind) async throws {
            let seed = SeededGenerator.seedOfThisRun
            let plan = Kill.plan(seed: seed)
            var provider = EmulatorConfiguration()
            provider.latency = .milliseconds(5)
            let tally = try await withStage(kind, provider: provider) { stage in
                let user = try stage.makeUser(messages: 6000)
                let activity = try MailboxActivity(user.mailboxes[0].box, seed: seed)
                let first = try await stage.serve()
                let watch = try await stage.watch(user)
                try await first.client(of: user).connect()
                let tally = try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await activity.run(every: .milliseconds(10)) }
                    try await watch.read(20)
                    await first.kill()
                    var tally = KillTally()
                    for kill in plan { try await tally.note(kill, stage.strike(kill, user, watch), user) }
                    group.cancelAll()
                    return tally
                }
                try await stage.expectAgreement(stage.serve(), user, watch, "seed \(seed)")
                return tally
            }
            print("killed \(tally.kills) times, \(tally.inFlight) in flight (\(tally.summary)); seed \(seed)")
            #expect(tally.kills >= 20, "seed \(seed)")
            #expect(tally.inFlight >= 15, "seed \(seed): \(tally.summary)")
        }

        /// Users of either provider, one of them with accounts at both and two inboxes at one of them: one store and one
        /// sequence of numbers for each user.
        @Test(.timeLimit(.minutes(5))) func killedWithAccountsAtBothProviders() async throws {
            let seed = SeededGenerator.seedOfThisRun
            var provider = EmulatorConfiguration()
            provider.latency = .milliseconds(5)
            try await withStage(provider: provider) { stage in
                let ada = try stage.makeUser(
                    "ada",
                    [
                        (.google, "primary", 700), (.microsoft, "primary", 700), (.microsoft, "work", 150),
                        (.google, "work", 150),
                    ])
                let users = [
                    ada, try stage.makeUser("bob", [(.microsoft, "primary", 250)], seed: 5),
                    try stage.makeUser("cleo", [(.google, "primary", 250)], seed: 6),
                ]
                let boxes = users.flatMap(\.mailboxes).map(\.box)
                let activities = try boxes.enumerated().map {
                    try MailboxActivity($1, seed: seed &+ UInt64($0))
                }
                let first = try await stage.serve()
                var watched: [(user: MailUser, watch: StreamWatch)] = []
                for user in users {
                    watched.append((user, try await stage.watch(user)))
                    try await first.client(of: user).connect()
                }
                let watch = watched[0].watch
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for activity in activities { group.addTask { try await activity.run(every: .milliseconds(40)) } }
                    try await watch.read(20)
                    await first.kill()
                    for (number, kill) in Kill.plan(seed: seed).enumerated() {
                        // Some resume points die as well.
                        if number.isMultiple(of: 9) { try boxes[number % boxes.count].expireCursors() }
                        _ = try await stage.strike(kill, ada, watch)
                    }
                    group.cancelAll()
                }
                try await stage.expectAgreement(stage.serve(), watched, "seed \(seed)")
                let store = try await stage.snapshot(of: ada)
                #expect(store.accounts.count == 4)
                #expect(store.events.map(\.seq) == Array(1...Int64(store.events.count)), "one sequence of numbers")
            }
        }

        /// A message moves between folders, which Graph tells as a removal here and a creation there: the process dies
        /// between the two, and neither a deletion nor a second message comes of it.
        @Test(.timeLimit(.minutes(3)), arguments: [true, false]) func killedBetweenRemovalAndCreation(
            _ isHeld: Bool
        ) async throws {
            try await withStage { stage in
                let user = try stage.makeUser("ada", [(.microsoft, "primary", 40)])
                let graph = stage.emulator.microsoft
                var process = try await stage.serve()
                let watch = try await stage.watch(user)
                try await process.client(of: user).connect()
                try await process.client(of: user).settle()
                let inbox = try user.mailboxes[0].box.messages().filter { $0.labels.contains("INBOX") }.map(\.id)
                    .sorted()
                let moved = Array(inbox.prefix(4))
                for (index, id) in moved.enumerated() {
                    #expect(await process.terminate() == .code(0))
                    // The archive is silent of what comes in until later rounds.
                    if isHeld { try graph.holdDelta(of: user.address, folder: "archive") }
                    try graph.move(id, to: "archive", in: user.address)
                    let dying = try stage.spawn(["MAILSYNC_CRASH_AT": "\(CrashPoint.afterCommit.rawValue):\(index + 1)"]
                    )
                    #expect(await dying.program.waitForExit(within: MailsyncProcess.patience) == .signal(SIGKILL))
                    process = try await stage.serve()
                    try await process.client(of: user).settle()
                    if isHeld { try graph.releaseDelta(of: user.address, folder: "archive") }
                }
                try await stage.expectAgreement(process, user, watch)
                for id in moved {
                    let kinds = try await stage.snapshot(of: user).events.compactMap { $0.kind(of: id) }
                    #expect(kinds == ["email.received", "email.updated"], "\(id)")
                }
            }
        }

        /// The same while the provider fails now and then, forgets its history and the listing's page tokens.
        @Test(.timeLimit(.minutes(3))) func killedWhileTheProviderFails() async throws {
            let seed = SeededGenerator.seedOfThisRun
            var provider = EmulatorConfiguration()
            provider.latency = .milliseconds(5)
            provider.faults = .random(rate: 0.01, seed: seed)
            try await withStage(provider: provider) { stage in
                let user = try stage.makeUser(messages: 1200)
                let google = stage.emulator.google
                let activity = try MailboxActivity(user.mailboxes[0].box, seed: seed)
                let first = try await stage.serve()
                let watch = try await stage.watch(user)
                try await first.client(of: user).connect()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await activity.run(every: .milliseconds(10)) }
                    try await watch.read(20)
                    await first.kill()
                    for (number, kill) in Kill.plan(seed: seed).filter(\.isRandom).enumerated() {
                        if number == 2 { try google.expirePageTokens(of: user.address) }
                        if number.isMultiple(of: 3) { try google.expireHistory(of: user.address) }
                        _ = try await stage.strike(kill, user, watch)
                    }
                    group.cancelAll()
                }
                google.faults.removeAll()
                try await stage.expectAgreement(stage.serve(), user, watch, "seed \(seed)")
            }
        }
    }
}

/// When the process dies.
enum Kill: Sendable, CustomStringConvertible {
    /// When it reaches a named point for the n-th time.
    case point(CrashPoint, Int)
    /// When the consumer has seen so many more events.
    case events(Int)
    /// When the provider has answered so many more requests.
    case requests(Int)

    var isRandom: Bool {
        switch self {
        case .point: false
        case .events, .requests: true
        }
    }

    var description: String {
        switch self {
        case .point(let point, let times): "\(point.rawValue):\(times)"
        case .events(let count): "after \(count) events"
        case .requests(let count): "after \(count) requests"
        }
    }

    /// Every named point twice and as many random moments, in random order.
    static func plan(seed: UInt64) -> [Kill] {
        var random = SeededGenerator(seed: seed)
        var kills: [Kill] = []
        for point in CrashPoint.allCases {
            kills.append(.point(point, 1))
            kills.append(.point(point, point.isPerToken ? 1 : Int.random(in: 2...4, using: &random)))
            kills.append(
                Bool.random(using: &random)
                    ? .events(Int.random(in: 1...150, using: &random))
                    : .requests(Int.random(in: 1...200, using: &random)))
        }
        return kills.shuffled(using: &random)
    }
}

extension CrashPoint {
    /// Reached once per token refresh, not once per message or batch.
    var isPerToken: Bool {
        switch self {
        case .tokensReceived, .tokensStored: true
        case .batchFetched, .beforeCommit, .afterCommit, .beforePublish, .afterPublish, .afterConfirm: false
        }
    }
}

extension Stage {
    /// Starts the service, kills it as wanted, and looks at what it left.
    func strike(_ kill: Kill, _ user: MailUser, _ watch: StreamWatch) async throws -> StoreSnapshot {
        switch kill {
        case .point(let point, let times):
            if point.isPerToken { for mailbox in user.mailboxes { mailbox.box.expireAccessTokens() } }
            let process = try spawn(["MAILSYNC_CRASH_AT": "\(point.rawValue):\(times)"])
            let exit = await process.program.waitForExit(within: MailsyncProcess.patience)
            #expect(exit == .signal(SIGKILL), "\(kill) was not reached")
            await process.kill()
        case .events(let count):
            let process = try spawn()
            await watch.drain()
            try await watch.read(count)
            await process.kill()
        case .requests(let count):
            let (emulator, answered) = (emulator, emulator.requestCount)
            let process = try spawn()
            try await eventually("\(count) more requests at the provider", every: .milliseconds(1)) {
                emulator.requestCount >= answered + count
            }
            await process.kill()
        }
        return try await snapshot(of: user)
    }
}

extension ProviderEmulator {
    fileprivate var requestCount: Int {
        google.stats.requests.values.reduce(0, +) + microsoft.stats.requests.values.reduce(0, +)
    }
}

/// How many kills there were, and how many of them hit work in flight: the store held unpublished events, or its
/// backfill was not over, or the provider had changes that it lacked.
struct KillTally: Sendable {
    private(set) var kills = 0
    private(set) var unpublished = 0
    private(set) var unfinished = 0
    private(set) var behind = 0
    private(set) var idle: [String] = []

    var inFlight: Int { unpublished + unfinished + behind }

    var summary: String {
        "\(unpublished) with events to publish, \(unfinished) more in the backfill, \(behind) more with changes to "
            + "read, \(idle.count) with nothing to do: \(idle)"
    }

    mutating func note(_ kill: Kill, _ store: StoreSnapshot, _ user: MailUser) throws {
        kills += 1
        if store.unpublished > 0 {
            unpublished += 1
        } else if store.accounts.isEmpty || store.accounts.contains(where: { $0.phase != .live }) {
            unfinished += 1
        } else if try !store.agrees(with: user.truth()) {
            behind += 1
        } else {
            idle.append("\(kill)")
        }
    }
}

extension MailEvent {
    /// The event's type, when it is about this message.
    fileprivate func kind(of messageID: String) -> String? {
        switch body {
        case .received(let message): message.id == messageID ? type : nil
        case .updated(let update): update.id == messageID ? type : nil
        case .deleted(let id, _): id == messageID ? type : nil
        case .account: nil
        }
    }
}
