import Foundation
import MailModel
import ProviderClient

/// Where a listing of the mailbox stands: first the labels that are out of scope, one after the other, then everything
/// but spam and trash; last what is older than `since`, which imports may have brought in.
struct ListingPosition: Codable, Sendable, Hashable {
    /// Labels still to be listed, the present one first.
    var labels: [String]
    var pageToken: String?
    var isOlder: Bool?

    static let start = ListingPosition(labels: GmailNormalizer.outOfScopeLabels.sorted())

    /// - Throws: `retry` from the start, when the document is not one of ours.
    init(_ cursor: Cursor) throws(SyncFailure) {
        guard let position = try? JSONDecoder().decode(Self.self, from: Data(cursor.document.utf8)) else {
            throw SyncFailure(
                .restartListing, code: "listing_position", "the position in the listing cannot be read")
        }
        self = position
    }

    private init(labels: [String]) { self.labels = labels }

    var cursor: Cursor {
        var json = JSONText()
        json.object { json in
            json.field("labels", labels)
            if let pageToken { json.field("pageToken", pageToken) }
            if let isOlder { json.field("isOlder", isOlder) }
        }
        return Cursor(json.text)
    }
}

extension GmailSession {
    func list(from position: Cursor?) async throws -> MailboxListing {
        var at = try position.map { cursor throws(SyncFailure) in try ListingPosition(cursor) } ?? .start
        if at.isOlder == true { return try await listOlder(at) }
        let label = at.labels.first
        let list: GmailWire.MessageList
        if let label {
            list = try await api.list(.init(pageToken: at.pageToken, label: label, includesSpamAndTrash: true))
        } else {
            list = try await self.list(.init(pageToken: at.pageToken))
        }
        let listed = ids(of: list)
        let next = try nextToken(list, after: at.pageToken)
        at.pageToken = next
        if next == nil, label != nil { at.labels.removeFirst() }
        var isLast = next == nil && label == nil
        if isLast, narrowsListings {
            at.isOlder = true
            isLast = false
        }
        return MailboxListing(
            inScope: label == nil ? listed : [], outOfScope: label == nil ? [] : listed, next: isLast ? nil : at.cursor)
    }

    /// Exists, but would not be received if it were new.
    private func listOlder(_ at: ListingPosition) async throws -> MailboxListing {
        var at = at
        let list = try await api.list(.init(pageToken: at.pageToken, until: since.map { $0 - 1 }))
        at.pageToken = try nextToken(list, after: at.pageToken)
        return MailboxListing(outOfScope: ids(of: list), next: at.pageToken == nil ? nil : at.cursor)
    }
}
