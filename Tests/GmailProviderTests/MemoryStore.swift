import MailModel
import Testing

/// The store's side of a sync, in memory: what ``ChangeBatch`` promises, without events' texts.
actor MemoryStore: KnownMessages {
    enum Event: Hashable {
        case received(String)
        case updated(String, labels: [String], added: [String], removed: [String], restored: Bool)
        case deleted(String)
    }

    private(set) var messages: [String: MessageState] = [:]
    private(set) var metas: [String: MessageMeta] = [:]
    private(set) var events: [Event] = []
    private(set) var origins: [EventOrigin] = []
    private(set) var gaps: [String: String] = [:]
    private(set) var gone: Set<String> = []
    private(set) var labels: [MailLabel] = []
    private(set) var cursor = Cursor("")
    private(set) var phase = SyncPhase.starting
    private(set) var batches = 0
    /// Set by a test to make the next questions fail.
    var failure: (any Error)?

    func follow(_ profile: MailboxProfile) {
        cursor = profile.startingCursor
        phase = .backfill
    }

    func setCursor(_ cursor: Cursor) { self.cursor = cursor }
    func setFailure(_ failure: (any Error)?) { self.failure = failure }
    func forgetEvents() {
        events = []
        origins = []
    }
    /// The ids with an event of this kind.
    var receivedIDs: [String] {
        events.compactMap { event in
            if case .received(let id) = event { id } else { nil }
        }
    }
    var present: Set<String> { Set(messages.values.filter(\.exists).map(\.id)) }

    func apply(_ batch: ChangeBatch) {
        batches += 1
        for change in batch.changes { apply(change, batch.origin) }
        for id in batch.vanished { vanish(id, batch.origin) }
        for gap in batch.gaps { gaps[gap.id] = gap.reason }
        if let read = batch.labels { labels = read }
        cursor = batch.cursor
        phase = batch.phase
    }

    private func record(_ event: Event, _ origin: EventOrigin) {
        events.append(event)
        origins.append(origin)
    }

    private func apply(_ change: MessageChange, _ origin: EventOrigin) {
        switch change {
        case .read(let meta, let inScope):
            gaps[meta.id] = nil
            guard let state = messages[meta.id] else {
                guard inScope else { return }
                messages[meta.id] = MessageState(id: meta.id, labels: meta.labels, version: meta.version, exists: true)
                metas[meta.id] = meta
                record(.received(meta.id), origin)
                return
            }
            guard !state.exists || meta.version > state.version else { return }
            relabel(state, meta.labels, meta.version, origin)
        case .labels(let id, let labels, let version, _):
            guard let state = messages[id], state.exists, version > state.version else { return }
            relabel(state, labels, version, origin)
        case .deleted(let id): vanish(id, origin)
        case .removed(let id, _): Issue.record("a mailbox with labels has no folders to remove \(id) from")
        }
    }

    private func relabel(_ state: MessageState, _ labels: [String], _ version: UInt64, _ origin: EventOrigin) {
        messages[state.id] = MessageState(id: state.id, labels: labels, version: version, exists: true)
        guard labels != state.labels || !state.exists else { return }
        record(
            .updated(
                state.id, labels: labels, added: labels.filter { !state.labels.contains($0) },
                removed: state.labels.filter { !labels.contains($0) }, restored: !state.exists), origin)
    }

    private func vanish(_ id: String, _ origin: EventOrigin) {
        gaps[id] = nil
        guard let state = messages[id] else {
            gone.insert(id)
            return
        }
        guard state.exists else { return }
        messages[id]?.exists = false
        record(.deleted(id), origin)
    }

    // MARK: KnownMessages

    func unknown(among ids: [String]) throws -> [String] {
        if let failure { throw failure }
        return ids.filter { messages[$0] == nil && gaps[$0] == nil }
    }

    func states(of ids: [String]) throws -> [String: MessageState] {
        if let failure { throw failure }
        return Dictionary(uniqueKeysWithValues: Set(ids).compactMap { id in messages[id].map { (id, $0) } })
    }

    func present(after id: String?, limit: Int) throws -> [MessageState] {
        if let failure { throw failure }
        let present = messages.values.filter { $0.exists && $0.id > (id ?? "") }
        return Array(present.sorted { $0.id < $1.id }.prefix(limit))
    }

    func present(inFolder: String, below: UInt64, after: String?, limit: Int) -> [MessageState] { [] }
    func pendingRemovals(after: String?, limit: Int) -> [String] { [] }
}
