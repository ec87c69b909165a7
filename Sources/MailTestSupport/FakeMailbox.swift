import MailModel
import Synchronization

/// A provider in memory: a mailbox with a history, and failures on demand.
public final class FakeMailbox: MailProvider {
    /// A function of ``MailboxSession``.
    public enum Call: String, Sendable, Hashable { case profile, changes, backfill, repair, read, list, fetch, scan }

    /// A page of a selection.
    fileprivate struct Page {
        var ids: [String]
        /// Down to this they were counted before.
        var counted: String?
        var next: Cursor?
    }

    /// What the mailbox holds and how it behaves.
    public struct State {
        public var identity = "someone@example.com"
        public var messages: [String: MessageMeta] = [:]
        /// Which message changed, at which number; ascending.
        public var history: [(number: UInt64, id: String)] = []
        public var number: UInt64 = 100
        /// History below this is forgotten.
        public var oldestHistory: UInt64 = 0
        public var pageSize = 10
        public var calls: [Call] = []
        /// Each call of the kind takes the first one.
        public var failures: [Call: [SyncFailure]] = [:]
        /// Runs inside the call, before it answers.
        public var interception: (@Sendable (Call) async throws -> Void)?
        public var unreadable: Set<String> = []
        /// Places in listings that are forgotten: the listing begins anew.
        public var expiredPlaces: Set<String> = []

        /// The message as it is now: a change of it is in the history.
        fileprivate mutating func note(_ id: String) {
            number += 1
            messages[id]?.version = number
            history.append((number, id))
        }

        /// The next messages of a selection, in the order of ids downwards. A place is the last id of a page, and after a
        /// slash the last id that was counted. From a place that is forgotten the listing begins anew.
        fileprivate func page(of selection: MailSelection, below place: Cursor?) throws -> Page {
            for label in selection.labels where !messages.values.contains(where: { $0.labels.contains(label) }) {
                throw SelectionRefusal.unknown(label)
            }
            let parts = place?.document.split(separator: "/").map(String.init) ?? []
            let bound = parts.first.flatMap { expiredPlaces.contains($0) ? nil : $0 }
            let wanted = messages.values.filter { message in
                FakeMailbox.isInScope(message) && selection.includes(message.date)
                    && (selection.labels.isEmpty || !Set(selection.labels).isDisjoint(with: message.labels))
                    && bound.map { message.id < $0 } ?? true
            }
            let ids = Array(wanted.map(\.id).sorted(by: >).prefix(pageSize))
            guard let last = ids.last, wanted.count > ids.count else { return Page(ids: ids, counted: parts.last) }
            return Page(
                ids: ids, counted: parts.last, next: Cursor("\(last)/\(min(last, parts.last ?? last))"))
        }

        /// What reading these messages gives.
        ///
        /// - Parameter range: dates that are in scope.
        fileprivate func read(_ ids: [String], of range: MailSelection, into batch: inout ChangeBatch) {
            for id in ids {
                if unreadable.contains(id) {
                    batch.gaps.append(MessageGap(id: id, reason: "unreadable"))
                } else if let message = messages[id] {
                    let inScope = FakeMailbox.isInScope(message) && range.includes(message.date)
                    batch.changes.append(.read(message, inScope: inScope))
                } else {
                    batch.vanished.append(id)
                }
            }
        }
    }

    public let kind = ProviderKind.google
    private let state = Mutex(State())

    public init() {}

    public func session(since: UnixSeconds?, tokens: any AccessTokens, budget: any QuotaBudget) -> any MailboxSession {
        FakeSession(mailbox: self, scope: MailSelection(from: since))
    }

    /// Looks at the mailbox or changes it.
    public func change<R: Sendable>(_ body: (inout State) throws -> R) rethrows -> R {
        try state.withLock { try body(&$0) }
    }

    /// Quota units that reading a message is said to cost.
    public static let unitsPerMessage = 20

    /// What was asked so far.
    public var calls: [Call] { change { $0.calls } }

    /// Spam and trash are not received.
    public static func isInScope(_ message: MessageMeta) -> Bool {
        Set(["SPAM", "TRASH"]).isDisjoint(with: message.labels)
    }

    /// Mail that was there before the mailbox was connected.
    public func fill(_ count: Int) {
        change { state in
            for index in 0..<count {
                let id = "old\(1000 + index)"
                state.messages[id] = MessageMeta(
                    id: id, threadID: id, date: Int64(index), subject: "s\(index)", labels: ["INBOX"], version: 1)
            }
        }
    }

    /// Mail arrives.
    public func deliver(_ id: String, labels: [String] = ["INBOX"]) {
        change { state in
            state.messages[id] = MessageMeta(id: id, threadID: id, date: 9, labels: labels)
            state.note(id)
        }
    }

    /// A message's labels become these.
    public func relabel(_ id: String, _ labels: [String]) {
        change { state in
            state.messages[id]?.labels = labels
            state.note(id)
        }
    }

    /// A message is deleted for good.
    public func delete(_ id: String) {
        change { state in
            state.messages[id] = nil
            state.note(id)
        }
    }

    /// The next calls of the kind fail, one after the other.
    public func fail(_ call: Call, _ failures: SyncFailure...) {
        change { $0.failures[call, default: []] += failures }
    }

    /// Every cursor handed out so far is too old.
    public func expireHistory() {
        change { state in
            state.number += 1
            state.oldestHistory = state.number
        }
    }

