import MailModel
import ProviderClient

/// A round of changes: every folder is asked once, to the end of its chain; then it is found out what became of the messages
/// that left a folder.
struct OutlookRound: Sendable {
    /// Folders still to be asked, in order.
    var remaining: [String]
    /// Only the folders that were due are asked.
    let isPartial: Bool
    /// Differences with the store were looked for.
    var hasRepaired: Bool
    /// How far all stored messages were looked through for those no folder named, by id; nil when that is not to be done.
    var orphansTo: String?
    /// Messages read before this, and not since, are orphans.
    var orphansBelow: UInt64 = 0
    /// How far pending removals were looked into, by id.
    var settledTo: String?
    /// The whole tree was read, to believe that a folder is not in it.
    var hasReadTree = false
    /// Messages that a folder of this round told to have come into it: they are among what the folder will tell to be removed.
    var told: [String: String] = [:]
    /// Messages that were found in a folder that had not told of them, with the folder.
    var found: [String: String] = [:]
    /// The same, before these folders were asked again.
    var foundBefore: [String: String] = [:]
    /// How often folders were asked again.
    var repeats = 0
    /// What moves on and on is looked into with the next round.
    static let repeatsMax = 2

    init(_ folders: [OutlookFolder], isPartial: Bool = false) {
        remaining = folders.map(\.id)
        self.isPartial = isPartial
        hasRepaired = folders.contains(where: \.isRepair)
    }
}

extension OutlookSession {
    func changes(since cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        // Somebody asks while a round of the clock is under way: every folder is asked, from where it is by now.
        if round?.isPartial == true { round = nil }
        return try await changes(since: cursor, known: known) { position in
            let folders = position.tree.inOrder
            return OutlookRound(position.isBackfilled ? folders : folders.filter { !$0.isToBeFilled })
        }
    }

    /// A folder that is not asked may hold what left another one, or miss what is in another by now. That makes no
    /// difference: what left a folder is asked for itself, and what is read twice is one event.
    func dueChanges(
        since cursor: Cursor, known: any KnownMessages, schedule: FolderSchedule
    ) async throws -> ChangeBatch {
        guard try position(at: cursor).isBackfilled else { return try await changes(since: cursor, known: known) }
        let now = time.nowMilliseconds()
        return try await changes(since: cursor, known: known) { position in
            OutlookRound(position.tree.due(schedule, at: now), isPartial: true)
        }
    }

    private func changes(
        since cursor: Cursor, known: any KnownMessages, _ begin: (OutlookCursor) -> OutlookRound
    ) async throws -> ChangeBatch {
        var position = try position(at: cursor)
        var batch = ChangeBatch(origin: .incremental, cursor: cursor, phase: position.phase, more: true)
        if round == nil {
            batch.labels = try await readTree(&position)
            round = begin(position)
        }
        batch.more = try await fill(&batch, &position, known)
        return handOut(batch, at: position)
    }

    /// Does the next part of the round; false when it is over.
    func fill(
        _ batch: inout ChangeBatch, _ position: inout OutlookCursor, _ known: any KnownMessages
    ) async throws -> Bool {
        if try await relabel(&batch, &position, known) { return true }
        if try await askRemaining(&batch, &position, known) { return true }
        if try await sweep(&batch, &position, known) { return true }
        if try await collectOrphans(&batch, known) { return true }
        if try await settle(&batch, &position, known) { return true }
        if askAgain() { return true }
        round = nil
        return false
    }

    /// Asks folders until something happened; true when there may be more.
    private func askRemaining(
        _ batch: inout ChangeBatch, _ position: inout OutlookCursor, _ known: any KnownMessages
    ) async throws -> Bool {
        while batch.isEmpty {
            round?.remaining.removeAll { position.tree.place($0) == nil }
            let folders = (round?.remaining ?? []).compactMap { position.tree[$0] }
            guard let first = folders.first else { return false }
            batch.origin = first.isRepair ? .repair : .incremental
            let group = folders.filter { $0.isRepair == first.isRepair }.prefix(pages.current)
            try await take(try await ask(Array(group)), &position, &batch, known)
        }
        return true
    }

    /// Gives the next messages of a folder that was renamed or moved its new label. How far this got shows in their versions.
    private func relabel(
        _ batch: inout ChangeBatch, _ position: inout OutlookCursor, _ known: any KnownMessages
    ) async throws -> Bool {
        for folder in position.tree.inOrder where !folder.oldLabels.isEmpty {
            let states = try await fromStore {
                try await known.present(
                    inFolder: folder.id, below: folder.relabelBelow, after: nil, limit: Self.storedMax)
            }
            if states.isEmpty {
                position.tree[folder.id]?.oldLabels = []
                continue
            }
            batch.changes += states.map { state in
                .labels(
                    id: state.id,
                    labels: OutlookLabels.renamed(state.labels, from: folder.oldLabels, to: folder.label),
                    version: position.nextVersion, folder: folder.id)
            }
            return true
        }
        return false
    }
}

