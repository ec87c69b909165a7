import MailModel
import ProviderClient

/// A page of an import's listing that is held between two calls.
struct HeldImportPage: Sendable {
    struct Place: Sendable, Hashable {
        var selection: MailSelection
        var position: Cursor
    }
    /// Several imports take turns.
    static let heldMax = 20

    /// The ids that are still to be looked at.
    var rest: [String]
    var next: String?
}

extension GmailSession {
    /// Pages that may turn out to be known in one call; then the place is handed out, so that it is kept.
    private static let knownPagesMax = 20

    func fetch(
        _ selection: MailSelection, from position: Cursor?, cursor: Cursor, phase: SyncPhase, known: any KnownMessages
    ) async throws -> ImportBatch {
        var at = try await importPosition(selection, position)
        let reader = reader(of: selection)
        var result = ImportBatch(changes: ChangeBatch(origin: .backfill, cursor: cursor, phase: phase))
        var page = heldPage(selection, position)
        for _ in 0..<Self.knownPagesMax where !at.labels.isEmpty {
            guard var current = try await importPage(page, selection, &at) else { continue }
            page = nil
            let isRead = try await take(&current, &at, &result, reader, known)
            if current.rest.isEmpty {
                at.leavePage(next: current.next)
            } else {
                page = current
            }
            if isRead { break }
        }
        result.next = at.cursor
        if let page, let next = result.next { hold(page, selection, next) }
        CrashPoint.reach(.batchFetched)
        return result
    }

    func scan(_ selection: MailSelection, from position: Cursor?) async throws -> SelectionPage {
        var at = try await importPosition(selection, position)
        guard !at.labels.isEmpty else { return SelectionPage() }
        let label = at.label
        var found = SelectionPage(label: label)
        if let page = try await listing(selection, at) {
            found.ids = page.rest
            at.leavePage(next: page.next)
        } else {
            at.leavePage(next: nil)
        }
        found.units = found.ids.count * api.configuration.costs.messagesGet
        found.next = at.cursor
        return found
    }

    /// Reads the page's next messages that are not known; true when something was found out about any.
    private func take(
        _ page: inout HeldImportPage, _ at: inout GmailImportPosition, _ result: inout ImportBatch,
        _ reader: GmailReader, _ known: any KnownMessages
    ) async throws -> Bool {
        let rest = page.rest
        let unknown = try await fromStore { try await known.unknown(among: rest) }
        let reads = Array(unknown.prefix(backfillSize))
        let outcome = try await readTimed(reads, known, with: reader)
        result.changes.take(outcome, order: reads)
        // Everything before the first that has to wait for the next call.
        let end = unknown.count > reads.count ? rest.firstIndex(of: unknown[reads.count]) ?? rest.count : rest.count
        page.rest = outcome.putOff + rest[end...]
        let accounted = end - outcome.putOff.count
        let fresh = at.advance(accounted)
        result.listed += fresh
        // What is looked at again is known by now.
        result.known += max(0, fresh - (reads.count - outcome.putOff.count))
        return !outcome.isEmpty
    }

    // MARK: Pages

    private func heldPage(_ selection: MailSelection, _ position: Cursor?) -> HeldImportPage? {
        guard let position else { return nil }
        return importPages.removeValue(forKey: .init(selection: selection, position: position))
    }

    private func hold(_ page: HeldImportPage, _ selection: MailSelection, _ position: Cursor) {
        if importPages.count >= HeldImportPage.heldMax { importPages = [:] }
        importPages[.init(selection: selection, position: position)] = page
    }

    /// The present page: the one held, or listed. Nil when the label is gone, which ends its listing.
    private func importPage(
        _ held: HeldImportPage?, _ selection: MailSelection, _ at: inout GmailImportPosition
    ) async throws -> HeldImportPage? {
        if let held { return held }
        at.beginPageAnew()
        do {
            if let page = try await listing(selection, at) { return page }
            at.leavePage(next: nil)
            return nil
        } catch let failure as SyncFailure where failure.decision == .restartListing {
            try restartListing(failure)
            at.beginLabelAnew()
            return try await listing(selection, at)
        }
    }

    /// Lists a page of the present label; nil when there is no such label any more.
    private func listing(_ selection: MailSelection, _ at: GmailImportPosition) async throws -> HeldImportPage? {
        do {
            let list = try await api.list(
                .init(
                    pageToken: at.pageToken, since: selection.from, until: selection.until, label: at.label))
            return HeldImportPage(rest: ids(of: list), next: try nextToken(list, after: at.pageToken))
        } catch let failure as SyncFailure where failure.code == GmailFailure.Code.queryRefused {
            throw SyncFailure(
                .skip, code: SelectionRefusal.missingScope,
                "the user has not granted what searching by date needs: connect with the scope gmail.readonly, "
                    + "or import without dates")
        } catch let failure as SyncFailure where failure.code == GmailFailure.Code.badRequest && at.pageToken == nil {
            let exists = try await api.labels().contains { $0.id == at.label }
            if exists || at.label == nil { throw failure }
            return nil
        }
    }

    // MARK: Selections

    private func importPosition(_ selection: MailSelection, _ position: Cursor?) async throws -> GmailImportPosition {
        if let position, let read = GmailImportPosition(position) { return read }
        return GmailImportPosition(labels: try await listedLabels(selection))
    }

    /// The ids of the labels to list.
    ///
    /// - Throws: `skip` when a label does not exist or is out of scope.
    private func listedLabels(_ selection: MailSelection) async throws -> [String] {
        if selection.labels.isEmpty { return [GmailImportPosition.everything] }
        let labels = try await api.labels()
        var ids: [String] = []
        for wanted in selection.labels {
            let name = wanted.lowercased()
            let label =
                labels.first { $0.id == wanted }
                ?? labels.first { $0.id.lowercased() == name || $0.name.lowercased() == name }
            guard let id = label?.id else { throw SelectionRefusal.unknown(wanted) }
            if GmailNormalizer.outOfScopeLabels.contains(id) { throw SelectionRefusal.outOfScope(wanted) }
            if !ids.contains(id) { ids.append(id) }
        }
        return ids
    }

    /// Reads messages of these dates, whatever the session's own scope.
    func reader(of selection: MailSelection) -> GmailReader {
        let normalizer = GmailNormalizer(
            headers: api.configuration.headers, since: selection.from, until: selection.until)
        return GmailReader(source: GmailSource(api: api, normalizer: normalizer), parallelism: parallelism)
    }
}
