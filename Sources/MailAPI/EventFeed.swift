import MailModel
import MailStore
import Synchronization

/// What a consumer asks of a user's events.
public struct EventQuery: Sendable, Hashable {
    /// Events with a higher number than this.
    public var after: Int64
    /// Events in one answer.
    public var limit: Int
    /// How long to wait for the first one when there is none.
    public var wait: Duration
    /// nil: all of them.
    public var inbox: InboxID?
    /// nil: all of them.
    public var provider: ProviderKind?

    public init(
        after: Int64, limit: Int, wait: Duration = .zero, inbox: InboxID? = nil, provider: ProviderKind? = nil
    ) {
        self.after = after
        self.limit = limit
        self.wait = wait
        self.inbox = inbox
        self.provider = provider
    }
}

/// Some of a user's events, in order.
public struct EventPage: Sendable, Hashable {
    /// One event.
    public struct Entry: Sendable, Hashable {
        public var seq: Int64
        /// ``MailEvent/type``.
        public var type: String
        /// As it is published.
        public var payload: [UInt8]
    }

    public var entries: [Entry] = []
    /// Where to go on: the number of the last event that was looked at.
    public var next: Int64
}

/// A user's own events, read from the event log, for `GET /mail/events` and `GET /mail/live`.
public final class EventFeed: Sendable {
    /// Events read from a store at once; each is up to half a megabyte.
    static let chunkEvents = 50
    /// Events looked at for one answer: with a filter, few of them may be wanted.
    static let scannedMax = 5_000
    /// Bytes in one answer, but for an event that is larger alone.
    static let pageBytesMax = 4 * 1024 * 1024
    /// Requests of one user that wait at the same time: a waiting request holds a connection.
    static let waitingPerUserMax = 8

    private let stores: UserStores
    private let time: any TimeSource
    private let waiting = Mutex(Waiters())
    /// Those of live streams, which have a limit of their own.
    private let following = Mutex(Waiters())

    public init(stores: UserStores, time: any TimeSource) {
        self.stores = stores
        self.time = time
    }

    /// The user's store committed something. Wakes whoever waits for it; never blocks.
    public func committed(_ user: UserID) {
        let signals = waiting.withLock { $0.of(user) } + following.withLock { $0.of(user) }
        for signal in signals { signal.raise() }
    }

    /// The signal is raised at every commit of the user's store, until ``unfollow(_:_:)``.
    func follow(_ user: UserID, _ signal: WakeSignal) { following.withLock { $0.add(signal, of: user) } }

    func unfollow(_ user: UserID, _ signal: WakeSignal) { following.withLock { $0.remove(signal, of: user) } }

    /// The number of the user's last event; 0 when there is none.
    func end(of user: UserID) async throws -> Int64 {
        try await stores.useExisting(user) { store in try await store.read { try $0.dispatch().lastSeq } } ?? 0
    }

    /// The next events. An answer is empty when the wait is over, or the task is cancelled.
    ///
    /// - Throws: ``APIProblem`` 429 when too many requests of the user wait; ``StoreFailure``.
    func page(of user: UserID, _ query: EventQuery) async throws -> EventPage {
        guard query.wait > .zero else { return try await read(user, query) }
        let deadlineMs = time.nowMilliseconds() + query.wait.milliseconds
        // Before reading: a commit in between is not missed.
        let signal = try register(user)
        defer { unregister(signal, of: user) }
        while true {
            let page = try await read(user, query)
            let leftMs = deadlineMs - time.nowMilliseconds()
            guard page.entries.isEmpty, page.next == query.after, leftMs > 0, !Task.isCancelled else { return page }
            await signal.wait(atMost: .milliseconds(leftMs), time: time)
            if Task.isCancelled { return page }
        }
    }

    /// How many requests wait.
    var waitingCount: Int { waiting.withLock { $0.count } }

    /// The events there are now, without waiting.
    func read(_ user: UserID, _ query: EventQuery) async throws -> EventPage {
        var page = EventPage(next: query.after)
        var (bytes, scanned) = (0, 0)
        while page.entries.count < query.limit, scanned < Self.scannedMax {
            let wanted = query.isFiltered ? Self.chunkEvents : min(Self.chunkEvents, query.limit - page.entries.count)
            let events = try await events(of: user, after: page.next, limit: wanted)
            for event in events {
                if query.wants(event) {
                    let payload = event.payload()
                    guard page.entries.isEmpty || bytes + payload.count <= Self.pageBytesMax else { return page }
                    page.entries.append(.init(seq: event.seq, type: event.type, payload: payload))
                    bytes += payload.count
                }
                page.next = event.seq
                if page.entries.count == query.limit { return page }
            }
            scanned += events.count
            if events.count < wanted { return page }
        }
        return page
    }

    private func events(of user: UserID, after seq: Int64, limit: Int) async throws -> [MailEvent] {
        let events = try await stores.useExisting(user) { store in
            try await store.read { try $0.events(after: seq, limit: limit) }
        }
        return events ?? []
    }

    private func register(_ user: UserID) throws -> WakeSignal {
        let signal = WakeSignal()
        let fits = waiting.withLock { waiting in
            guard waiting.of(user).count < Self.waitingPerUserMax else { return false }
            waiting.add(signal, of: user)
            return true
        }
        guard fits else { throw APIProblem.tooManyWaiting }
        return signal
    }

    private func unregister(_ signal: WakeSignal, of user: UserID) { waiting.withLock { $0.remove(signal, of: user) } }
}

/// Signals by user.
private struct Waiters: Sendable {
    private var signals: [UserID: [ObjectIdentifier: WakeSignal]] = [:]

    var count: Int { signals.values.reduce(0) { $0 + $1.count } }

    func of(_ user: UserID) -> [WakeSignal] { Array(signals[user, default: [:]].values) }

    mutating func add(_ signal: WakeSignal, of user: UserID) {
        signals[user, default: [:]][ObjectIdentifier(signal)] = signal
    }

    mutating func remove(_ signal: WakeSignal, of user: UserID) {
        signals[user]?[ObjectIdentifier(signal)] = nil
        if signals[user]?.isEmpty == true { signals[user] = nil }
    }
}

extension EventQuery {
    fileprivate var isFiltered: Bool { inbox != nil || provider != nil }

    fileprivate func wants(_ event: MailEvent) -> Bool {
        (inbox == nil || event.account.inbox == inbox) && (provider == nil || event.account.provider == provider)
    }
}

extension APIProblem {
    fileprivate static let tooManyWaiting: APIProblem = {
        var problem = APIProblem(
            .tooManyRequests, "too-many-waiting", "Too many requests wait",
            "at most \(EventFeed.waitingPerUserMax) requests of a user wait for events at a time")
        problem.retryAfterSeconds = 1
        return problem
    }()
}
