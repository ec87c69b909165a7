/// `users.history.list`: what changed after a history id, oldest first, by page.
extension GmailCall {
    private struct Page: Sendable {
        var records: [HistoryRecord] = []
        /// Labels of the records' messages now, where the configuration wants those.
        var current: [UInt64: [String]] = [:]
        var next: String?
        var historyID: UInt64 = 0
    }

    func listHistory() throws(GmailError) -> EmulatorReply {
        guard let start = request.parameter("startHistoryId").flatMap({ UInt64($0) }) else {
            throw .missingStartHistoryID
        }
        let types = try historyTypes()
        let size = try pageSize()
        let page = try box.readOrThrow { mailbox throws(GmailError) in
            try self.page(mailbox, after: start, types: types, size: size)
        }
        return .json(
            MaskedJSON.object(mask) { json in
                json.arrayUnlessEmpty("history", page.records) { json, record in
                    write(&json, record, labels: page.current[record.messageID] ?? record.labels)
                }
                if let next = page.next { json.field("nextPageToken", next) }
                json.field64("historyId", page.historyID)
            })
    }

    private func historyTypes() throws(GmailError) -> Set<String> {
        let types = Set(request.parameters("historyTypes"))
        for type in types where !HistoryRecord.Change.typeNames.contains(type) {
            throw .invalidArgument("Invalid value at 'history_types' (type.googleapis.com/HistoryType), \"\(type)\"")
        }
        return types
    }

    private func page(
        _ mailbox: Mailbox, after start: UInt64, types: Set<String>, size: Int
    ) throws(GmailError) -> Page {
        guard start >= mailbox.historyFloor, start <= mailbox.historyID else { throw .notFound }
        var cursor = start
        if let token = request.parameter("pageToken") {
            cursor = try PageToken(token, for: .historyList, in: mailbox).cursor
            guard cursor >= mailbox.historyFloor else { throw .notFound }
        }
        var page = Page(historyID: mailbox.historyID)
        for record in mailbox.history[mailbox.firstRecord(after: cursor)...]
        where matches(record, types) && !mailbox.concealed.contains(record.messageID) {
            if page.records.count == size {
                page.next = PageToken(cursor: page.records[size - 1].id).text(for: .historyList, in: mailbox)
                break
            }
            page.records.append(record)
            if configuration.historyShowsCurrentLabels {
                page.current[record.messageID] = mailbox.messages[record.messageID]?.labels
            }
        }
        return page
    }

    private func matches(_ record: HistoryRecord, _ types: Set<String>) -> Bool {
        guard types.isEmpty || types.contains(record.change.typeName) else { return false }
        guard let label = request.parameter("labelId") else { return true }
        if record.labels.contains(label) { return true }
        if case .labelsRemoved(let names) = record.change { return names.contains(label) }
        return false
    }

    private func write(_ json: inout MaskedJSON, _ record: HistoryRecord, labels: [String]) {
        json.field64("id", record.id)
        json.arrayUnlessEmpty("messages", [record]) { json, record in Self.writeIDs(&json, record) }
        json.arrayUnlessEmpty(record.change.listName, [record]) { json, record in
            json.object("message") { json in
                Self.writeIDs(&json, record)
                json.fieldUnlessEmpty("labelIds", labels)
            }
            switch record.change {
            case .labelsAdded(let names), .labelsRemoved(let names): json.fieldUnlessEmpty("labelIds", names)
            case .added, .deleted: break
            }
        }
    }

    private static func writeIDs(_ json: inout MaskedJSON, _ record: HistoryRecord) {
        json.field("id", HexID.text(record.messageID))
        json.field("threadId", HexID.text(record.threadID))
    }
}

extension HistoryRecord.Change {
    /// What `historyTypes` calls it.
    var typeName: String {
        switch self {
        case .added: "messageAdded"
        case .deleted: "messageDeleted"
        case .labelsAdded: "labelAdded"
        case .labelsRemoved: "labelRemoved"
        }
    }

    static let typeNames: Set<String> = ["messageAdded", "messageDeleted", "labelAdded", "labelRemoved"]

    /// The key of the record that holds it.
    var listName: String {
        switch self {
        case .added: "messagesAdded"
        case .deleted: "messagesDeleted"
        case .labelsAdded: "labelsAdded"
        case .labelsRemoved: "labelsRemoved"
        }
    }
}

extension Mailbox {
    /// The position of the first record whose id is above `id`.
    func firstRecord(after id: UInt64) -> Int {
        var low = 0
        var high = history.count
        while low < high {
            let middle = (low + high) / 2
            if history[middle].id <= id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
