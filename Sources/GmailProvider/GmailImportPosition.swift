import Foundation
import MailModel

/// Where an import of a Gmail mailbox stands: the selected labels are listed one after the other.
struct GmailImportPosition: Codable, Sendable, Hashable {
    /// Stands for no label: all messages are listed.
    static let everything = ""

    /// Labels still to be listed, the present one first.
    var labels: [String]
    /// The present page of the present label; nil is the first.
    var pageToken: String?
    /// Messages on the label's pages before the present one.
    var before = 0
    /// Messages of the present page that were accounted for.
    var onPage = 0
    /// The next so many were accounted for already: the listing was begun anew.
    var repeated = 0

    init(labels: [String]) { self.labels = labels }

    /// - Returns: nil when the document is not one of ours.
    init?(_ cursor: Cursor) {
        // What cannot be read begins anew: what is known costs nothing.
        guard let read = try? JSONDecoder().decode(Self.self, from: Data(cursor.document.utf8)) else { return nil }
        self = read
    }

    /// The same value always has the same text; nil: everything was listed.
    var cursor: Cursor? {
        if labels.isEmpty { return nil }
        var json = JSONText()
        json.object { json in
            json.field("labels", labels)
            if let pageToken { json.field("pageToken", pageToken) }
            json.field("before", Int64(before))
            json.field("onPage", Int64(onPage))
            json.field("repeated", Int64(repeated))
        }
        return Cursor(json.text)
    }

    /// The label to be listed; nil lists all messages.
    var label: String? { labels.first.flatMap { $0 == Self.everything ? nil : $0 } }

    /// So many messages were accounted for.
    ///
    /// - Returns: how many of them for the first time.
    mutating func advance(_ count: Int) -> Int {
        onPage += count
        let again = min(repeated, count)
        repeated -= again
        return count - again
    }

    /// The present page is over.
    mutating func leavePage(next: String?) {
        if next == nil {
            labels.removeFirst()
            before = 0
            repeated = 0
        } else {
            before += onPage
        }
        onPage = 0
        pageToken = next
    }

    /// The present page is listed again.
    mutating func beginPageAnew() {
        repeated += onPage
        onPage = 0
    }

    /// The present label is listed again from its first page.
    mutating func beginLabelAnew() {
        beginPageAnew()
        repeated += before
        before = 0
        pageToken = nil
    }
}
