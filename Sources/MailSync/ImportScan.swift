import Accounts
import MailModel
import MailStore
import Synchronization

/// What a quick scan of a selection found; nothing is stored by it.
public struct ImportScan: Sendable, Hashable {
    /// Every message was counted; else these are the ones up to the time limit.
    public var isComplete = false
    /// Messages counted; one under two selected labels counts twice.
    public var messages = 0
    /// Those of them that are stored already.
    public var stored = 0
    /// Messages per label or folder that was listed, in the order of listing.
    public var labels: [Label] = []
    /// The time that the quota needs for those that are not stored, in seconds; nil when it is not known.
    public var estimatedSeconds: Int64?
    /// Why it was not completed, when something went wrong.
    public var failure: SyncFailure?

    /// How many messages one of the selected labels or folders holds.
    public struct Label: Sendable, Hashable {
        public var name: String
        public var messages: Int
    }

    public init() {}

    /// As an import begins with them; nil when not everything was counted.
    public var figures: MailImport.Figures? {
        isComplete ? MailImport.Figures(estimated: messages, estimatedKnown: stored) : nil
    }

    fileprivate mutating func take(_ page: SelectionPage, stored: Int) {
        messages += page.ids.count
        self.stored += stored
        guard let name = page.label else { return }
        if let index = labels.firstIndex(where: { $0.name == name }) {
            labels[index].messages += page.ids.count
        } else {
            labels.append(Label(name: name, messages: page.ids.count))
        }
    }
}

extension SyncManager {
    /// Counts what a selection of a connected account holds, for so long at most.
    ///
    /// - Returns: nil when the account is not connected.
    /// - Throws: `StoreFailure`, `CancellationError`, what the token source throws.
    public func scan(
        _ selection: MailSelection, of key: AccountKey, atMost limit: Duration
    ) async throws -> ImportScan? {
        guard workers[key] != nil, let provider = providers[key.provider], let budget = budgets[key.provider] else {
            return nil
        }
        let session = provider.session(
            since: nil, tokens: try await tokens.tokens(for: key), budget: budget.budget(for: key))
        return try await scan(selection, of: key, with: session, atMost: limit)
    }

    /// Counts what a selection of a mailbox holds that need not be connected, for so long at most. The tokens are used as
    /// they are; nothing is remembered of them.
    ///
    /// - Returns: nil when the provider is not set up.
    /// - Throws: `StoreFailure`, `CancellationError`.
    public func scan(
        _ selection: MailSelection, of key: AccountKey, access token: Secret, atMost limit: Duration
    ) async throws -> ImportScan? {
        guard let provider = providers[key.provider], let budget = budgets[key.provider] else { return nil }
        let session = provider.session(
            since: nil, tokens: UnrefreshedToken(token: token), budget: budget.budget(for: key))
        defer { if workers[key] == nil { budget.drop(key) } }
        return try await scan(selection, of: key, with: session, atMost: limit)
    }

    private func scan(
        _ selection: MailSelection, of key: AccountKey, with session: any MailboxSession, atMost limit: Duration
    ) async throws -> ImportScan {
        let scanning = Scanning(selection: selection, account: key, session: session, stores: stores)
        let time = time
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await scanning.run() }
            group.addTask { try await time.sleep(for: limit) }
            try await group.next()
            group.cancelAll()
        }
        var (scan, units) = scanning.found
        // The listing tells what all of them would cost.
        let left = scan.messages == 0 ? 0 : units * (scan.messages - scan.stored) / scan.messages
        scan.estimatedSeconds = secondsForUnits(left, at: key.provider)
        return scan
    }
}

/// A quick scan under way: what it has found is there when its time is over.
private final class Scanning: Sendable {
    private static let restartsMax = 3

    let selection: MailSelection
    let account: AccountKey
    let session: any MailboxSession
    let stores: UserStores
    private let state = Mutex((scan: ImportScan(), units: 0))

    init(selection: MailSelection, account: AccountKey, session: any MailboxSession, stores: UserStores) {
        self.selection = selection
        self.account = account
        self.session = session
        self.stores = stores
    }

    var found: (ImportScan, units: Int) { state.withLock { ($0.scan, $0.units) } }

    func run() async throws {
        var position: Cursor?
        var restarts = 0
        while true {
            do {
                let page = try await session.scan(selection, from: position)
                let known = try await stored(page.ids)
                state.withLock { state in
                    state.scan.take(page, stored: known)
                    state.units += page.units
                }
                guard let next = page.next else { return state.withLock { $0.scan.isComplete = true } }
                position = next
            } catch let failure as SyncFailure {
                restarts += 1
                guard failure.decision == .restartListing, restarts <= Self.restartsMax else {
                    return state.withLock { $0.scan.failure = failure }
                }
                state.withLock { $0 = (ImportScan(), 0) }
                position = nil
            }
        }
    }

    /// How many of these are stored; a user without a store has none, and gets none.
    private func stored(_ ids: [String]) async throws -> Int {
        let account = account
        let unknown = try await stores.useExisting(account.user) { store in
            try await store.known(account).unknown(among: ids)
        }
        return unknown.map { ids.count - $0.count } ?? 0
    }
}

/// An access token that is used as it is: who only looks does not spend the user's refresh token.
private struct UnrefreshedToken: AccessTokens {
    let token: Secret
    func current() async throws -> Secret { token }
    func replacing(_ rejected: Secret) async throws -> Secret {
        throw SyncFailure(.reauthenticate, code: "token_refused", "the provider does not accept the access token")
    }
}
