/// The folder tree.
extension OutlookMailbox {
    /// Well-known name, display name and label of the folders every mailbox has below the root.
    private static let standardFolders = [
        ("inbox", "Inbox"), ("drafts", "Drafts"), ("sentitems", "Sent Items"), ("deleteditems", "Deleted Items"),
        ("junkemail", "Junk Email"), ("archive", "Archive"), ("outbox", "Outbox"),
        ("conversationhistory", "Conversation History"),
    ]

    mutating func makeStandardFolders() {
        makeFolder("Top of Information Store", in: Self.rootKey, wellKnownName: "msgfolderroot")
        for (wellKnownName, name) in Self.standardFolders {
            makeFolder(name, in: Self.rootKey, wellKnownName: wellKnownName)
        }
        makeFolder("Working Set", in: Self.rootKey, isHidden: true)
        makeFolder("Unread Mail", in: Self.rootKey, isSearch: true)
        let outside = makeKey()
        makeFolder("Deletions", in: outside, wellKnownName: "recoverableitemsdeletions", isHidden: true)
    }

    @discardableResult
    private mutating func makeFolder(
        _ name: String, in parent: Int, wellKnownName: String? = nil, isHidden: Bool = false, isSearch: Bool = false
    ) -> Int {
        let key = makeKey()
        tick()
        folders[key] = OutlookFolder(
            key: key, name: name, parent: parent, wellKnownName: wellKnownName, isHidden: isHidden,
            isSearch: isSearch, createdAt: clock, changedAt: clock)
        return key
    }

    /// - Throws: ``EmulatorError/folderExists(_:)`` when the parent has one of that name.
    mutating func createFolder(_ name: String, in parent: Int, isHidden: Bool) throws(EmulatorError) -> Int {
        try checkName(name, in: parent)
        return makeFolder(name, in: parent, isHidden: isHidden)
    }

    mutating func renameFolder(_ key: Int, to name: String) throws(EmulatorError) {
        guard let folder = folders[key] else { throw .noFolder(name) }
        try checkName(name, in: folder.parent)
        tick()
        folders[key]?.name = name
        folders[key]?.changedAt = clock
    }

    mutating func moveFolder(_ key: Int, to parent: Int) throws(EmulatorError) {
        guard let folder = folders[key], folder.wellKnownName == nil, !ancestors(of: parent).contains(key) else {
            throw .noFolder(folders[key]?.name ?? "")
        }
        try checkName(folder.name, in: parent)
        tick()
        folders[key]?.parent = parent
        folders[key]?.changedAt = clock
    }

    /// Removes a folder with all that is in it, for good.
    mutating func deleteFolder(_ key: Int) throws(EmulatorError) {
        guard let folder = folders[key], folder.wellKnownName == nil else { throw .noFolder(folders[key]?.name ?? "") }
        for child in folders.values.filter({ $0.parent == key }).map(\.key).sorted() { try deleteFolder(child) }
        for position in folder.order { try delete(position.key) }
        tick()
        folders[key] = nil
        removedFolders.append(
            FolderRemoval(clock: clock, key: key, createdAt: folder.createdAt, isHidden: folder.isHidden))
    }

    /// Makes delta tokens given so far too old: of one folder's messages, or of everything.
    mutating func expireDelta(folder: Int?) {
        tick()
        if let folder {
            folders[folder]?.floor = clock
        } else {
            for key in folders.keys { folders[key]?.floor = clock }
            folderFloor = clock
        }
    }

    /// The folder that a well-known name, an id or a path of display names leads to.
    func folder(_ name: String) -> OutlookFolder? {
        if let item = ItemID(name, salt: salt), item.kind == .folder { return folders[item.key] }
        let wellKnown = name.lowercased() == "root" ? "msgfolderroot" : name.lowercased()
        if let folder = folders.values.first(where: { $0.wellKnownName == wellKnown }) { return folder }
        return folders.values.first { $0.key != Self.rootKey && path(of: $0.key) == name }
    }

    /// Folders directly below one, as they are listed.
    func children(of key: Int) -> [OutlookFolder] {
        folders.values.filter { $0.parent == key && $0.key != key }.sorted { ($0.name, $0.key) < ($1.name, $1.key) }
    }

    /// Folders below the root that hold messages, in the order of their keys.
    var treeFolders: [OutlookFolder] {
        folders.values.filter { !$0.isSearch && isInTree($0.key) }.sorted { $0.key < $1.key }
    }

    /// Where all messages of the tree are, oldest first.
    var positions: [ListPosition] { treeFolders.flatMap(\.order).sorted() }

    func id(ofFolder key: Int) -> String { ItemID(key: key, kind: .folder).text(salt: salt) }

    /// Display names from below the root, joined with `/`; in a name `/` is written `\/` and `\` is written `\\`.
    func path(of key: Int) -> String {
        ancestors(of: key).reversed().compactMap { folders[$0]?.name }
            .map { $0.replacing("\\", with: "\\\\").replacing("/", with: "\\/") }.joined(separator: "/")
    }

    /// Whether the root leads to the folder.
    func isInTree(_ key: Int) -> Bool {
        guard let top = ancestors(of: key).last else { return true }
        return folders[top]?.parent == Self.rootKey
    }

    /// The folder and what it is in, without the root.
    private func ancestors(of key: Int) -> [Int] {
        var keys: [Int] = []
        var next = key
        while next != Self.rootKey, let folder = folders[next], !keys.contains(next) {
            keys.append(next)
            next = folder.parent
        }
        return keys
    }

    private func checkName(_ name: String, in parent: Int) throws(EmulatorError) {
        guard folders[parent] != nil, !name.isEmpty else { throw .noFolder(name) }
        if children(of: parent).contains(where: { $0.name.lowercased() == name.lowercased() }) {
            throw .folderExists(name)
        }
    }
}
