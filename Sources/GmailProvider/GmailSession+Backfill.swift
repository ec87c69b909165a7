import MailModel
import ProviderClient

/// A page of the listing: the ids on it that are still to be looked at.
struct ListedPage: Sendable {
    /// What it was listed with; nil is the first page.
    var token: String?
    var rest: [String]
    var next: String?
}

extension GmailSession {
    /// Pages that may turn out to be known in one call; then the place is handed out, so that it is kept.
    private static let knownPagesMax = 20
    /// The fewest messages read for one batch, and how long one may take before they become fewer.
    private static let readMin = 10
    private static let batchTimeAimed: Duration = .seconds(4)

    func backfill(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        var position = try GmailCursor(cursor)
        var batch = ChangeBatch(origin: .backfill, cursor: cursor, phase: .backfill, more: true)
        batch.labels = try await labelsIfDue(position)
        for _ in 0..<Self.knownPagesMax where !position.backfill.done {
            var current = try await currentPage(&position)
            let unknown = try await fromStore { try await known.unknown(among: current.rest) }
            let reads = Array(unknown.prefix(backfillSize))
            let outcome = try await readTimed(reads, known, with: reader)
            batch.take(outcome, order: reads)
            current.rest = outcome.putOff + unknown.dropFirst(reads.count)
            page = current
            if current.rest.isEmpty { leave(current, &position) }
            if !outcome.isEmpty { break }
        }
        batch.cursor = stamped(position)
        batch.phase = position.phase
        batch.more = !position.backfill.done
        return handOut(batch)
    }

    /// Reads the messages of one batch, and makes the next one smaller when this took long: while the quota sets the
    /// pace, live mail waits for the end of a batch.
    func readTimed(
        _ ids: [String], _ known: any KnownMessages, with reader: GmailReader
    ) async throws -> ReadOutcome {
        let start = api.calls.time.nowMilliseconds()
        let outcome = try await reader.read(ids, known: known)
        let took = Duration.milliseconds(api.calls.time.nowMilliseconds() - start)
        if took > Self.batchTimeAimed { backfillSize = max(Self.readMin, backfillSize / 2) }
        if took < Self.batchTimeAimed / 4 { backfillSize = min(Self.readMax, backfillSize * 2) }
        return outcome
    }

    /// The page at the cursor, listed once. A page token that is no longer valid starts the listing over: what is
    /// stored is skipped.
    private func currentPage(_ position: inout GmailCursor) async throws -> ListedPage {
        if let page, page.token == position.backfill.pageToken { return page }
        do {
            return try await listed(position.backfill.pageToken)
        } catch let failure as SyncFailure where failure.decision == .restartListing {
            try restartListing(failure)
            position.backfill.pageToken = nil
            return try await listed(nil)
        }
    }

    private func listed(_ token: String?) async throws -> ListedPage {
        let list = try await list(.init(pageToken: token))
        return ListedPage(token: token, rest: ids(of: list), next: try nextToken(list, after: token))
    }

    private func leave(_ current: ListedPage, _ position: inout GmailCursor) {
        page = nil
        position.backfill.pageToken = current.next
        position.backfill.done = current.next == nil
    }
}
