import MailModel
import ProviderClient

extension OutlookSession {
    /// Pages that may bring nothing new in one call; then the place is handed out, so that it is kept.
    private static let emptyPagesMax = 20

    /// Reads the next page of the first folder that was not read to its end.
    func backfill(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        var position = try position(at: cursor)
        var batch = ChangeBatch(origin: .backfill, cursor: cursor, phase: .backfill, more: true)
        if position.tree.folders.isEmpty { batch.labels = try await readTree(&position) }
        for _ in 0..<Self.emptyPagesMax where batch.isEmpty {
            guard let folder = position.tree.inOrder.first(where: \.isToBeFilled) else {
                position.isBackfilled = true
                break
            }
            try await take(try await ask([folder]), &position, &batch, known)
        }
        batch.phase = position.phase
        batch.more = !position.isBackfilled
        return handOut(batch, at: position)
    }
}

extension OutlookFolder {
    /// It was never read to its end.
    var isToBeFilled: Bool { isRead && !isRepair && state != .current }
}

extension ChangeBatch {
    /// Says nothing of any message.
    var isEmpty: Bool { changes.isEmpty && gaps.isEmpty && vanished.isEmpty && settledRemovals.isEmpty }
}
