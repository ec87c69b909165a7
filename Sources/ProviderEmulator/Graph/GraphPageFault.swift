import MailModel

/// Something odd about a page of a Graph collection.
public enum GraphPageFault: Sendable, Hashable {
    /// Every entry twice.
    case repeatItems
    /// A present message is also told as removed, before or after its entry.
    case removedThenReadded
    case readdedThenRemoved
    /// The deltaLink has `$skiptoken`.
    case skipTokenInDeltaLink
    /// As many entries as there are, whatever was asked for.
    case ignorePageSize
    /// Changed messages have their changed properties only.
    case changedPropertiesOnly
    /// The nextLink leads to the same page, without end.
    case endlessLink
    /// The links lead to another server, given as `http://HOST`.
    case foreignLink(String)
    /// The first entry has values of wrong types, or no id.
    case wrongTypes
    case missingID
    /// The entry with this id has values of wrong types, whenever it is there.
    case damagedItem(id: String)
    /// Neither nextLink nor deltaLink.
    case noLink
    /// Both.
    case bothLinks

    /// By the names that the admin API and the command line use.
    static let named: [String: GraphPageFault] = [
        "repeat": .repeatItems, "removed-readded": .removedThenReadded, "readded-removed": .readdedThenRemoved,
        "skiptoken": .skipTokenInDeltaLink, "ignore-page-size": .ignorePageSize, "partial": .changedPropertiesOnly,
        "endless": .endlessLink, "wrong-types": .wrongTypes, "missing-id": .missingID, "no-link": .noLink,
        "both-links": .bothLinks,
    ]

    /// What stands in place of a message.
    var malformedItem: [UInt8]? {
        switch self {
        case .wrongTypes:
            Array(
                """
                {"@odata.etag":7,"id":{"id":1},"subject":["x"],"from":"x","isRead":"maybe","receivedDateTime":0,\
                "categories":"none","flag":"flagged","parentFolderId":false}
                """.utf8)
        case .missingID: Array("{\"@odata.etag\":\"W/\\\"x\\\"\",\"subject\":\"who?\"}".utf8)
        default: nil
        }
    }

    /// Tells the first of these messages as removed too.
    func alter(_ page: inout GraphPage, messages ids: [String]) {
        guard let id = ids.first else { return }
        switch self {
        case .removedThenReadded: page.items.insert(GraphCall.removed(id, type: "message", reason: "changed"), at: 0)
        case .readdedThenRemoved: page.items.append(GraphCall.removed(id, type: "message", reason: "changed"))
        default: break
        }
    }
}

extension GraphCall {
    /// The page as a fault wants it.
    func faulty(_ page: GraphPage) -> GraphPage {
        guard case .page(let fault) = fault else { return page }
        var page = page
        switch fault {
        case .repeatItems: page.items += page.items
        case .endlessLink:
            page.nextLink = request.origin + request.target
            page.deltaLink = nil
        case .foreignLink(let origin):
            page.nextLink = page.nextLink?.replacing(request.origin, with: origin)
            page.deltaLink = page.deltaLink?.replacing(request.origin, with: origin)
        case .wrongTypes, .missingID:
            if let item = fault.malformedItem { page.items = [item] + page.items.dropFirst() }
        case .damagedItem(let id):
            let key = Array("\"id\":\"\(id)\"".utf8)
            let damaged = Array("{\"id\":\"\(id)\",\"subject\":[\"x\"],\"isRead\":\"maybe\"}".utf8)
            page.items = page.items.map { $0.firstRange(of: key) == nil ? $0 : damaged }
        case .noLink:
            page.nextLink = nil
            page.deltaLink = nil
        case .bothLinks:
            page.nextLink = page.nextLink ?? page.deltaLink
            page.deltaLink = page.deltaLink ?? page.nextLink
        case .removedThenReadded, .readdedThenRemoved, .skipTokenInDeltaLink, .ignorePageSize, .changedPropertiesOnly:
            break
        }
        return page
    }
}
