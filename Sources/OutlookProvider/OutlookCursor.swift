import Foundation
import MailModel

/// The resume point of an Outlook mailbox: `{"v":1,"clock":17,"backfilled":true,"tree":"https://…","folders":[{"id":"…"…}]}`,
/// with a place for every folder.
struct OutlookCursor: Sendable, Hashable {
    private static let version = 1

    /// A logical clock, raised by every batch: Graph's messages have no version that grows, so what was read later has the
    /// higher version.
    var clock: UInt64 = 1
    /// Every folder was read to its end once.
    var isBackfilled = false
    /// Where changes of the folder tree go on; nil: it is to be read whole.
    var treeLink: String?
    var tree = FolderTree()

    /// The version of what is read for the next batch.
    var nextVersion: UInt64 { clock + 1 }

    var phase: SyncPhase { isBackfilled ? .live : .backfill }

    init() {}

    /// - Throws: `resync` for a document that cannot be read: comparing with the provider makes a new one.
    init(_ cursor: Cursor) throws(SyncFailure) {
        guard let read = try? JSONDecoder().decode(Document.self, from: Data(cursor.document.utf8)),
            read.v == Self.version
        else {
            throw SyncFailure(.resync, code: "cursor_unreadable", "the stored resume point cannot be read")
        }
        clock = read.clock
        isBackfilled = read.backfilled
        treeLink = read.tree
        tree = FolderTree(read.folders)
    }

    private struct Document: Decodable {
        var v: Int
        var clock: UInt64
        var backfilled: Bool
        var tree: String?
        var folders: [OutlookFolder]
    }

    /// The same value always has the same text.
    var cursor: Cursor {
        var json = JSONText()
        json.object { json in
            json.field("v", Int64(Self.version))
            json.field("clock", Int64(clamping: clock))
            json.field("backfilled", isBackfilled)
            if let treeLink { json.field("tree", treeLink) }
            json.key("folders")
            json.array(tree.folders.values.sorted { $0.id < $1.id }) { json, folder in folder.write(to: &json) }
        }
        return Cursor(json.text)
    }
}

extension OutlookFolder: Decodable {
    private enum Key: String, CodingKey {
        case id, parent, name, isHidden = "hidden", isSearch = "search", role, total, label, oldLabels, relabelBelow
        case state, link, isLight = "light", isRepair = "repair", start, sweptTo
        case checkedAt = "checked", changedAt = "changed"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        self.init(id: try container.decode(String.self, forKey: .id))
        parent = try container.decodeIfPresent(String.self, forKey: .parent)
        name = try container.decode(String.self, forKey: .name)
        isHidden = try container.decodeIfPresent(Bool.self, forKey: .isHidden) ?? false
        isSearch = try container.decodeIfPresent(Bool.self, forKey: .isSearch) ?? false
        role = try container.decodeIfPresent(String.self, forKey: .role)
        total = try container.decodeIfPresent(Int64.self, forKey: .total) ?? 0
        label = try container.decode(String.self, forKey: .label)
        oldLabels = try container.decodeIfPresent([String].self, forKey: .oldLabels) ?? []
        relabelBelow = try container.decodeIfPresent(UInt64.self, forKey: .relabelBelow) ?? 0
        state = try container.decode(State.self, forKey: .state)
        link = try container.decodeIfPresent(String.self, forKey: .link)
        isLight = try container.decodeIfPresent(Bool.self, forKey: .isLight) ?? false
        isRepair = try container.decodeIfPresent(Bool.self, forKey: .isRepair) ?? false
        start = try container.decodeIfPresent(UInt64.self, forKey: .start) ?? 0
        sweptTo = try container.decodeIfPresent(String.self, forKey: .sweptTo)
        checkedAt = try container.decodeIfPresent(Int64.self, forKey: .checkedAt)
        changedAt = try container.decodeIfPresent(Int64.self, forKey: .changedAt)
    }

    /// What has its usual value is left out.
    fileprivate func write(to json: inout JSONText) {
        json.object { json in
            json.field("id", id)
            if let parent { json.field("parent", parent) }
            json.field("name", name)
            if isHidden { json.field("hidden", true) }
            if isSearch { json.field("search", true) }
            if let role { json.field("role", role) }
            if total > 0 { json.field("total", total) }
            json.field("label", label)
            if !oldLabels.isEmpty {
                json.field("oldLabels", oldLabels)
                json.field("relabelBelow", Int64(clamping: relabelBelow))
            }
            json.field("state", state.rawValue)
            if let link { json.field("link", link) }
            if isLight { json.field("light", true) }
            if isRepair { json.field("repair", true) }
            if start > 0 { json.field("start", Int64(clamping: start)) }
            if let sweptTo { json.field("sweptTo", sweptTo) }
            if let checkedAt { json.field("checked", checkedAt) }
            if let changedAt { json.field("changed", changedAt) }
        }
    }
}
