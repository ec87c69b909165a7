import MailModel

/// A folder of the mailbox, and how far its messages were read.
struct OutlookFolder: Sendable, Hashable {
    enum State: String, Sendable, Hashable, Decodable {
        /// Nothing was read yet.
        case waiting
        /// Its content is being read.
        case walking
        /// Its content was read; only changes are.
        case current
        /// It no longer exists: its messages are looked for.
        case gone
    }

    let id: String
    var parent: String?
    var name = ""
    var isHidden = false
    var isSearch = false
    /// Graph's well-known name.
    var role: String?
    var total: Int64 = 0
    /// The label its messages get.
    var label = ""
    /// Labels its messages may still have, from before it was renamed or moved.
    var oldLabels: [String] = []
    /// Messages read before this still have one of ``oldLabels``.
    var relabelBelow: UInt64 = 0

    var state = State.waiting
    /// Where to go on reading; nil is the start.
    var link: String?
    /// It is read with what labels are made of, and nothing else.
    var isLight = false
    /// It was read before: this time differences are looked for.
    var isRepair = false
    /// The clock when the present walk began: messages read before it, and not since, may be gone.
    var start: UInt64 = 0
    /// How far those messages were looked through, by id; nil when that is done.
    var sweptTo: String?
    /// When it was last read to its end, in Unix milliseconds; nil: never.
    var checkedAt: Int64?
    /// When it last told of a change, in Unix milliseconds.
    var changedAt: Int64?

    init(id: String) { self.id = id }

    /// Has its place in the tree, but its messages are of no interest.
    var isRead: Bool { !isSearch && state != .gone }
}

/// The mailbox's folders. Pure.
struct FolderTree: Sendable, Hashable {
    /// By id.
    private(set) var folders: [String: OutlookFolder] = [:]

    /// Where a message lies.
    struct Place: Sendable, Hashable {
        var folder: String
        var label: String
        var isInScope: Bool
    }

    init(_ folders: [OutlookFolder] = []) {
        self.folders = Dictionary(folders.map { ($0.id, $0) }) { $1 }
    }

    subscript(_ id: String) -> OutlookFolder? {
        get { folders[id] }
        set { folders[id] = newValue }
    }

    /// Names asked for to learn the folders' roles. (`msgfolderroot` is the top of the tree itself.)
    static let wellKnownNames =
        OutlookLabels.roles.keys.sorted() + outOfScopeRoles.subtracting(OutlookLabels.roles.keys).sorted()

    /// Roles whose folders hold nothing that is received: spam, trash, drafts, chats, what is on its way out, and what
    /// clients note about their own synchronisation.
    private static let outOfScopeRoles: Set = [
        "deleteditems", "junkemail", "drafts", "outbox", "conversationhistory", "syncissues", "conflicts",
        "localfailures", "serverfailures", "recoverableitemsdeletions",
    ]

    /// Takes in what Graph says of a folder; properties that are not named keep their value. True when it is new.
    mutating func merge(_ id: String, _ wire: OutlookWire.Folder) -> Bool {
        let known = folders[id]
        var folder = known ?? OutlookFolder(id: id)
        folder.name = wire.displayName ?? folder.name
        folder.parent = wire.parentFolderId ?? folder.parent
        folder.isHidden = wire.isHidden ?? folder.isHidden
        folder.total = max(0, wire.totalItemCount ?? folder.total)
        folder.isSearch = folder.isSearch || wire.isSearch
        if folder.state == .gone { folder.restart(light: false) }
        folders[id] = folder
        return known == nil
    }

    /// The folder does not exist any more; its messages are looked for.
    mutating func remove(_ id: String) {
        guard folders[id] != nil else { return }
        folders[id]?.state = .gone
        folders[id]?.link = nil
        folders[id]?.sweptTo = ""
    }

    mutating func forget(_ id: String) { folders[id] = nil }

    mutating func setRoles(_ ids: [String: String]) {
        for (name, id) in ids where folders[id] != nil { folders[id]?.role = name }
    }

    // MARK: Names and scope

    /// The folder and those above it, the nearest first; ends where the tree does.
    private func lineage(_ id: String) -> [OutlookFolder] {
        var line: [OutlookFolder] = []
        var next: String? = id
        while let id = next, let folder = folders[id], !line.contains(where: { $0.id == id }) {
            line.append(folder)
            next = folder.parent
        }
        return line
    }

