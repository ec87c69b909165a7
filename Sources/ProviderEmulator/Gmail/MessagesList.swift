/// `users.messages.list`: newest first, by page.
extension GmailCall {
    private static let pageDefault = 100
    private static let pageMax = 500
    /// The estimate of a listing that goes on.
    private static let estimateOfMore = 201

    func listMessages() throws(GmailError) -> EmulatorReply {
        if request.parameter("q") != nil, scopes.contains(GmailScope.metadata) { throw .metadataScopeQuery }
        let query = try SearchQuery(request.parameter("q") ?? "", now: configuration.time.now())
        let size = try pageSize()
        let page = try box.readOrThrow { mailbox throws(GmailError) in
            try self.page(mailbox, size, query)
        }
        return .json(
            MaskedJSON.object(mask) { json in
                json.arrayUnlessEmpty("messages", page.messages) { json, message in
                    json.field("id", HexID.text(message.id))
                    json.field("threadId", HexID.text(message.threadID))
                }
                if let next = page.next { json.field("nextPageToken", next) }
                json.field("resultSizeEstimate", page.next == nil ? page.messages.count : Self.estimateOfMore)
            })
    }

    /// `maxResults`: 0 means the default, more than 500 means 500.
    func pageSize() throws(GmailError) -> Int {
        guard let text = request.parameter("maxResults") else { return Self.pageDefault }
        guard let size = UInt32(text) else {
            throw .invalidArgument("Invalid value at 'max_results' (TYPE_UINT32), \"\(text)\"")
        }
        return size == 0 ? Self.pageDefault : min(Int(size), Self.pageMax)
    }

    /// A page without messages whose token leads to the page asked for.
    func emptyPage() -> [UInt8]? {
        guard route.method == .messagesList || route.method == .historyList else { return nil }
        let start = route.method == .historyList ? UInt64(request.parameter("startHistoryId") ?? "") ?? 0 : .max
        let (token, historyID) = box.read { mailbox in
            (PageToken(cursor: start).text(for: route.method, in: mailbox), mailbox.historyID)
        }
        return MaskedJSON.object(mask) { json in
            json.field("nextPageToken", request.parameter("pageToken") ?? token)
            if route.method == .historyList { json.field64("historyId", historyID) }
        }
    }

    private func page(
        _ mailbox: Mailbox, _ size: Int, _ query: SearchQuery
    ) throws(GmailError) -> (messages: [StoredMessage], next: String?) {
        let labels = request.parameters("labelIds")
        for label in labels where !mailbox.labels.contains(where: { $0.id == label }) {
            throw .invalidArgument("Invalid label: \(label)")
        }
        let includesHidden = request.parameter("includeSpamTrash") == "true" || query.reachesHidden
        var index = mailbox.order.count
        if let token = request.parameter("pageToken") {
            index = mailbox.position(try PageToken(token, for: .messagesList, in: mailbox).cursor)
        }
        var found: [StoredMessage] = []
        while index > 0 {
            index -= 1
            guard let message = mailbox.messages[mailbox.order[index]], includesHidden || !message.isHidden,
                labels.allSatisfy(message.labels.contains), query.matches(message, mailbox),
                !mailbox.concealed.contains(message.id)
            else { continue }
            if found.count == size {
                let cursor = PageToken(cursor: found[size - 1].id)
                return (found, cursor.text(for: .messagesList, in: mailbox))
            }
            found.append(message)
        }
        return (found, nil)
    }
}
