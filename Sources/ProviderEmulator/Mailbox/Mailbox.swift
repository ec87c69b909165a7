/// One mailbox: messages, labels and the history of their changes. A value: whoever holds it serialises access.
struct Mailbox: Sendable {
    let address: String
    private(set) var messages: [UInt64: StoredMessage] = [:]
    /// Ids, ascending; ids grow with the internal date, so this is the listing backwards.
    private(set) var order: [UInt64] = []
    private(set) var history: [HistoryRecord] = []
    /// Records up to this id have been looked at for announcing.
    private var announcedUpTo: UInt64 = 0
    /// A start below it is too old.
    private(set) var historyFloor: UInt64
    /// The current history id.
    private(set) var historyID: UInt64
    var labels = MailboxLabel.system
    /// Changes when page tokens given so far stop working.
    private(set) var pageTokenGeneration: UInt64 = 0
    /// Messages that listings and the history leave out.
    private(set) var concealed: Set<UInt64> = []
    private var threadSizes: [UInt64: Int32] = [:]
    /// Thread by the hash of a member's Message-ID.
    private var threadByMessageID: [UInt64: UInt64] = [:]
    private var labelSets: [[String]: [String]] = [:]
    /// The number in the id of the next label made.
    var nextLabel = 1
    private var random: SeededRandom

    init(address: String, seed: UInt64) {
        self.address = address
        random = SeededRandom(seed: seed, stream: TextHash.of(address.utf8))
        historyID = 1000 + UInt64(random.below(100_000))
        historyFloor = historyID
    }

    var threadsTotal: Int { threadSizes.count }

    mutating func expirePageTokens() { pageTokenGeneration += 1 }

    mutating func conceal(_ id: UInt64, _ isConcealed: Bool) {
        if isConcealed { concealed.insert(id) } else { concealed.remove(id) }
    }

    /// Puts in a message that was there before anybody looked: no history record.
    @discardableResult
    mutating func load(_ mail: IncomingMail) -> StoredMessage {
        advanceHistory()
        let message = makeMessage(mail)
        historyFloor = historyID
        return message
    }

    /// A message arrives.
    mutating func deliver(_ mail: IncomingMail) -> StoredMessage {
        advanceHistory()
        let message = makeMessage(mail)
        record(.added, message)
        return message
    }

    /// Changes labels; one record for what was added and one for what was removed.
    mutating func modify(_ id: UInt64, add: [String], remove: [String]) throws(EmulatorError) -> StoredMessage {
        guard var message = messages[id] else { throw .noMessage(HexID.text(id)) }
        let added = Set(add).subtracting(message.labels).sorted()
        let removed = Set(remove).intersection(message.labels).subtracting(add).sorted()
        for (change, names) in [(HistoryRecord.Change.labelsAdded(added), added), (.labelsRemoved(removed), removed)]
        where !names.isEmpty {
            advanceHistory()
            message.labels = interned(Self.apply(change, to: message.labels))
            message.historyID = historyID
            record(change, message)
        }
        messages[id] = message
        return message
    }

    /// Removes a message for good.
    mutating func delete(_ id: UInt64) throws(EmulatorError) {
        guard let message = messages.removeValue(forKey: id) else { throw .noMessage(HexID.text(id)) }
        advanceHistory()
        record(.deleted, message)
        let index = position(id)
        if index < order.count, order[index] == id { order.remove(at: index) }
        let left = (threadSizes[message.threadID] ?? 1) - 1
        threadSizes[message.threadID] = left > 0 ? left : nil
    }

    /// Forgets history records up to this id, or all of them.
    mutating func expireHistory(upTo id: UInt64?) {
        // A start equal to the current id asks for nothing that is forgotten, yet "all" has to make every cursor given
        // so far too old: the mailbox's own id moves on.
        if id == nil { advanceHistory() }
        let floor = min(id ?? historyID, historyID)
        historyFloor = max(historyFloor, floor)
        history.removeAll { $0.id <= historyFloor }
    }

    mutating func createLabel(_ name: String) throws(EmulatorError) -> MailboxLabel {
        guard !labels.contains(where: { $0.name == name }) else { throw .labelExists(name) }
        let label = MailboxLabel(id: "Label_\(nextLabel)", name: name, isSystem: false)
        nextLabel += 1
        labels.append(label)
        return label
    }

    /// The first position in ``order`` whose id is not below `id`.
    func position(_ id: UInt64) -> Int {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if order[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func apply(_ change: HistoryRecord.Change, to labels: [String]) -> [String] {
        switch change {
        case .labelsAdded(let names): (labels + names).sorted()
        case .labelsRemoved(let names): labels.filter { !names.contains($0) }
        case .added, .deleted: labels
        }
    }

    private mutating func makeMessage(_ mail: IncomingMail) -> StoredMessage {
        let id = makeID(mail.internalDate)
        let thread = mail.references.first { threadByMessageID[$0] != nil }.flatMap { threadByMessageID[$0] } ?? id
        let message = StoredMessage(
            id: id, threadID: thread, internalDate: mail.internalDate,
            labels: interned(Array(Set(mail.labels)).sorted()), historyID: historyID, content: mail.content)
        if let key = mail.messageID { threadByMessageID[key] = thread }
        messages[id] = message
        threadSizes[thread, default: 0] += 1
        if let last = order.last, last > id { order.insert(id, at: position(id)) } else { order.append(id) }
        return message
    }

    /// Milliseconds since 1970 in the upper bits, as in ids seen in practice; within a second, ids grow with arrival.
    private mutating func makeID(_ internalDate: Int64) -> UInt64 {
        let second = UInt64(min(max(internalDate, 1), 8_000_000_000))
        let base = (second * 1000) << 20
        let next = position(((second + 1) * 1000) << 20)
        var id = base + UInt64(random.below(1 << 20))
        if next > 0, order[next - 1] >= base { id = order[next - 1] + 1 + UInt64(random.below(1 << 10)) }
        while messages[id] != nil { id += 1 }
        return id
    }

    private mutating func advanceHistory() { historyID += UInt64(1 + random.below(20)) }

    /// The records since it was asked last.
    mutating func takeUnannounced() -> ArraySlice<HistoryRecord> {
        let records = history[firstRecord(after: announcedUpTo)...]
        announcedUpTo = historyID
        return records
    }

    private mutating func record(_ change: HistoryRecord.Change, _ message: StoredMessage) {
        history.append(
            HistoryRecord(
                id: historyID, messageID: message.id, threadID: message.threadID, change: change,
                labels: message.labels))
    }

    /// Equal label sets share their storage.
    private mutating func interned(_ labels: [String]) -> [String] {
        if let known = labelSets[labels] { return known }
        labelSets[labels] = labels
        return labels
    }
}

/// A message on its way in.
struct IncomingMail: Sendable {
    var content: MessageContent
    /// Unix seconds.
    var internalDate: Int64
    var labels: [String]
    /// Hash of its Message-ID.
    var messageID: UInt64?
    /// Hashes of the ids it refers to, the nearest first.
    var references: [UInt64]
}

/// A hash that is the same in every process (FNV-1a, 64 bits).
enum TextHash {
    static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }
}
