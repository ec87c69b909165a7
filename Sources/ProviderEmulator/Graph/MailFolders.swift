import MailModel

/// Mail folders: list, get and delta.
extension GraphCall {
    static let folderProperties: Set<String> = [
        "id", "displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "isHidden",
    ]
    private static let pageDefault = 10

    func listFolders() throws(GraphError) -> EmulatorReply {
        let query = try GraphQuery(
            request, properties: Self.folderProperties,
            allowed: ["$select", "$top", "$skip", "$count", "includeHiddenFolders"])
        let size = query.top ?? Self.pageDefault
        return try box.readOrThrow { mailbox throws(GraphError) in
            var parent = OutlookMailbox.rootKey
            if let name = route.folder { parent = try folder(name, mailbox).key }
            let all = mailbox.children(of: parent).filter { query.includesHidden || !$0.isHidden }
            let shown = all.dropFirst(query.skip).prefix(size)
            var page = GraphPage(
                context: "\(root)/$metadata#users('me')/mailFolders", count: query.wantsCount ? all.count : nil,
                items: shown.map { write($0, mailbox, query, isTyped: false) })
            if query.skip + size < all.count { page.nextLink = link(skipping: query.skip + size) }
            return faulty(page).reply
        }
    }

    func getFolder() throws(GraphError) -> EmulatorReply {
        let query = try GraphQuery(
            request, properties: Self.folderProperties, allowed: ["$select", "includeHiddenFolders"])
        return try box.readOrThrow { mailbox throws(GraphError) in
            let folder = try folder(route.folder ?? "", mailbox)
            let context = "\(root)/$metadata#users('me')/mailFolders/$entity"
            return EmulatorReply(
                status: 200, contentType: EmulatorReply.graphType,
                body: write(folder, mailbox, query, isTyped: false, context: context))
        }
    }

    /// The changes of the tree: every folder below the root, hidden ones when `includeHiddenFolders` says so.
    func foldersDelta() throws(GraphError) -> EmulatorReply {
        try box.readOrThrow { mailbox throws(GraphError) in
            var token = try deltaToken(
                mailbox, folder: nil, floor: mailbox.folderFloor, until: mailbox.clock,
                properties: Self.folderProperties, allowed: ["$select", "$top", "includeHiddenFolders"])
            var page = GraphPage(context: "\(root)/$metadata#Collection(mailFolder)")
            if fault == .emptyPage {
                page.nextLink = link("$skiptoken", token, mailbox)
                return page.reply
            }
            let size = pageSize(token)
            let removed = mailbox.removedFolders.filter { removal in
                removal.clock > max(token.since, token.progress.removedThrough) && removal.clock <= token.until
                    && removal.createdAt <= token.since && (token.query.includesHidden || !removal.isHidden)
            }
            let changed = mailbox.folders.values.filter { folder in
                folder.key != OutlookMailbox.rootKey && mailbox.isInTree(folder.key)
                    && (token.query.includesHidden || !folder.isHidden) && folder.changedAt > token.since
                    && folder.changedAt <= token.until && folder.key > token.progress.position?.key ?? -1
            }.sorted { $0.key < $1.key }
            for removal in removed.prefix(size) {
                page.items.append(Self.removed(mailbox.id(ofFolder: removal.key), type: "mailFolder"))
                token.progress.removedThrough = removal.clock
            }
            for folder in changed.prefix(size - page.items.count) {
                page.items.append(write(folder, mailbox, token.query, isTyped: true))
                token.progress.position = ListPosition(date: 0, key: folder.key)
            }
            finish(&page, token, isLast: removed.count + changed.count <= size, mailbox)
            return faulty(page).reply
        }
    }

    /// - Throws: 404 for a folder that is not there, 400 for what cannot be an id.
    func folder(_ name: String, _ mailbox: OutlookMailbox) throws(GraphError) -> OutlookFolder {
        if let item = ItemID(name, salt: mailbox.salt), item.kind == .folder, let folder = mailbox.folders[item.key] {
            return folder
        }
        let wellKnown = name.lowercased() == "root" ? "msgfolderroot" : name.lowercased()
        if let folder = mailbox.folders.values.first(where: { $0.wellKnownName == wellKnown }) { return folder }
        let isName = name.utf8.count < 32 && name.allSatisfy { $0.isASCII && $0.isLetter }
        if isName || ItemID(name, salt: mailbox.salt) != nil { throw .itemNotFound }
        throw .malformedID
    }

    static func removed(_ id: String, type: String, reason: String = "deleted") -> [UInt8] {
        var json = JSONText(reserving: 256)
        json.object { json in
            json.field("@odata.type", "#microsoft.graph.\(type)")
            json.field("id", id)
            json.key("@removed")
            json.object { $0.field("reason", reason) }
        }
        return json.bytes
    }

    /// The same request from a later place.
    func link(skipping count: Int) -> String {
        let path = request.target.prefix { $0 != "?" }
        let rest = request.query.filter { $0.name != "$skip" }.map { "\($0.name)=\(PercentCoding.encode($0.value))" }
        return request.origin + path + "?" + (rest + ["$skip=\(count)"]).joined(separator: "&")
    }

    private func write(
        _ folder: OutlookFolder, _ mailbox: OutlookMailbox, _ query: GraphQuery, isTyped: Bool, context: String? = nil
    ) -> [UInt8] {
        var json = JSONText(reserving: 512)
        let total = folder.isSearch ? mailbox.treeFolders.reduce(0) { $0 + $1.unread } : folder.order.count
        json.object { json in
            if let context { json.field("@odata.context", context) }
            if folder.isSearch {
                json.field("@odata.type", "#microsoft.graph.mailSearchFolder")
            } else if isTyped {
                json.field("@odata.type", "#microsoft.graph.mailFolder")
            }
            json.field("id", mailbox.id(ofFolder: folder.key))
            if query.wants("displayName") { json.field("displayName", folder.name) }
            if query.wants("parentFolderId") { json.field("parentFolderId", mailbox.id(ofFolder: folder.parent)) }
            if query.wants("childFolderCount") {
                json.field("childFolderCount", Int64(mailbox.children(of: folder.key).filter { !$0.isHidden }.count))
            }
            if query.wants("unreadItemCount") {
                json.field("unreadItemCount", Int64(folder.isSearch ? total : folder.unread))
            }
            if query.wants("totalItemCount") { json.field("totalItemCount", Int64(total)) }
            if query.wants("isHidden") { json.field("isHidden", folder.isHidden) }
            if folder.isSearch, query.select == nil {
                json.field("isSupported", true)
                json.field("filterQuery", "isRead eq false")
            }
        }
        return json.bytes
    }
}

extension OutlookMailbox {
    /// What a search folder shows: the unread messages of the tree, oldest first.
    var searchResults: [ListPosition] { positions.filter { messages[$0.key]?.properties.isRead == false } }
}

extension PercentCoding {
    /// Everything but unreserved characters encoded (RFC 3986 §2.3).
    static func encode(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { out, byte in
            let scalar = Unicode.Scalar(byte)
            if scalar.isASCII,
                ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
                    || ("0"..."9").contains(scalar) || "-._~".unicodeScalars.contains(scalar)
            {
                out.unicodeScalars.append(scalar)
            } else {
                out += "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
            }
        }
    }
}
