import MailModel
import ProviderClient

/// A comparison of store and provider under way. Its stages follow one another; a failed call goes on where the
/// failure was.
struct RepairScan: Sendable {
    enum Stage: Sendable {
        /// Collecting the ids of all messages.
        case listing(token: String?)
        /// Collecting the messages of each label.
        case labelling(token: String?)
        /// Collecting the ids of the messages within `since`.
        case narrowing(token: String?)
        /// Walking through the store, for what is gone or has other labels.
        case comparing(after: String?)
        /// Walking through the mailbox, for what the store does not have.
        case completing(position: Int)
    }

    var stage = Stage.listing(token: nil)
    /// The mailbox's history id before anything was listed: changes after it are left to the history.
    let start: UInt64
    var index = MailboxIndex()
    /// The messages within `since`; nil when there is no such limit.
    var recent: MailboxIndex?
    /// Labels whose messages are still to be listed.
    var labels: [String] = []
    /// Messages changed while the listings were made, which may have caught them half-way.
    var touched: Set<String> = []
    /// Found and to be read, before anything else is looked for.
    var toRead: [String] = []
    /// Stored, but not listed: gone if reading says so too. A message can slip through between two pages of a listing.
    var toConfirm: [String] = []
}

extension GmailSession {
    /// Messages looked at in one step.
    private static let stepSize = 500
    /// Steps without a difference in one call; then an empty batch shows that work goes on.
    private static let stepsMax = 20

    func repair(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        // A cursor that cannot be read is what brought us here: everything starts over.
        let position = (try? GmailCursor(cursor)) ?? GmailCursor(historyID: 0)
        var batch = ChangeBatch(origin: .repair, cursor: cursor, phase: .repair, more: true)
        if repair == nil {
            let start = try await historyNow()
            repair = RepairScan(start: start)
        }
        batch.labels = try await labelsIfDue(GmailCursor(historyID: 0))
        try await collect(known)
        for _ in 0..<Self.stepsMax {
            guard try await step(&batch, known, readsUnknown: position.backfill.done) else {
                var end = GmailCursor(historyID: repair?.start ?? 0)
                end.backfill.done = position.backfill.done
                batch.cursor = stamped(end)
                batch.phase = end.phase
                batch.more = false
                repair = nil
                break
            }
            if !batch.changes.isEmpty || !batch.gaps.isEmpty || !batch.vanished.isEmpty { break }
        }
        return handOut(batch)
    }

    private func historyNow() async throws -> UInt64 {
        guard let id = try await api.profile().historyId?.unsigned else { throw GmailFailure.unreadable(.profile) }
        return id
    }
}

// MARK: - Collecting

extension GmailSession {
    /// Lists the mailbox by id, then every label by id.
    private func collect(_ known: any KnownMessages) async throws {
        while let stage = repair?.stage {
            switch stage {
            case .listing(let token): try await collectIDs(token, known)
            case .labelling(let token): try await collectLabel(token)
            case .narrowing(let token): try await collectRecent(token)
            case .comparing, .completing: return
            }
        }
    }

    private func collectIDs(_ token: String?, _ known: any KnownMessages) async throws {
        let list: GmailWire.MessageList
        do {
            list = try await api.list(.init(pageToken: token, includesSpamAndTrash: true))
        } catch let failure as SyncFailure where failure.decision == .restartListing {
            try restartListing(failure)
            repair?.stage = .listing(token: nil)
            return
        }
        let listed = ids(of: list)
        repair?.index.insert(listed)
        if let next = try nextToken(list, after: token) {
            repair?.stage = .listing(token: next)
            return
        }
        let labels = try await labelsInUse(known)
        repair?.index.seal()
        repair?.labels = labels
        repair?.stage = .labelling(token: nil)
    }

    /// The mailbox's labels and those the store's messages have.
    private func labelsInUse(_ known: any KnownMessages) async throws -> [String] {
        var labels = Set(try await api.labels().map(\.id))
        var after: String?
        while true {
            let from = after
            let states = try await fromStore { try await known.present(after: from, limit: Self.stepSize) }
            guard let last = states.last else { return labels.sorted() }
            for state in states { labels.formUnion(state.labels) }
            after = last.id
        }
    }