// MARK: - Removals

extension OutlookSession {
    /// Takes the next messages that a folder's walk did not meet, or whose folder is gone, for removed from it.
    private func sweep(
        _ batch: inout ChangeBatch, _ position: inout OutlookCursor, _ known: any KnownMessages
    ) async throws -> Bool {
        for id in position.tree.folders.keys.sorted() {
            guard let folder = position.tree[id], let sweptTo = folder.sweptTo else { continue }
            let below = folder.state == .gone ? UInt64.max : folder.start
            let states = try await fromStore {
                try await known.present(inFolder: id, below: below, after: sweptTo, limit: Self.storedMax)
            }
            if let last = states.last {
                batch.changes += states.map { .removed(id: $0.id, fromFolder: id) }
                position.tree[id]?.sweptTo = last.id
                return true
            }
            if folder.state == .gone {
                position.tree.forget(id)
            } else {
                position.tree[id]?.sweptTo = nil
                position.tree[id]?.isRepair = false
                position.tree[id]?.start = 0
            }
        }
        return false
    }

    /// Takes the next stored messages that no folder named, for removed.
    private func collectOrphans(_ batch: inout ChangeBatch, _ known: any KnownMessages) async throws -> Bool {
        while let orphansTo = round?.orphansTo, let below = round?.orphansBelow {
            let states = try await fromStore { try await known.present(after: orphansTo, limit: Self.storedMax) }
            round?.orphansTo = states.last?.id
            batch.changes += states.filter { $0.version < below }.map { state in
                .removed(id: state.id, fromFolder: state.folder ?? "")
            }
            if !batch.isEmpty { return true }
        }
        return false
    }

    /// Asks what became of the next messages that left a folder: moved, or gone. One that cannot be read stays pending.
    private func settle(
        _ batch: inout ChangeBatch, _ position: inout OutlookCursor, _ known: any KnownMessages
    ) async throws -> Bool {
        let after = round?.settledTo
        let ids = try await fromStore { try await known.pendingRemovals(after: after, limit: Self.removalsMax) }
        guard let last = ids.last else { return false }
        // Two things say so, the folder and the message itself: "not found" is believed at once.
        let outcome = try await reader(position, version: position.nextVersion).read(
            ids, known: known, knownGone: Set(ids))
        if round?.hasReadTree == false, outcome.changes.values.contains(where: \.isRemoval) {
            position.treeLink = nil
            batch.labels = try await readTree(&position)
            round?.hasReadTree = true
        }
        for id in ids {
            switch outcome.changes[id] {
            case .removed(_, let folder):
                // In a folder that just came up: looked into again with the next round.
                guard position.tree.place(folder) == nil else { continue }
                batch.changes.append(.deleted(id: id))
            case let change?:
                batch.changes.append(change)
                guard isCovered(id, in: change.folder) else { continue }
            case nil:
                guard outcome.vanished.contains(id) else { continue }
                batch.changes.append(.deleted(id: id))
            }
            batch.settledRemovals.append(id)
        }
        batch.origin = round?.hasRepaired == true ? .repair : .incremental
        round?.settledTo = last
        return true
    }
}

// MARK: - What a folder does not tell

extension OutlookSession {
    /// A folder tells of what left it only when it had told, or would have, that it was there: of a message that came and went
    /// between two looks it says nothing. So a message that was found in a folder stays pending until the folder told of it, or
    /// was asked since; then its removal cannot be missed.
    private func isCovered(_ id: String, in folder: String?) -> Bool {
        guard let folder, round?.told[id] != folder, round?.foundBefore[id] != folder else { return true }
        round?.found[id] = folder
        return false
    }

    /// Folders in which messages were found that they had not told of are asked, and the messages looked into once more; false
    /// when there are none.
    private func askAgain() -> Bool {
        guard let found = round?.found, !found.isEmpty, round?.repeats ?? 0 < OutlookRound.repeatsMax else {
            return false
        }
        round?.remaining = Set(found.values).sorted()
        round?.foundBefore = found
        round?.found = [:]
        round?.settledTo = nil
        round?.repeats += 1
        return true
    }

    /// A folder tells of stored messages: those that the store has elsewhere have come.
    func noteTold(_ changes: [MessageChange], _ states: [String: MessageState]) {
        for change in changes {
            guard case .labels(let id, _, _, let folder?) = change, states[id]?.folder != folder else { continue }
            round?.told[id] = folder
        }
    }
}

extension MessageChange {
    /// Where the message lies, as far as this tells.
    fileprivate var folder: String? {
        switch self {
        case .read(let message, _): message.folder
        case .labels(_, _, _, let folder): folder
        case .removed, .deleted: nil
        }
    }

    fileprivate var isRemoval: Bool {
        if case .removed = self { true } else { false }
    }
}
