import Foundation
import MailModel

/// The resume point of a Gmail mailbox: `{"v":1,"historyId":"590000","backfill":{"done":false,"pageToken":"…"},…}`.
struct GmailCursor: Sendable, Hashable, Codable {
    /// How far the mailbox's content was read.
    struct Backfill: Sendable, Hashable, Codable {
        /// The listing's next page; nil is the first.
        var pageToken: String?
        var done = false
    }

    private static let version = 1
    private var v = GmailCursor.version
    private var historyId: String
    var backfill = Backfill()
    /// When the labels were read last; nil: never.
    var labelsReadAt: UnixSeconds?

    /// Changes after this are yet to be read.
    var historyID: UInt64 {
        get { UInt64(historyId) ?? 0 }
        set { historyId = String(newValue) }
    }

    init(historyID: UInt64) { historyId = String(historyID) }

    /// - Throws: `resync` for a document that cannot be read: comparing with the provider makes a new one.
    init(_ cursor: Cursor) throws(SyncFailure) {
        guard let read = try? JSONDecoder().decode(GmailCursor.self, from: Data(cursor.document.utf8)),
            read.v == Self.version, UInt64(read.historyId) != nil
        else {
            throw SyncFailure(.resync, code: "cursor_unreadable", "the stored resume point cannot be read")
        }
        self = read
    }

    /// The same value always has the same text.
    var cursor: Cursor {
        var json = JSONText()
        json.object { json in
            json.field("v", Int64(v))
            json.field("historyId", historyId)
            json.key("backfill")
            json.object { json in
                if let token = backfill.pageToken { json.field("pageToken", token) }
                json.field("done", backfill.done)
            }
            if let labelsReadAt { json.field("labelsReadAt", labelsReadAt) }
        }
        return Cursor(json.text)
    }

    var phase: SyncPhase { backfill.done ? .live : .backfill }
}
