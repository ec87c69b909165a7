import MailModel

/// Messages: list and get.
extension GraphCall {
    private static let pageDefault = 10

    func listMessages() throws(GraphError) -> EmulatorReply {
        let query = try GraphQuery(
            request, properties: GraphMessage.properties,
            allowed: ["$select", "$top", "$skip", "$count", "$filter", "$orderby"])
        let size = query.top ?? Self.pageDefault
        let listing = try box.readOrThrow { mailbox throws(GraphError) in try list(mailbox, query, size) }
        var page = GraphPage(
            context: "\(root)/$metadata#users('me')/messages\(Self.projection(query))",
            count: query.wantsCount ? listing.total : nil,
            items: listing.messages.map { message in
                GraphMessage(message, salt: listing.salt, preference, select: query.select).json(isTyped: false)
            })
        if query.skip + size < listing.total { page.nextLink = link(skipping: query.skip + size) }
        return faulty(page).reply
    }

    func getMessage() throws(GraphError) -> EmulatorReply {
        let query = try GraphQuery(request, properties: GraphMessage.properties, allowed: ["$select"])
        let (message, salt) = try box.readOrThrow { mailbox throws(GraphError) in
            guard let message = mailbox.message(id: route.message) else {
                throw ItemID(route.message, salt: mailbox.salt) == nil ? .malformedID : .itemNotFound
            }
            if let folder = route.folder, try self.folder(folder, mailbox).key != message.folder { throw .itemNotFound }
            return (message, mailbox.salt)
        }
        if case .page(let fault) = fault, let item = fault.malformedItem {
            return EmulatorReply(status: 200, contentType: EmulatorReply.graphType, body: item)
        }
        let context = "\(root)/$metadata#users('me')/messages\(Self.projection(query))/$entity"
        return EmulatorReply(
            status: 200, contentType: EmulatorReply.graphType,
            body: GraphMessage(message, salt: salt, preference, select: query.select)
                .json(isTyped: false, context: context))
    }

    private func list(
        _ mailbox: OutlookMailbox, _ query: GraphQuery, _ size: Int
    ) throws(GraphError) -> (messages: [OutlookMessage], total: Int, salt: UInt64) {
        var places: [ListPosition]
        if let name = route.folder {
            let folder = try folder(name, mailbox)
            places = folder.isSearch ? mailbox.searchResults : folder.order
        } else {
            places = mailbox.positions
        }
        if let from = query.receivedFrom { places.removeAll { $0.date < from } }
        if let before = query.receivedBefore { places.removeAll { $0.date >= before } }
        if query.isNewestFirst ?? true { places.reverse() }
        let shown = places.dropFirst(query.skip).prefix(size).compactMap { mailbox.messages[$0.key] }
        return (shown, places.count, mailbox.salt)
    }

    private static func projection(_ query: GraphQuery) -> String {
        query.select.map { "(\($0.sorted().joined(separator: ",")))" } ?? ""
    }
}
