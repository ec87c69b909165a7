import Foundation
import MailModel

/// Where an import of an Outlook mailbox stands: the selected folders are read one after the other, downwards in time. Only
/// the date is needed to go on, however long afterwards: pages by offset would skip messages while others move, and links
/// expire.
struct OutlookImportPosition: Codable, Sendable, Hashable {
    struct Folder: Codable, Sendable, Hashable {
        var id: String
        var label: String
    }
    /// Folders still to be read, the present one first.
    var folders: [Folder]
    /// Messages dated at or after this were read; nil: none yet.
    var before: UnixSeconds?
    /// Messages dated in the second before ``before`` that were accounted for already.
    var seen: [String] = []
    /// Only where a page is full of messages of one second: how it goes on.
    var link: String?

    init(folders: [Folder]) { self.folders = folders }

    /// - Returns: nil when the document is not one of ours.
    init?(_ cursor: Cursor) {
        // What cannot be read begins anew: what is known costs nothing.
        guard let read = try? JSONDecoder().decode(Self.self, from: Data(cursor.document.utf8)) else { return nil }
        self = read
    }

    /// The same value always has the same text; nil: everything was read.
    var cursor: Cursor? {
        if folders.isEmpty { return nil }
        var json = JSONText()
        json.object { json in
            json.key("folders")
            json.array(folders) { json, folder in
                json.object { json in
                    json.field("id", folder.id)
                    json.field("label", folder.label)
                }
            }
            if let before { json.field("before", before) }
            json.field("seen", seen)
            if let link { json.field("link", link) }
        }
        return Cursor(json.text)
    }

    /// What the next page is asked for.
    func filter(_ selection: MailSelection) -> [String] {
        let end = [before, selection.until].compactMap { $0 }.min()
        return [
            selection.from.map { "receivedDateTime ge \(GraphTime.timestamp($0))" },
            end.map { "receivedDateTime lt \(GraphTime.timestamp($0))" },
        ].compactMap { $0 }
    }

    /// A page was accounted for: goes on below its last date, or to the next folder.
    ///
    /// - Parameters:
    ///   - dates: of the page's messages, by id, as far as they have one.
    ///   - next: its link to the next page; nil when it was the last.
    mutating func leavePage(_ dates: [String: UnixSeconds], next: String?) {
        guard let next else { return leaveFolder() }
        guard let last = dates.values.min(), last + 1 < before ?? .max else {
            link = next
            seen += dates.keys.sorted()
            return
        }
        before = last + 1
        seen = dates.filter { $0.value == last }.keys.sorted()
        link = nil
    }

    mutating func leaveFolder() {
        folders.removeFirst()
        before = nil
        seen = []
        link = nil
    }
}
