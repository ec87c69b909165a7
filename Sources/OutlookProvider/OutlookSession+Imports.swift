import MailModel
import ProviderClient

extension OutlookSession {
    /// Pages that may bring nothing new in one call; then the place is handed out, so that it is kept.
    private static let emptyPagesMax = 20

    func fetch(
        _ selection: MailSelection, from position: Cursor?, cursor: Cursor, phase: SyncPhase, known: any KnownMessages
    ) async throws -> ImportBatch {
        let mailbox = try self.position(at: cursor)
        var at = try await importPosition(selection, position, mailbox.tree)
        var result = ImportBatch(changes: ChangeBatch(origin: .backfill, cursor: cursor, phase: phase))
        for _ in 0..<Self.emptyPagesMax where !at.folders.isEmpty && result.changes.isEmpty {
            guard let page = try await importPage(selection, &at, .full) else { continue }
            try await take(page, selection, &at, mailbox, &result, known)
        }
        result.next = at.cursor
        CrashPoint.reach(.batchFetched)
        return result
    }

    func scan(_ selection: MailSelection, from position: Cursor?) async throws -> SelectionPage {
        var at = try await importPosition(selection, position, FolderTree())
        guard let folder = at.folders.first else { return SelectionPage() }
        var found = SelectionPage(label: folder.label)
        if let page = try await importPage(selection, &at, .dates) {
            let seen = Set(at.seen)
            found.ids = page.items.compactMap(\.id).filter { !seen.contains($0) }
            try leave(page, &at)
        }
        // A page of whole messages is one request.
        found.units = (found.ids.count + api.configuration.fullPageSize - 1) / api.configuration.fullPageSize
        found.next = at.cursor
        return found
    }

    // MARK: Pages

    /// The next page of the present folder; nil when the folder is gone, or its link, and it is to be asked anew.
    private func importPage(
        _ selection: MailSelection, _ at: inout OutlookImportPosition, _ fields: OutlookAPI.Selection
    ) async throws -> OutlookAPI.MessagePage? {
        guard let folder = at.folders.first else { return nil }
        do {
            return try await api.messages(in: folder.id, where: at.filter(selection), at.link, fields)
        } catch let failure as SyncFailure where failure.code == OutlookFailure.Code.folderGone {
            at.leaveFolder()
        } catch let failure as SyncFailure where failure.code == OutlookFailure.Code.linkExpired {
            try noteRestart(of: "the import of \(folder.id)", failure)
            at.link = nil
        }
        return nil
    }

    /// Reads what is unknown on the page, and goes on.
    private func take(
        _ page: OutlookAPI.MessagePage, _ selection: MailSelection, _ at: inout OutlookImportPosition,
        _ mailbox: OutlookCursor, _ result: inout ImportBatch, _ known: any KnownMessages
    ) async throws {
        let seen = Set(at.seen)
        let ids = page.items.compactMap(\.id).filter { !seen.contains($0) }
        let unknown = Set(try await fromStore { try await known.unknown(among: ids) })
        let tree = try await tree(for: page, mailbox.tree)
        let normalizer = OutlookNormalizer(
            headers: normalizer.headers, since: selection.from, until: selection.until)
        var toRead: [String] = []
        for case .content(let id, let listed) in page.items where unknown.contains(id) {
            if let change = Self.change(id, listed, tree, mailbox, normalizer) {
                result.changes.changes.append(change)
            } else {
                toRead.append(id)
            }
        }
        for case .unreadable(let id?) in page.items where unknown.contains(id) { toRead.append(id) }
        // Read alone, they may be in any folder: the oldest version is right in all of them.
        let outcome = try await reader(tree, normalizer, version: 0).read(toRead, known: known)
        result.changes.take(outcome, order: toRead)
        result.changes.changes.removeAll { if case .removed = $0 { true } else { false } }
        let putOff = Set(outcome.putOff)
        result.listed += ids.count - putOff.count
        result.known += ids.count - unknown.count
        if putOff.isEmpty {
            try leave(page, &at)
        } else {
            // The page comes again, for the rest.
            at.seen += ids.filter { !putOff.contains($0) }
        }
    }

