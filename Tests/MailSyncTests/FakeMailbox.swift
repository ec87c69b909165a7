import MailModel
import Synchronization

/// A provider in memory: a mailbox with a history, and failures on demand.
final class FakeMailbox: MailProvider {
    enum Call: String, Sendable, Hashable { case profile, changes, backfill, repair, read, list }

    struct State {
        var identity = "someone@example.com"
        var messages: [String: MessageMeta] = [:]
        var history: [(number: UInt64, change: MessageChange)] = []
        var number: UInt64 = 100
        var oldestHistory: UInt64 = 0
        var pageSize = 10
        var calls: [Call] = []
        var failures: [Call: [SyncFailure]] = [:]
        /// Runs inside the call, before it answers.
        var interception: (@Sendable (Call) async throws -> Void)?
        var unreadable: Set<String> = []
    }

    let kind = ProviderKind.google
    private let state = Mutex(State())

    func session(since: UnixSeconds?, tokens: any AccessTokens, budget: any QuotaBudget) -> any MailboxSession {
        FakeSession(mailbox: self)
    }

    func change<R: Sendable>(_ body: (inout State) throws -> R) rethrows -> R {
        try state.withLock { try body(&$0) }
    }

    var calls: [Call] { change { $0.calls } }

    /// Mail that was there before the mailbox was connected.
    func fill(_ count: Int) {
        change { state in
            for index in 0..<count {
                let id = "old\(1000 + index)"
                state.messages[id] = MessageMeta(
                    id: id, threadID: id, date: Int64(index), subject: "s\(index)", labels: ["INBOX"], version: 1)
            }
        }
    }

    func deliver(_ id: String) {
        change { state in
            state.number += 1
            let meta = MessageMeta(id: id, threadID: id, date: 9, labels: ["INBOX"], version: state.number)
            state.messages[id] = meta
            state.history.append((state.number, .read(meta, inScope: true)))
        }
    }

    func relabel(_ id: String, _ labels: [String]) {
        change { state in
            state.number += 1
            state.messages[id]?.labels = labels
            state.messages[id]?.version = state.number
            state.history.append((state.number, .labels(id: id, labels: labels, version: state.number)))
        }
    }

    func delete(_ id: String) {
        change { state in
            state.number += 1
            state.messages[id] = nil
            state.history.append((state.number, .deleted(id: id)))
        }
    }

    func fail(_ call: Call, _ failures: SyncFailure...) {
        change { $0.failures[call, default: []] += failures }
    }

    func expireHistory() { change { $0.oldestHistory = $0.number } }

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

/// The cursor of the fake: `history:offset`, the offset only during the backfill.
private struct FakeSession: MailboxSession {
    let mailbox: FakeMailbox

    func profile() async throws -> MailboxProfile {
        try await mailbox.enter(.profile)
        return mailbox.change {
            MailboxProfile(
                identity: $0.identity, messagesTotal: $0.messages.count, startingCursor: Cursor("\($0.number):0"))
        }
    }

    func changes(since cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        try await mailbox.enter(.changes)
        let (since, rest) = parse(cursor)
        return try mailbox.change { state in
            guard since >= state.oldestHistory else { throw SyncFailure(.resync, code: "history_expired", "too old") }
            let changes = state.history.filter { $0.number > since }.map(\.change)
            return ChangeBatch(
                changes: changes, origin: .incremental, cursor: Cursor(join(state.number, rest)), phase: phase(rest))
        }
    }

    func backfill(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        try await mailbox.enter(.backfill)
        let (since, rest) = parse(cursor)
        let offset = rest ?? 0
        let (page, total, size) = mailbox.change { state in
            (
                state.messages.keys.sorted().dropFirst(offset).prefix(state.pageSize), state.messages.count,
                state.pageSize
            )
        }
        let unknown = try await known.unknown(among: Array(page))
        return mailbox.change { state in
            let gaps = unknown.filter(state.unreadable.contains).map { MessageGap(id: $0, reason: "unreadable") }
            let changes = unknown.filter { !state.unreadable.contains($0) }
                .compactMap { state.messages[$0].map { MessageChange.read($0, inScope: true) } }
            let next = page.count < size ? nil : Optional(offset + page.count)
            return ChangeBatch(
                changes: changes, gaps: gaps, origin: .backfill, cursor: Cursor(join(since, next)), phase: phase(next),
                estimatedTotal: total, more: next != nil)
        }
    }

    func repair(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        try await mailbox.enter(.repair)
        let stored = try await known.present(after: nil, limit: 100_000)
        return mailbox.change { state in
            let rest = parse(cursor).rest
            var changes = stored.filter { state.messages[$0.id] == nil }.map { MessageChange.deleted(id: $0.id) }
            changes += state.messages.values.sorted { $0.id < $1.id }.map { .read($0, inScope: true) }
            return ChangeBatch(
                changes: changes, origin: .repair, cursor: Cursor(join(state.number, rest)), phase: phase(rest))
        }
    }

    func read(ids: [String], cursor: Cursor, phase: SyncPhase) async throws -> ChangeBatch {
        try await mailbox.enter(.read)
        return mailbox.change { state in
            let gaps = ids.filter(state.unreadable.contains).map { MessageGap(id: $0, reason: "unreadable") }
            let readable = ids.filter { !state.unreadable.contains($0) }
            return ChangeBatch(
                changes: readable.compactMap { state.messages[$0].map { .read($0, inScope: true) } }, gaps: gaps,
                vanished: readable.filter { state.messages[$0] == nil }, origin: .repair, cursor: cursor, phase: phase)
        }
    }

    func list(from position: Cursor?) async throws -> MailboxListing {
        try await mailbox.enter(.list)
        return mailbox.change { MailboxListing(inScope: $0.messages.keys.sorted()) }
    }

    private func parse(_ cursor: Cursor) -> (since: UInt64, rest: Int?) {
        let parts = cursor.document.split(separator: ":")
        return (UInt64(parts[0]) ?? 0, parts.count > 1 ? Int(parts[1]) : nil)
    }

    private func join(_ since: UInt64, _ rest: Int?) -> String { rest.map { "\(since):\($0)" } ?? "\(since)" }

    private func phase(_ rest: Int?) -> SyncPhase { rest == nil ? .live : .backfill }
}
