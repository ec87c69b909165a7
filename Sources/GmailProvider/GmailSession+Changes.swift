import MailModel
import ProviderClient

/// The rest of a history answer.
struct HistoryAnswer: Sendable {
    /// The history id it was asked for.
    var start: UInt64
    var history: GmailHistory
    /// Ids not handed out yet.
    var queue: ArraySlice<String>
    /// Where the cursor goes with the last of them.
    var end: UInt64
    /// The history goes on after ``end``: it was cut to bound memory.
    var isCut: Bool
}

extension GmailSession {
    /// Messages of one history answer held at once; more are asked for afterwards.
    static let touchedMax = 50_000
    /// Messages looked up for one batch.
    private static let changesMax = 500

    func changes(since cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch {
        let position = try GmailCursor(cursor)
        var rest: HistoryAnswer
        if let answer, answer.start == position.historyID {
            rest = answer
        } else {
            rest = try await askHistory(position.historyID)
        }
        answer = nil
        var batch = ChangeBatch(origin: .incremental, cursor: cursor, phase: position.phase, more: true)
        batch.labels = try await labelsIfDue(position, naming: rest.history.labels)
        try await fill(&batch, from: &rest, known)
        if rest.queue.isEmpty {
            var end = position
            end.historyID = rest.end
            batch.cursor = stamped(end)
            batch.more = rest.isCut
        } else {
            answer = rest
        }
        return handOut(batch)
    }

    /// Reads the history from an id to its end, netted.
    func askHistory(_ start: UInt64) async throws -> HistoryAnswer {
        var history = GmailHistory()
        // The first page's: a change made between two pages may be on neither, though the later page's id covers it.
        var end: UInt64?
        var token: String?
        repeat {
            let page = try await api.history(since: start, pageToken: token)
            history.add(page.history ?? [], latest: page.historyId?.unsigned ?? start)
            end = end ?? page.historyId?.unsigned
            token = try nextToken(page.nextPageToken, after: token, isEmpty: page.history?.isEmpty ?? true)
        } while token != nil && history.order.count < Self.touchedMax
        // Cut short, the answer covers the records seen and nothing beyond.
        let covered = token == nil ? end ?? history.lastRecord : history.lastRecord
        return HistoryAnswer(
            start: start, history: history, queue: history.order[...], end: max(start, covered), isCut: token != nil)
    }

    /// Moves changes from the answer to the batch until one of them is full or empty.
    private func fill(
        _ batch: inout ChangeBatch, from rest: inout HistoryAnswer, _ known: any KnownMessages
    ) async throws {
        let slice = Array(rest.queue.prefix(Self.changesMax))
        guard !slice.isEmpty else { return }
        let states = try await fromStore { try await known.states(of: slice) }
        let toRead = slice.filter { rest.history.messages[$0]?.isToBeRead ?? false }
        let unknown = toRead.isEmpty ? [] : Set(try await fromStore { try await known.unknown(among: toRead) })
        var ready: [String: MessageChange] = [:]
        var reads: [String] = []
        var taken: [String] = []
        for id in slice where reads.count < Self.readMax {
            taken.append(id)
            switch rest.history.step(for: id, state: states[id], isUnknown: unknown.contains(id)) {
            case .nothing: break
            case .read: reads.append(id)
            case .apply(let change): ready[id] = change
            }
        }
        var outcome = try await reader.read(reads, known: known)
        outcome.changes.merge(ready) { read, _ in read }
        batch.take(outcome, order: taken)
        rest.queue = outcome.putOff + rest.queue.dropFirst(taken.count)
    }
}