    private func collectLabel(_ token: String?) async throws {
        guard let label = repair?.labels.last else {
            let touched = try await askHistory(repair?.start ?? 0).history.order
            repair?.touched = Set(touched)
            repair?.stage = since == nil ? .comparing(after: nil) : .narrowing(token: nil)
            return
        }
        do {
            let list = try await api.list(.init(pageToken: token, label: label, includesSpamAndTrash: true))
            let listed = ids(of: list)
            repair?.index.add(label: label, to: listed)
            if let next = try nextToken(list, after: token) {
                repair?.stage = .labelling(token: next)
                return
            }
        } catch let failure as SyncFailure where failure.decision == .restartListing {
            // Adding a label twice changes nothing.
            try restartListing(failure)
            repair?.stage = .labelling(token: nil)
            return
        } catch let failure as SyncFailure where failure.code == GmailFailure.Code.badRequest && token == nil {
            // A label that was deleted meanwhile: no message has it. Any other refusal says nothing about messages.
            let exists = try await api.labels().contains { $0.id == label }
            if exists { throw failure }
        }
        repair?.labels.removeLast()
        repair?.stage = .labelling(token: nil)
    }
}

extension GmailSession {
    /// Lists what is within `since`, so that older messages need not be read to learn that they are older.
    private func collectRecent(_ token: String?) async throws {
        let list: GmailWire.MessageList
        do {
            list = try await self.list(.init(pageToken: token))
        } catch let failure as SyncFailure where failure.decision == .restartListing {
            try restartListing(failure)
            repair?.stage = .narrowing(token: nil)
            return
        }
        if repair?.recent == nil { repair?.recent = MailboxIndex() }
        let listed = ids(of: list)
        repair?.recent?.insert(listed)
        if let next = try nextToken(list, after: token) {
            repair?.stage = .narrowing(token: next)
        } else {
            repair?.recent?.seal()
            repair?.stage = .comparing(after: nil)
        }
    }
}

// MARK: - Finding differences

extension GmailSession {
    /// Adds the next differences to the batch; false when there are no more.
    private func step(_ batch: inout ChangeBatch, _ known: any KnownMessages, readsUnknown: Bool) async throws -> Bool {
        guard let scan = repair else { return false }
        if !scan.toConfirm.isEmpty {
            try await confirmGone(&batch, known)
            return true
        }
        if !scan.toRead.isEmpty {
            try await readFound(&batch, known)
            return true
        }
        switch scan.stage {
        case .listing, .labelling, .narrowing: return true
        case .comparing(let after): return try await compare(after, &batch, known, readsUnknown: readsUnknown)
        case .completing(let position):
            guard position < (scan.recent ?? scan.index).count else { return false }
            try await findUnknown(scan, from: position, known)
            return true
        }
    }

    private func readFound(_ batch: inout ChangeBatch, _ known: any KnownMessages) async throws {
        let found = repair?.toRead ?? []
        let reads = Array(found.prefix(Self.readMax))
        let outcome = try await reader.read(reads, known: known)
        batch.take(outcome, order: reads)
        repair?.toRead = outcome.putOff + found.dropFirst(reads.count)
    }

    private func confirmGone(_ batch: inout ChangeBatch, _ known: any KnownMessages) async throws {
        let unlisted = repair?.toConfirm ?? []
        let reads = Array(unlisted.prefix(Self.readMax))
        let outcome = try await reader.read(reads, known: known, knownGone: Set(reads))
        batch.take(outcome, order: reads)
        repair?.toConfirm = outcome.putOff + unlisted.dropFirst(reads.count)
    }

    /// Compares the next stored messages with the mailbox; false after the last when nothing else is to be done.
    private func compare(
        _ after: String?, _ batch: inout ChangeBatch, _ known: any KnownMessages, readsUnknown: Bool
    ) async throws -> Bool {
        let states = try await fromStore { try await known.present(after: after, limit: Self.stepSize) }
        guard let last = states.last, let scan = repair else {
            repair?.stage = .completing(position: 0)
            return readsUnknown
        }
        for state in states {
            guard let labels = scan.index.labels(of: state.id) else {
                repair?.toConfirm.append(state.id)
                continue
            }
            guard labels != state.labels.sorted() else { continue }
            if scan.touched.contains(state.id) {
                repair?.toRead.append(state.id)
            } else {
                batch.changes.append(.labels(id: state.id, labels: labels, version: scan.start))
            }
        }
        repair?.stage = .comparing(after: last.id)
        return true
    }

    /// Looks through the next messages of the mailbox for those in scope that the store does not have.
    private func findUnknown(_ scan: RepairScan, from position: Int, _ known: any KnownMessages) async throws {
        let wanted = scan.recent ?? scan.index
        let end = min(position + Self.stepSize, wanted.count)
        let ids = (position..<end).map(wanted.id(at:)).filter { id in
            GmailNormalizer.outOfScopeLabels.isDisjoint(with: scan.index.labels(of: id) ?? [])
        }
        let states = try await fromStore { try await known.states(of: ids) }
        let unknown = Set(try await fromStore { try await known.unknown(among: ids) })
        repair?.toRead = ids.filter { unknown.contains($0) || states[$0]?.exists == false }
        repair?.stage = .completing(position: end)
    }
}
