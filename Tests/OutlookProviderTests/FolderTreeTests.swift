import MailModel
import ProviderClient
import Testing

@testable import OutlookProvider

@Suite struct FolderTreeTests {
    private func tree(_ folders: [(id: String, parent: String?, name: String, role: String?)]) throws -> FolderTree {
        var tree = FolderTree()
        for folder in folders {
            var wire = OutlookWire.Folder()
            wire.parentFolderId = folder.parent
            wire.displayName = folder.name
            _ = tree.merge(folder.id, wire)
            if let role = folder.role { tree.setRoles([role: folder.id]) }
        }
        tree.settle(before: FolderTree(), clock: 2)
        return tree
    }

    private func usual() throws -> FolderTree {
        try tree([
            ("i", "root", "Posteingang", "inbox"), ("p", "i", "Projects", nil), ("s", "root", "Sent", "sentitems"),
            ("t", "root", "Trash", "deleteditems"), ("u", "t", "Old", nil), ("a", "root", "INBOX", nil),
            ("c", "root", "Chats", "conversationhistory"), ("d", "c", "Teams Chat", nil), ("o", "root", "A/B\\C", nil),
        ])
    }

    @Test func labels() throws {
        let tree = try usual()
        let labels = Dictionary(uniqueKeysWithValues: tree.folders.map { ($0.key, $0.value.label) })
        #expect(
            labels == [
                "i": "INBOX", "p": "Posteingang/Projects", "s": "SENT", "t": "TRASH", "u": "Trash/Old",
                "a": "folder:INBOX", "c": "Chats", "d": "Chats/Teams Chat", "o": "A\\/B\\\\C",
            ])
        #expect(tree.labels.count == 9 && tree.labels == tree.labels.sorted { $0.id < $1.id })
    }

    @Test func scopeAndOrder() throws {
        let tree = try usual()
        #expect(Set(tree.folders.keys.filter(tree.isInScope)) == ["i", "p", "s", "a", "o"])
        #expect(tree.inOrder.map(\.id).prefix(2) == ["i", "s"])
        #expect(Set(tree.inOrder.map(\.id).suffix(4)) == ["t", "u", "c", "d"])
        #expect(tree.folders.values.allSatisfy { $0.isLight != tree.isInScope($0.id) })
    }

    @Test func aLoopOfFoldersEnds() throws {
        let tree = try tree([("a", "b", "A", nil), ("b", "a", "B", nil), ("c", "c", "C", nil)])
        #expect(tree["a"]?.label == "B/A" && tree["c"]?.label == "C" && tree.isInScope("a"))
    }

    @Test func updatesNameWhatChangedOnly() throws {
        var tree = try usual()
        tree["p"]?.state = .current
        let before = tree
        var wire = OutlookWire.Folder()
        wire.displayName = "Plans"
        let isNew = tree.merge("p", wire)
        #expect(!isNew)
        tree.settle(before: before, clock: 9)
        #expect(tree["p"]?.parent == "i" && tree["p"]?.label == "Posteingang/Plans")
        #expect(tree["p"]?.oldLabels == ["Posteingang/Projects"] && tree["p"]?.relabelBelow == 9)
        // And back, before anything was done about it.
        let renamed = tree
        wire.displayName = "Projects"
        _ = tree.merge("p", wire)
        tree.settle(before: renamed, clock: 12)
        #expect(tree["p"]?.oldLabels == ["Posteingang/Plans"] && tree["p"]?.relabelBelow == 12)
    }

    @Test func aFolderThatComesIntoScopeIsReadAgain() throws {
        var tree = try usual()
        for id in ["u", "p"] {
            tree[id]?.state = .current
            tree[id]?.link = "x"
        }
        let before = tree
        var wire = OutlookWire.Folder()
        wire.parentFolderId = "root"
        _ = tree.merge("u", wire)
        wire.parentFolderId = "t"
        _ = tree.merge("p", wire)
        tree.settle(before: before, clock: 9)
        #expect(tree["u"]?.state == .waiting && tree["u"]?.link == nil && tree["u"]?.isLight == false)
        #expect(tree["p"]?.state == .current && !tree.isInScope("p"))
    }

    @Test func searchAndGoneFoldersAreNoPlaces() throws {
        var tree = try usual()
        var wire = OutlookWire.Folder()
        wire.displayName = "Unread"
        wire.type = "#microsoft.graph.mailSearchFolder"
        _ = tree.merge("x", wire)
        tree.remove("p")
        #expect(tree.place("x") == nil && tree.place("p") == nil && tree.place(nil) == nil && tree.place("y") == nil)
        #expect(!tree.inOrder.map(\.id).contains("x"))
        #expect(tree["p"]?.state == .gone && tree["p"]?.sweptTo == "")
    }

    @Test func messagesOfARenamedFolder() {
        typealias Labels = OutlookLabels
        #expect(Labels.renamed(["Old", "UNREAD"], from: ["Old"], to: "New") == ["New", "UNREAD"])
        #expect(Labels.renamed(["New", "Old"], from: ["Old"], to: "New") == ["New", "category:New"])
        #expect(Labels.renamed(["Old", "category:Old"], from: ["Old"], to: "New") == ["New", "Old"])
        #expect(Labels.renamed(["B"], from: ["A", "B"], to: "C") == ["C"])
    }

    @Test func cursorsKeepEverything() throws {
        var position = OutlookCursor()
        position.clock = 77
        position.isBackfilled = true
        position.treeLink = "https://graph.microsoft.com/v1.0/me/mailFolders/delta?$deltatoken=a/b\"c"
        position.tree = try usual()
        position.tree["p"]?.state = .walking
        position.tree["p"]?.link = "https://x/"
        position.tree["p"]?.isRepair = true
        position.tree["p"]?.start = 5
        position.tree["p"]?.sweptTo = ""
        position.tree["p"]?.oldLabels = ["x", "y"]
        position.tree["p"]?.relabelBelow = 6
        position.tree["u"]?.isHidden = true
        position.tree["u"]?.isSearch = true
        position.tree["u"]?.total = 12
        let cursor = position.cursor
        #expect(try OutlookCursor(cursor) == position)
        #expect(try OutlookCursor(cursor).cursor == cursor)
        for text in ["", "{}", "{\"v\":1}", "{\"v\":2,\"clock\":1,\"backfilled\":true,\"folders\":[]}", "[]"] {
            let failure = #expect(throws: SyncFailure.self) { try OutlookCursor(Cursor(text)) }
            #expect(failure?.decision == .resync)
        }
    }
}
