import Logging
import MailModel
import ProviderClient

/// A conversation with one Outlook mailbox.
///
/// Holds ids between calls, never metadata: what was fetched leaves with the batch it was fetched for. Where every folder
/// stands is in the cursor; losing the session loses only how far a round of changes got.
actor OutlookSession: MailboxSession {
    let api: OutlookAPI
    let normalizer: OutlookNormalizer
    let logger: Logger
    let time: any TimeSource

    /// The round of changes under way.
    var round: OutlookRound?
    /// The mailbox as far as a repair has read it; nil when none is under way.
    var repairing: OutlookCursor?
    /// Pages of folders asked for at once.
    let pages: Parallelism
    private let batches: Parallelism
    private var guards: [String: ListingGuard] = [:]
    private var restarts: [String: Int] = [:]
    /// Graph cannot follow this mailbox's tree of folders: it is walked each time.
    private var walksTree = false
    /// The tree as an import had to read it, because it knew more than the cursor's.
    var importTree: FolderTree?
    /// What the last cursor handed out says.
    private var last: (cursor: Cursor, position: OutlookCursor)?

    init(api: OutlookAPI, since: UnixSeconds?, time: any TimeSource, logger: Logger) {
        self.api = api
        self.time = time
        self.logger = logger
        normalizer = OutlookNormalizer(headers: api.configuration.headers, since: since)
        pages = Parallelism(api.configuration.concurrency, least: 1, inOneRequest: false)
        batches = Parallelism(
            api.configuration.batchPartsMax, least: api.configuration.concurrency, inOneRequest: true)
    }

    /// Pending removals looked into for one batch.
    static let removalsMax = 100
    /// Stored messages looked at for one batch.
    static let storedMax = 200

    func profile() async throws -> MailboxProfile {
        guard let id = try await api.profile().id, !id.isEmpty else { throw OutlookFailure.unreadable(.profile) }
        // The id stays when the address changes. Nothing was read yet: rounds of changes begin with the content.
        return MailboxProfile(identity: id, messagesTotal: 0, startingCursor: OutlookCursor().cursor)
    }

    func read(ids: [String], cursor: Cursor, phase: SyncPhase, anyDate: Bool) async throws -> ChangeBatch {
        let position = try position(at: cursor)
        let scope = anyDate ? OutlookNormalizer(headers: normalizer.headers, since: nil) : normalizer
        // Not newer than the next batch, whose clock is this one's successor: the cursor stays.
        let outcome = try await reader(position.tree, scope, version: position.clock).read(
            ids.filter(OutlookID.isValid), known: nil)
        var batch = ChangeBatch(origin: .incremental, cursor: cursor, phase: phase)
        batch.take(outcome, order: ids)
        batch.changes.removeAll { change in
            guard case .removed(let id, _) = change else { return false }
            batch.vanished.append(id)
            return true
        }
        CrashPoint.reach(.batchFetched)
        return batch
    }

    // MARK: Cursors

    func position(at cursor: Cursor) throws(SyncFailure) -> OutlookCursor {
        if let last, last.cursor == cursor { return last.position }
        return try OutlookCursor(cursor)
    }

    /// The end of every batch that moves the cursor.
    func handOut(_ batch: ChangeBatch, at position: OutlookCursor) -> ChangeBatch {
        var batch = batch
        var position = position
        position.clock += 1
        batch.cursor = position.cursor
        last = (batch.cursor, position)
        if !position.tree.folders.isEmpty { batch.estimatedTotal = position.tree.messagesInScope }
        CrashPoint.reach(.batchFetched)
        return batch
    }

    // MARK: What can go wrong

    func reader(_ position: OutlookCursor, version: UInt64) -> OutlookReader {
        reader(position.tree, normalizer, version: version)
    }

    func reader(_ tree: FolderTree, _ normalizer: OutlookNormalizer, version: UInt64) -> OutlookReader {
        OutlookReader(
            source: OutlookSource(api: api, normalizer: normalizer, tree: tree, version: version),
            parallelism: batches)
    }

    /// A listing's next link; nil after its last page.
    ///
    /// - Throws: `retry` when the listing does not come to an end.
    func nextLink(_ next: String?, after link: String?, isEmpty: Bool, of listing: String) throws(SyncFailure)
        -> String?
    {
        try guards[listing, default: ListingGuard(provider: OutlookFailure.provider)]
            .next(next, after: link, isEmpty: isEmpty)
    }

    /// Notes that a listing is read from its start.
    ///
    /// - Throws: `failure`, to be tried again later, when this happened too often in one session.
    func noteRestart(of listing: String, _ failure: SyncFailure) throws(SyncFailure) {
        restarts[listing, default: 0] += 1
        if restarts[listing, default: 0] > 3 {
            throw SyncFailure(.retry(after: nil, scope: .account), code: failure.code, failure.message)
        }
    }
}