    private func names(_ id: String) -> [String] {
        lineage(id).reversed().map { $0.name.isEmpty ? $0.id : $0.name }
    }

    private func label(_ folder: OutlookFolder) -> String {
        folder.role.flatMap { OutlookLabels.roles[$0] } ?? OutlookLabels.path(names(folder.id))
    }

    /// Whether messages in it are received: neither it nor a folder above it is hidden or has one of the roles that are not.
    func isInScope(_ id: String) -> Bool {
        lineage(id).allSatisfy { folder in
            !folder.isHidden && !folder.isSearch && !Self.outOfScopeRoles.contains(folder.role ?? "")
        }
    }

    func place(_ id: String?) -> Place? {
        guard let id, let folder = folders[id], folder.isRead else { return nil }
        return Place(folder: id, label: folder.label, isInScope: isInScope(id))
    }

    /// Gives every folder the label it has by now. Messages of a folder whose label changed get the new one; a folder that
    /// came into scope is read again.
    ///
    /// - Parameter before: the tree before the changes.
    mutating func settle(before: FolderTree, clock: UInt64) {
        for id in folders.keys.sorted() {
            guard var folder = folders[id], folder.isRead else { continue }
            let label = label(folder)
            if folder.state != .waiting, label != folder.label {
                folder.oldLabels = (folder.oldLabels + [folder.label]).filter { $0 != label }
                folder.relabelBelow = clock
            }
            folder.label = label
            let isInScope = isInScope(id)
            if before.folders[id] == nil {
                folder.isLight = !isInScope
            } else if isInScope, !before.isInScope(id) {
                folder.restart(light: false)
            }
            folders[id] = folder
        }
    }

    /// The mailbox's labels as they are announced: one for each folder, by label.
    var labels: [MailLabel] {
        var labels: [String: MailLabel] = [:]
        for id in folders.keys.sorted() {
            guard let folder = folders[id], folder.isRead, labels[folder.label] == nil else { continue }
            let isSystem = folder.role.flatMap { OutlookLabels.roles[$0] } != nil
            labels[folder.label] = MailLabel(
                id: folder.label, name: names(id).map(OutlookLabels.printable).joined(separator: "/"),
                type: isSystem ? "system" : "user")
        }
        return labels.values.sorted { $0.id < $1.id }
    }

    /// Messages in scope, as far as the folders' counts say.
    var messagesInScope: Int {
        Int(clamping: folders.values.filter { $0.isRead && isInScope($0.id) }.reduce(0) { $0 &+ $1.total })
    }

    // MARK: Order

    /// Folders to be asked by a pass that nobody asked for: those that are due, and those with unfinished work.
    func due(_ schedule: FolderSchedule, at now: Int64) -> [OutlookFolder] {
        inOrder.filter { folder in
            folder.isUnfinished
                || schedule.isDue(
                    scheduleRole(folder.id), label: folder.label, checkedAt: folder.checkedAt,
                    changedAt: folder.changedAt, at: now)
        }
    }

    /// What the folder is for; folders in an archive are one, too.
    private func scheduleRole(_ id: String) -> FolderSchedule.Role {
        let line = lineage(id)
        switch line.first?.role {
        case "inbox": return .inbox
        case "sentitems": return .sent
        case "drafts": return .drafts
        default: return line.contains { $0.role == "archive" } ? .archive : .other
        }
    }

    /// Folders whose messages are read, in the order of interest: the inbox, what was sent, the archive, the rest, and what is
    /// out of scope last.
    var inOrder: [OutlookFolder] {
        let ranked = folders.values.filter(\.isRead).map { (rank: rank($0), folder: $0) }
        return ranked.sorted { ($0.rank, $0.folder.id) < ($1.rank, $1.folder.id) }.map(\.folder)
    }

    private func rank(_ folder: OutlookFolder) -> Int {
        guard isInScope(folder.id) else { return 4 }
        switch folder.role {
        case "inbox": return 0
        case "sentitems": return 1
        case "archive": return 2
        default: return 3
        }
    }
}

extension OutlookFolder {
    /// There is more to do than to ask it for changes.
    fileprivate var isUnfinished: Bool { state != .current || isRepair || sweptTo != nil || !oldLabels.isEmpty }

    /// Reads it again from the start.
    mutating func restart(light: Bool) {
        state = .waiting
        link = nil
        sweptTo = nil
        start = 0
        isLight = light
    }
}
