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
            if point.isPerToken { emulator.google.expireAccessTokens(of: user.address) }
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
            let (google, answered) = (emulator.google, emulator.google.requestCount)
            let process = try spawn()
            try await eventually("\(count) more requests at the provider", every: .milliseconds(1)) {
                google.requestCount >= answered + count
            }
            await process.kill()
        }
        return try await snapshot(of: user)
    }
}

extension GoogleEmulator {
    fileprivate var requestCount: Int { stats.requests.values.reduce(0, +) }
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