// MARK: - The tree of folders

extension OutlookSession {
    /// The name of the tree among listings.
    private static let treeListing = "the tree"

    /// Takes in what changed in the tree of folders; the labels, when they may have changed.
    func readTree(_ position: inout OutlookCursor) async throws -> [MailLabel]? {
        while true {
            do {
                return try await followTree(&position)
            } catch let failure as SyncFailure where failure.code == OutlookFailure.Code.linkExpired {
                try noteRestart(of: Self.treeListing, failure)
                position.treeLink = nil
            }
        }
    }

    private func followTree(_ position: inout OutlookCursor) async throws -> [MailLabel]? {
        let isWhole = position.treeLink == nil
        let (entries, deltaLink) = try await folderEntries(from: position.treeLink)
        var tree = position.tree
        var seen: Set<String> = []
        var hasNew = false
        for entry in entries {
            switch entry {
            case .content(let id, let folder):
                hasNew = tree.merge(id, folder) || hasNew
                seen.insert(id)
            case .removed(let id):
                tree.remove(id)
                seen.remove(id)
            case .unreadable: logger.warning("a folder that cannot be read")
            }
        }
        if isWhole { for id in tree.folders.keys where !seen.contains(id) { tree.remove(id) } }
        if isWhole || hasNew {
            let roles = try await api.wellKnownFolders(FolderTree.wellKnownNames)
            // Everything in folders that are not listed would be taken for deleted.
            guard !isWhole || (!seen.isEmpty && seen.isSuperset(of: [roles["inbox"]].compactMap { $0 })) else {
                throw OutlookFailure.unreadable(.tree(linked: false))
            }
            tree.setRoles(roles)
        }
        tree.settle(before: position.tree, clock: position.nextVersion)
        position.tree = tree
        position.treeLink = deltaLink
        return isWhole || !entries.isEmpty ? tree.labels : nil
    }

    private typealias FolderEntry = OutlookWire.Entry<OutlookWire.Folder>

    /// The tree's changes to their end; all of the tree, when there is no link.
    private func folderEntries(from link: String?) async throws -> ([FolderEntry], deltaLink: String?) {
        if walksTree { return (try await walkedFolders(), nil) }
        var entries: [FolderEntry] = []
        var link = link
        while true {
            let page: OutlookAPI.FolderPage
            do {
                page = try await api.folderChanges(link)
            } catch let failure as SyncFailure where failure.code == OutlookFailure.Code.unsupported {
                walksTree = true
                return (try await walkedFolders(), nil)
            }
            entries += page.items
            guard
                let next = try nextLink(
                    page.nextLink, after: link, isEmpty: page.items.isEmpty, of: Self.treeListing)
            else {
                guard let end = page.deltaLink else { throw OutlookFailure.unreadable(.tree(linked: link != nil)) }
                return (entries, end)
            }
            link = next
        }
    }

    /// Every folder, by listing the children of each.
    private func walkedFolders() async throws -> [FolderEntry] {
        var entries: [FolderEntry] = []
        var parents: [String?] = [nil]
        var seen: Set<String> = []
        while let parent = parents.popLast() {
            var link: String?
            repeat {
                let page = try await api.childFolders(of: parent, link)
                for case .content(let id, let folder) in page.items where seen.insert(id).inserted {
                    entries.append(.content(id: id, folder))
                    if folder.childFolderCount ?? 0 > 0 { parents.append(id) }
                }
                link = try nextLink(page.nextLink, after: link, isEmpty: page.items.isEmpty, of: Self.treeListing)
            } while link != nil
        }
        return entries
    }
}