    /// Nil when only reading the message alone tells.
    private static func change(
        _ id: String, _ listed: OutlookWire.ListedMessage, _ tree: FolderTree, _ mailbox: OutlookCursor,
        _ normalizer: OutlookNormalizer
    ) -> MessageChange? {
        guard listed.isComplete, let place = tree.place(listed.message.parentFolderId) else { return nil }
        // Nil too when it has no date: then reading it says why.
        return try? normalizer.change(
            listed.message, id: id, at: place, version: mailbox.importVersion(inFolder: place.folder))
    }

    private func leave(_ page: OutlookAPI.MessagePage, _ at: inout OutlookImportPosition) throws(SyncFailure) {
        let folder = at.folders.first?.id ?? ""
        var dates: [String: UnixSeconds] = [:]
        for case .content(let id, let listed) in page.items {
            dates[id] = listed.message.receivedDateTime.flatMap(GraphTime.parse)
        }
        let next = try nextLink(
            page.nextLink, after: at.link, isEmpty: page.items.isEmpty, of: "the import of \(folder)")
        at.leavePage(dates, next: next)
    }

    // MARK: Folders

    private func importPosition(
        _ selection: MailSelection, _ position: Cursor?, _ tree: FolderTree
    ) async throws -> OutlookImportPosition {
        if let position, let read = OutlookImportPosition(position) { return read }
        if let folders = try? Self.folders(selection, in: tree), !folders.isEmpty {
            return OutlookImportPosition(folders: folders)
        }
        // Not read yet, or older than the folder: said again with what is true now.
        return OutlookImportPosition(folders: try Self.folders(selection, in: try await wholeTree()))
    }

    /// The folders to read, in the order of interest.
    ///
    /// - Throws: `skip` when a folder does not exist or is out of scope.
    private static func folders(
        _ selection: MailSelection, in tree: FolderTree
    ) throws(SyncFailure) -> [OutlookImportPosition.Folder] {
        let all = tree.inOrder
        var chosen: Set<String> = []
        for wanted in selection.labels {
            let name = wanted.lowercased()
            let folder =
                all.first { $0.id == wanted || $0.label == wanted }
                ?? all.first { $0.label.lowercased() == name || $0.role?.lowercased() == name }
            guard let folder else { throw SelectionRefusal.unknown(wanted) }
            guard tree.isInScope(folder.id) else { throw SelectionRefusal.outOfScope(wanted) }
            chosen.insert(folder.id)
        }
        return all.filter { selection.labels.isEmpty ? tree.isInScope($0.id) : chosen.contains($0.id) }
            .map { .init(id: $0.id, label: $0.label) }
    }

    /// The cursor's tree, unless the page is of a folder that came after it.
    private func tree(for page: OutlookAPI.MessagePage, _ tree: FolderTree) async throws -> FolderTree {
        let parents = Set(page.items.compactMap(\.parent))
        if parents.allSatisfy({ tree.place($0) != nil }) { return tree }
        if let importTree, parents.allSatisfy({ importTree.place($0) != nil }) { return importTree }
        return try await wholeTree()
    }

    /// Reads the tree beside the cursor's, which only changes move.
    private func wholeTree() async throws -> FolderTree {
        var mailbox = OutlookCursor()
        _ = try await readTree(&mailbox)
        importTree = mailbox.tree
        return mailbox.tree
    }
}

extension OutlookCursor {
    /// The version of a message that an import reads. Where changes are followed it is not newer than the next batch. A
    /// folder whose walk is not over may never tell of a message that leaves it before the walk gets there: with the
    /// oldest version, what the walk does not meet is looked for afterwards.
    fileprivate func importVersion(inFolder folder: String) -> UInt64 {
        tree[folder]?.state == .current ? clock : 0
    }
}

extension OutlookWire.Entry where Value == OutlookWire.ListedMessage {
    fileprivate var id: String? {
        switch self {
        case .content(let id, _), .removed(let id): id
        case .unreadable(let id): id
        }
    }

    fileprivate var parent: String? {
        guard case .content(_, let listed) = self else { return nil }
        return listed.message.parentFolderId
    }
}
