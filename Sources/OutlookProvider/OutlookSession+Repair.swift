import MailModel
import ProviderClient

extension OutlookSession {
    /// Compares the whole mailbox with the store. Only reached when the cursor cannot be read: whatever else expires, the
    /// folder concerned is compared within ``changes(since:known:)``.
    func repair(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        var batch = ChangeBatch(origin: .repair, cursor: cursor, phase: .repair, more: true)
        var position: OutlookCursor
        if let repairing {
            position = repairing
        } else {
            position = try await newPosition(&batch, known)
        }
        let isUnderWay = try await fill(&batch, &position, known)
        if isUnderWay {
            position.clock += 1
            repairing = position
            CrashPoint.reach(.batchFetched)
            return batch
        }
        repairing = nil
        position.isBackfilled = true
        batch.phase = position.phase
        batch.more = false
        return handOut(batch, at: position)
    }

    /// A position from which everything is read, later than all that is stored.
    private func newPosition(_ batch: inout ChangeBatch, _ known: any KnownMessages) async throws -> OutlookCursor {
        var position = OutlookCursor()
        position.clock = try await latestVersion(known) + 1
        batch.labels = try await readTree(&position)
        for folder in position.tree.inOrder {
            position.tree[folder.id]?.isRepair = true
            try await restart(folder.id, &position, known)
        }
        var round = OutlookRound(position.tree.inOrder)
        round.orphansTo = ""
        round.orphansBelow = position.nextVersion
        self.round = round
        return position
    }

    private func latestVersion(_ known: any KnownMessages) async throws -> UInt64 {
        var latest: UInt64 = 0
        var after: String?
        while true {
            let from = after
            let states = try await fromStore { try await known.present(after: from, limit: Self.storedMax) }
            guard let last = states.last else { return latest }
            latest = max(latest, states.map(\.version).max() ?? 0)
            after = last.id
        }
    }
}
