import MailModel
import Synchronization

/// The name under which a provider announces something.
struct PushName: Sendable, Hashable {
    let provider: ProviderKind
    /// ``PushSubscription/id``.
    let subscription: String
}

/// What was announced to an account since somebody looked.
struct PushNotices: OptionSet, Sendable, Hashable {
    let rawValue: UInt8
    static let changed = PushNotices(rawValue: 1)
    static let missed = PushNotices(rawValue: 2)
    static let removed = PushNotices(rawValue: 4)
    static let reauthorize = PushNotices(rawValue: 8)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ notice: PushAnnouncement.Notice) {
        switch notice {
        case .changed: self = .changed
        case .missed: self = .missed
        case .removed: self = .removed
        case .reauthorize: self = .reauthorize
        }
    }

    /// A pass over the mailbox may find something.
    var callsForPass: Bool { !isDisjoint(with: [.changed, .missed, .removed]) }
}

/// Takes announcements as they come, in memory and without waiting, and keeps them until they are taken away: however
/// many come for an account, one thing waits for it. So what waits is bounded by the number of accounts.
final class PushDesk: PushReceiver {
    private struct State {
        var followers: [PushName: [AccountKey: ClientStateDigest]] = [:]
        var names: [AccountKey: PushName] = [:]
        var waiting: [AccountKey: PushNotices] = [:]
        var unannounced: Set<AccountKey> = []
        var counts: [PushCount: Int] = [:]
    }
    private let state = Mutex(State())
    /// Raised when there is something to take.
    let signal = WakeSignal()

    func receive(_ announcement: PushAnnouncement) -> PushReceipt {
        let digest = announcement.clientState.map(ClientStateDigest.init(of:))
        let receipt = state.withLock { state in
            let receipt = Self.take(announcement, digest, &state)
            state.counts[PushCount(provider: announcement.provider, receipt: receipt), default: 0] += 1
            return receipt
        }
        if receipt == .accepted { signal.raise() }
        return receipt
    }

    private static func take(
        _ announcement: PushAnnouncement, _ digest: ClientStateDigest?, _ state: inout State
    ) -> PushReceipt {
        let name = PushName(provider: announcement.provider, subscription: announcement.subscription)
        guard let followers = state.followers[name] else { return .unknown }
        let notices = PushNotices(announcement.notice)
        var receipt = PushReceipt.forged
        for (key, known) in followers {
            guard name.provider.signsPushes || digest.map(known.matches) ?? false else { continue }
            state.waiting[key, default: []].formUnion(notices)
            receipt = .accepted
        }
        return receipt
    }

    /// From now on the account's announcements come under this name, in place of any other; nil: under none.
    func assign(_ key: AccountKey, _ grant: PushGrant?) {
        state.withLock { state in
            if let old = state.names.removeValue(forKey: key) {
                state.followers[old]?[key] = nil
                if state.followers[old]?.isEmpty ?? false { state.followers[old] = nil }
            }
            guard let grant else {
                state.waiting[key] = nil
                state.unannounced.remove(key)
                return
            }
            let name = PushName(provider: key.provider, subscription: grant.subscription.id)
            state.names[key] = name
            state.followers[name, default: [:]][key] = grant.digest
        }
    }

    /// Who is told of what comes under this name.
    func followers(of name: PushName) -> [AccountKey] {
        state.withLock { $0.followers[name].map { Array($0.keys) } ?? [] }
    }

    /// A pass by the clock found changes that nobody had announced before it.
    func noteUnannounced(_ key: AccountKey) {
        let isFollowed = state.withLock { state in
            guard state.names[key] != nil else { return false }
            return state.unannounced.insert(key).inserted
        }
        if isFollowed { signal.raise() }
    }

    /// What waits to be acted upon.
    struct Taken: Sendable {
        var announced: [AccountKey: PushNotices]
        var unannounced: Set<AccountKey>
    }

    func take() -> Taken {
        state.withLock { state in
            defer {
                state.waiting.removeAll(keepingCapacity: true)
                state.unannounced.removeAll(keepingCapacity: true)
            }
            return Taken(announced: state.waiting, unannounced: state.unannounced)
        }
    }

    /// How many announcements came to what, since the start.
    var counts: [PushCount: Int] { state.withLock { $0.counts } }
}

/// What announcements are counted by.
public struct PushCount: Sendable, Hashable {
    public var provider: ProviderKind
    public var receipt: PushReceipt

    public init(provider: ProviderKind, receipt: PushReceipt) {
        self.provider = provider
        self.receipt = receipt
    }
}
