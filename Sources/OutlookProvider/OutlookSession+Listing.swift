import Foundation
import MailModel
import ProviderClient

/// Where a listing of the mailbox stands: one folder after the other.
private struct ListingPosition: Codable {
    struct Folder: Codable {
        var id: String
        var isInScope: Bool
    }
    /// Folders still to be listed, the present one first.
    var folders: [Folder]
    var link: String?

    init(_ tree: FolderTree) {
        folders = tree.inOrder.map { Folder(id: $0.id, isInScope: tree.isInScope($0.id)) }
    }

    /// - Throws: `restartListing`, when the document is not one of ours.
    init(_ cursor: Cursor) throws(SyncFailure) {
        guard let read = try? JSONDecoder().decode(Self.self, from: Data(cursor.document.utf8)) else {
            throw SyncFailure(
                .restartListing, code: "listing_position", "the position in the listing cannot be read")
        }
        self = read
    }

    var cursor: Cursor {
        var json = JSONText()
        json.object { json in
            json.key("folders")
            json.array(folders) { json, folder in
                json.object { json in
                    json.field("id", folder.id)
                    json.field("isInScope", folder.isInScope)
                }
            }
            if let link { json.field("link", link) }
        }
        return Cursor(json.text)
    }
}

extension OutlookSession {
    /// Lists by rounds of changes that nobody follows: pages by offset would skip messages while others move.
    func list(from position: Cursor?) async throws -> MailboxListing {
        var at: ListingPosition
        if let position {
            at = try ListingPosition(position)
        } else {
            var mailbox = OutlookCursor()
            _ = try await readTree(&mailbox)
            at = ListingPosition(mailbox.tree)
        }
        guard let folder = at.folders.first else { return MailboxListing() }
        var listing = MailboxListing()
        do {
            let page = try await api.messageChanges(in: folder.id, at.link, .ids)
            listing.take(page, isInScope: folder.isInScope)
            at.link = try nextLink(
                page.nextLink, after: at.link, isEmpty: page.items.isEmpty, of: "the listing of \(folder.id)")
        } catch let failure as SyncFailure where failure.code == OutlookFailure.Code.folderGone {
            at.link = nil
        } catch let failure as SyncFailure where failure.code == OutlookFailure.Code.linkExpired {
            // From the folder's start: what is listed twice is listed once.
            try noteRestart(of: folder.id, failure)
            at.link = nil
            listing.next = at.cursor
            return listing
        }
        if at.link == nil { at.folders.removeFirst() }
        listing.next = at.folders.isEmpty ? nil : at.cursor
        return listing
    }
}

extension MailboxListing {
    fileprivate mutating func take(_ page: OutlookAPI.MessagePage, isInScope: Bool) {
        for entry in page.items {
            switch entry {
            case .content(let id, let listed) where isInScope && listed.message.isDraft != true: inScope.append(id)
            case .content(let id, _): outOfScope.append(id)
            // What cannot be read here may be readable alone.
            case .unreadable(let id?) where isInScope: inScope.append(id)
            case .removed, .unreadable: break
            }
        }
    }
}
