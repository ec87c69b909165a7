import MailModel
import ProviderClient

/// One page of a folder, or why there is none.
typealias FolderAnswer = (folder: String, result: Result<OutlookAPI.MessagePage, SyncFailure>)

extension OutlookSession {
    /// Asks for the next page of each of these folders at the same time.
    func ask(_ folders: [OutlookFolder]) async throws -> [FolderAnswer] {
        let api = api
        let answers = try await withThrowingTaskGroup(of: (Int, FolderAnswer).self) { group in
            for (index, folder) in folders.enumerated() {
                group.addTask {
                    do {
                        let page = try await api.messageChanges(
                            in: folder.id, folder.link, folder.isLight ? .light : .full)
                        return (index, (folder.id, .success(page)))
                    } catch let failure as SyncFailure {
                        return (index, (folder.id, .failure(failure)))
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        pages.note(answers.compactMap { $0.1.result.failure })
        return answers.sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// Puts what the folders answered into the batch. Failures that concern one folder only do not stop the others.
    ///
    /// - Throws: ``SyncFailure`` when no folder got any further.
    func take(
        _ answers: [FolderAnswer], _ position: inout OutlookCursor, _ batch: inout ChangeBatch,
        _ known: any KnownMessages
    ) async throws {
        var failure: SyncFailure?
        var hasProgressed = false
        for (folder, result) in answers {
            do {
                switch result {
                case .success(let page): try await take(page, of: folder, &position, &batch, known)
                case .failure(let failure): try await recover(folder, from: failure, &position, &batch, known)
                }
                hasProgressed = true
            } catch let other as SyncFailure {
                failure = other
            }
        }
        guard let failure else { return }
        switch failure.decision {
        case .reauthenticate, .resync, .stop: throw failure
        case .restartListing, .retry, .skip: if !hasProgressed { throw failure }
        }
    }

    private func take(
        _ page: OutlookAPI.MessagePage, of id: String, _ position: inout OutlookCursor, _ batch: inout ChangeBatch,
        _ known: any KnownMessages
    ) async throws {
        guard let place = position.tree.place(id) else { return }
        let version = position.nextVersion
        if position.tree[id]?.state == .waiting {
            position.tree[id]?.state = .walking
            position.tree[id]?.start = version
        }
        if !page.items.isEmpty, position.tree[id]?.state == .current {
            position.tree[id]?.changedAt = time.nowMilliseconds()
        }
        let listed = OutlookPage(page.items, of: place)
        if listed.nameless > 0 {
            logger.warning("listed messages without a usable id", metadata: ["count": "\(listed.nameless)"])
        }
        let plan = try await plan(listed, position, known)
        let outcome = try await reader(position, version: version).read(
            plan.toRead, known: known, knownGone: plan.removed)
        batch.changes += plan.changes
        batch.take(outcome, order: plan.toRead)
        // It came and went, and was found elsewhere: whether that folder will tell of it is looked into.
        batch.changes += plan.toRead.filter(plan.removed.contains).compactMap { id in
            guard case .read = outcome.changes[id] else { return nil }
            return .removed(id: id, fromFolder: place.folder)
        }
        // What could not be read yet brings the page back: the rest of it is known by then.
        if outcome.putOff.isEmpty { try leave(page, of: id, &position) }
    }

    private func plan(
        _ listed: OutlookPage, _ position: OutlookCursor, _ known: any KnownMessages
    ) async throws -> OutlookPage.Plan {
        if listed.ids.isEmpty { return OutlookPage.Plan() }
        let states = try await fromStore { try await known.states(of: listed.ids) }
        let others = listed.ids.filter { states[$0] == nil }
        let unknown = others.isEmpty ? [] : try await fromStore { try await known.unknown(among: others) }
        let plan = listed.plan(
            states: states, unknown: Set(unknown), tree: position.tree, normalizer: normalizer,
            version: position.nextVersion)
        noteTold(plan.changes, states)
        return plan
    }

    /// Goes on to the next page, or to the next round. What follows is decided by which link there is, never by what is in it.
    private func leave(
        _ page: OutlookAPI.MessagePage, of id: String, _ position: inout OutlookCursor
    ) throws(SyncFailure) {
        let link = position.tree[id]?.link
        if let next = try nextLink(page.nextLink, after: link, isEmpty: page.items.isEmpty, of: id) {
            position.tree[id]?.link = next
            return
        }
        guard let end = page.deltaLink, !end.isEmpty else { throw OutlookFailure.unreadable(.messages(linked: true)) }
        position.tree[id]?.link = end
        position.tree[id]?.checkedAt = time.nowMilliseconds()
        round?.remaining.removeAll { $0 == id }
        guard position.tree[id]?.state == .walking else { return }
        position.tree[id]?.state = .current
        position.tree[id]?.sweptTo = ""
    }

    /// Deals with a failure that concerns one folder.
    private func recover(
        _ id: String, from failure: SyncFailure, _ position: inout OutlookCursor, _ batch: inout ChangeBatch,
        _ known: any KnownMessages
    ) async throws {
        switch failure.code {
        case OutlookFailure.Code.linkExpired:
            try noteRestart(of: id, failure)
            try await restart(id, &position, known)
        case OutlookFailure.Code.folderGone:
            position.treeLink = nil
            batch.labels = try await readTree(&position)
            if position.tree.place(id) != nil {
                throw SyncFailure(
                    .retry(after: nil, scope: .account), code: "folder_unreadable",
                    "Graph lists a folder and answers that it does not exist")
            }
            round?.remaining.removeAll { $0 == id }
        default: throw failure
        }
    }

    /// The folder's link is no longer good. What was read to its end is compared with the store, by what labels are made of;
    /// what was not, or has nothing stored, is read in full: one request for a page is less than one for each message.
    func restart(_ id: String, _ position: inout OutlookCursor, _ known: any KnownMessages) async throws {
        guard var folder = position.tree[id] else { return }
        let stored = try await fromStore { try await known.present(inFolder: id, below: .max, after: nil, limit: 1) }
        let wasRead = folder.isRepair || folder.state == .current
        folder.isRepair = wasRead
        folder.restart(light: (wasRead && !stored.isEmpty) || !position.tree.isInScope(id))
        position.tree[id] = folder
        if wasRead { round?.hasRepaired = true }
    }
}