    fileprivate func enter(_ call: Call) async throws {
        let (failure, interception) = change { state in
            state.calls.append(call)
            let failure = state.failures[call]?.isEmpty == false ? state.failures[call]?.removeFirst() : nil
            return (failure, state.interception)
        }
        try await interception?(call)
        if let failure { throw failure }
    }
}

/// The cursor of the fake: `history:id`, the last id read only during the backfill, which goes down the ids.
private struct FakeSession: MailboxSession {
    let mailbox: FakeMailbox
    /// What is in scope, by date.
    let scope: MailSelection

    func profile() async throws -> MailboxProfile {
        try await mailbox.enter(.profile)
        return mailbox.change {
            MailboxProfile(
                identity: $0.identity, messagesTotal: $0.messages.count, startingCursor: Cursor("\($0.number):"))
        }
    }

    func changes(since cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        try await mailbox.enter(.changes)
        let (since, rest) = parse(cursor)
        let touched = try mailbox.change { state in
            guard since >= state.oldestHistory else { throw SyncFailure(.resync, code: "history_expired", "too old") }
            return state.history.filter { $0.number > since }.map(\.id)
        }
        let stored = try await known.states(of: touched)
        return mailbox.change { state in
            var batch = ChangeBatch(origin: .incremental, cursor: Cursor(join(state.number, rest)), phase: phase(rest))
            var seen: Set<String> = []
            for id in touched where seen.insert(id).inserted {
                if state.messages[id] != nil {
                    state.read([id], of: scope, into: &batch)
                } else if stored[id] != nil {
                    batch.changes.append(.deleted(id: id))
                }
            }
            return batch
        }
    }

    func backfill(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        try await mailbox.enter(.backfill)
        let (since, rest) = parse(cursor)
        let (page, total, size) = mailbox.change { state in
            let below = state.messages.keys.sorted(by: >).filter { rest.isNilOrEmpty || $0 < rest ?? "" }
            return (Array(below.prefix(state.pageSize)), state.messages.count, state.pageSize)
        }
        let unknown = try await known.unknown(among: page)
        return mailbox.change { state in
            let next = page.count < size ? nil : page.last
            var batch = ChangeBatch(
                origin: .backfill, cursor: Cursor(join(since, next)), phase: phase(next), estimatedTotal: total,
                more: next != nil)
            state.read(unknown, of: scope, into: &batch)
            return batch
        }
    }

    func repair(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        try await mailbox.enter(.repair)
        let stored = try await known.present(after: nil, limit: 100_000)
        return mailbox.change { state in
            let rest = parse(cursor).rest
            var batch = ChangeBatch(origin: .repair, cursor: Cursor(join(state.number, rest)), phase: phase(rest))
            batch.changes = stored.filter { state.messages[$0.id] == nil }.map { .deleted(id: $0.id) }
            state.read(state.messages.keys.sorted(), of: scope, into: &batch)
            return batch
        }
    }

    func read(ids: [String], cursor: Cursor, phase: SyncPhase, anyDate: Bool) async throws -> ChangeBatch {
        try await mailbox.enter(.read)
        return mailbox.change { state in
            var batch = ChangeBatch(origin: .repair, cursor: cursor, phase: phase)
            state.read(ids, of: anyDate ? MailSelection() : scope, into: &batch)
            return batch
        }
    }

    func list(from position: Cursor?) async throws -> MailboxListing {
        try await mailbox.enter(.list)
        return mailbox.change { state in
            var listing = MailboxListing()
            for message in state.messages.values.sorted(by: { $0.id < $1.id }) {
                if FakeMailbox.isInScope(message), scope.includes(message.date) {
                    listing.inScope.append(message.id)
                } else {
                    listing.outOfScope.append(message.id)
                }
            }
            return listing
        }
    }

    func fetch(
        _ selection: MailSelection, from position: Cursor?, cursor: Cursor, phase: SyncPhase, known: any KnownMessages
    ) async throws -> ImportBatch {
        try await mailbox.enter(.fetch)
        let page = try mailbox.change { try $0.page(of: selection, below: position) }
        let unknown = try await known.unknown(among: page.ids)
        return mailbox.change { state in
            var batch = ChangeBatch(origin: .backfill, cursor: cursor, phase: phase)
            state.read(unknown, of: selection, into: &batch)
            let fresh = page.ids.filter { id in page.counted.map { id < $0 } ?? true }
            return ImportBatch(
                changes: batch, next: page.next, listed: fresh.count,
                known: fresh.count - Set(fresh).intersection(unknown).count)
        }
    }

    func scan(_ selection: MailSelection, from position: Cursor?) async throws -> SelectionPage {
        try await mailbox.enter(.scan)
        return try mailbox.change { state in
            let page = try state.page(of: selection, below: position)
            return SelectionPage(
                label: selection.labels.first, ids: page.ids, units: page.ids.count * FakeMailbox.unitsPerMessage,
                next: page.next)
        }
    }

    private func parse(_ cursor: Cursor) -> (since: UInt64, rest: String?) {
        let parts = cursor.document.split(separator: ":", omittingEmptySubsequences: false)
        return (parts.first.flatMap { UInt64($0) } ?? 0, parts.count > 1 ? String(parts[1]) : nil)
    }

    private func join(_ since: UInt64, _ rest: String?) -> String { rest.map { "\(since):\($0)" } ?? "\(since)" }

    private func phase(_ rest: String?) -> SyncPhase { rest == nil ? .live : .backfill }
}

extension String? {
    fileprivate var isNilOrEmpty: Bool { self?.isEmpty ?? true }
}
