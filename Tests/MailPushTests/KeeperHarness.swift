import Accounts
import Logging
import MailModel
import MailTestSupport
import Synchronization
import Testing

@testable import MailPush

/// A provider's side of pushes, in memory: grants what it is told to, and remembers what it was asked.
final class ScriptedPushes: Sendable {
    enum Call: Hashable, Sendable {
        case subscribe
        case renew(String)
        case unsubscribe(String)
    }
    struct State {
        var calls: [(key: AccountKey, call: Call)] = []
        var states: [String: Secret] = [:]
        var nextID = 0
        var life = Duration.seconds(72 * 3600)
        var failure: SyncFailure?
        /// Subscriptions that the provider does not know any more.
        var gone: Set<String> = []
        /// Names of mailboxes, for a provider that names subscriptions by them.
        var mailboxes: [AccountKey: String] = [:]
        var stalls = false
    }
    let state = Mutex(State())
    let time: any TimeSource

    init(time: any TimeSource) { self.time = time }

    func pushes(of key: AccountKey) -> any MailboxPushes { Mailbox(key: key, script: self) }

    var calls: [Call] { state.withLock { $0.calls.map(\.call) } }
    func calls(of key: AccountKey) -> [Call] { state.withLock { $0.calls.filter { $0.key == key }.map(\.call) } }
    func clientState(of id: String) -> Secret? { state.withLock { $0.states[id] } }
    func set(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

    private struct Mailbox: MailboxPushes {
        let key: AccountKey
        let script: ScriptedPushes

        func subscribe(clientState: Secret) async throws -> PushSubscription {
            try await answer(.subscribe) { state in
                state.nextID += 1
                let id = state.mailboxes[key] ?? "s\(state.nextID)"
                state.states[id] = clientState
                return id
            }
        }

        func renew(_ subscription: PushSubscription) async throws -> PushSubscription? {
            try await answer(.renew(subscription.id)) { state in
                state.gone.contains(subscription.id) ? nil : subscription.id
            }
        }

        func unsubscribe(_ subscription: PushSubscription) async throws {
            _ = try await answer(.unsubscribe(subscription.id)) { _ in subscription.id } as PushSubscription
        }

        private func answer(_ call: Call, _ id: (inout State) -> String?) async throws -> PushSubscription? {
            let stalls = script.state.withLock { state in
                state.calls.append((key, call))
                return state.stalls
            }
            if stalls { try await script.time.sleep(for: .seconds(1_000_000)) }
            return try script.state.withLock { state in
                if let failure = state.failure { throw failure }
                let expiry = (script.time.nowMilliseconds() + state.life.milliseconds) / 1000
                return id(&state).map { PushSubscription(id: $0, expiresAt: expiry) }
            }
        }

        private func answer(_ call: Call, _ id: (inout State) -> String) async throws -> PushSubscription {
            let granted: PushSubscription? = try await answer(call) { state -> String? in id(&state) }
            return try #require(granted)
        }
    }
}

/// What the keeper did to workers.
final class WorkersSeen: Sendable {
    struct State {
        var announced: [AccountKey: Int] = [:]
        var looks: [AccountKey: Int] = [:]
        var health: [AccountKey: PushHealth] = [:]
    }
    let state = Mutex(State())
    func announced(_ key: AccountKey) -> Int { state.withLock { $0.announced[key] ?? 0 } }
    func looks(_ key: AccountKey) -> Int { state.withLock { $0.looks[key] ?? 0 } }
    func health(_ key: AccountKey) -> PushHealth? { state.withLock { $0.health[key] } }
}

/// A keeper over a real `control.db`, a scripted provider and a clock that moves on command.
final class KeeperHarness: Sendable {
    let directory: TemporaryDirectory
    let time: ManualTime
    let script: ScriptedPushes
    let seen = WorkersSeen()
    let registry: AccountRegistry
    let keeper: PushKeeper
    private let running = Mutex<Task<Void, any Error>?>(nil)

    init(
        directory: TemporaryDirectory? = nil, time: ManualTime = ManualTime(), script: ScriptedPushes? = nil,
        accounts: [PushedAccount] = []
    ) throws {
        self.directory = try directory ?? TemporaryDirectory("pushes")
        self.time = time
        let script = script ?? ScriptedPushes(time: time)
        self.script = script
        registry = try AccountRegistry(path: "\(self.directory.path)/control.db")
        let seen = seen
        keeper = PushKeeper(
            registry: registry,
            ports: PushPorts(
                accounts: { accounts }, pushes: { script.pushes(of: $0) },
                announce: { key in seen.state.withLock { $0.announced[key, default: 0] += 1 } },
                look: { key in seen.state.withLock { $0.looks[key, default: 0] += 1 } },
                setHealth: { key, health in seen.state.withLock { $0.health[key] = health } }),
            time: time, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func start() {
        let keeper = keeper
        running.withLock { $0 = Task { try await keeper.run() } }
    }

    func stop() async throws {
        let task = running.withLock { $0 }
        task?.cancel()
        try await task?.value
        try registry.close()
    }

    func account(_ name: String = "ada", _ provider: ProviderKind = .microsoft) throws -> AccountKey {
        AccountKey(user: try UserID(name), provider: provider, inbox: .primary)
    }

    /// Follows an account and waits until its changes are announced.
    func following(_ key: AccountKey) async throws {
        await keeper.follow(key)
        try await until(key, .healthy)
    }

    func until(_ key: AccountKey, _ health: PushHealth) async throws {
        try await eventually("\(key) is \(health)") { seen.health(key) == health }
    }

    func standing(_ key: AccountKey) async -> PushStanding? { await keeper.standings(of: [key])[key] }

    func push(_ id: String, _ notice: PushAnnouncement.Notice = .changed) -> PushReceipt {
        keeper.receiver.receive(
            PushAnnouncement(
                provider: .microsoft, subscription: id, clientState: script.clientState(of: id), notice: notice))
    }

    func records() async throws -> [PushRecord] { try await PushRecords(registry: registry).all() }
}

/// A keeper that runs for the length of `body`.
func withKeeper<R: Sendable>(_ harness: KeeperHarness? = nil, _ body: (KeeperHarness) async throws -> R) async throws
    -> R
{
    let harness = try harness ?? KeeperHarness()
    harness.start()
    let result: R
    do {
        result = try await body(harness)
    } catch {
        try await harness.stop()
        throw error
    }
    try await harness.stop()
    return result
}
