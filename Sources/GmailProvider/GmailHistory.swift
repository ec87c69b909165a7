import MailModel

/// What a range of the history did to each message, netted: of several operations on one label the last one counts.
/// Pure; holds ids and labels only.
struct GmailHistory: Sendable {
    /// What happened to one message.
    struct Net: Sendable, Hashable {
        struct Operation: Sendable, Hashable {
            var label: String
            var isAdded: Bool
            /// The record that did it.
            var record: UInt64
        }
        var isDeleted = false
        /// It arrived, or may have come into scope: to be read when unknown.
        var isToBeRead = false
        var lastRecord: UInt64 = 0
        var operations: [Operation] = []

        fileprivate mutating func set(_ label: String, _ isAdded: Bool, _ record: UInt64) {
            let operation = Operation(label: label, isAdded: isAdded, record: record)
            if let index = operations.firstIndex(where: { $0.label == label }) {
                operations[index] = operation
            } else {
                operations.append(operation)
            }
        }
    }

    private(set) var messages: [String: Net] = [:]
    /// The messages in the order in which they were first touched.
    private(set) var order: [String] = []
    /// The id of the last record seen.
    private(set) var lastRecord: UInt64 = 0
    /// Every label an operation named.
    private(set) var labels: Set<String> = []

    /// Takes in the next records, in the order of the history.
    ///
    /// - Parameter latest: the mailbox's current id; stands in for a record's id that cannot be read. All records up
    ///   to it are in the same answer, so none is skipped for it.
    mutating func add(_ records: [GmailWire.HistoryRecord], latest: UInt64) {
        for record in records {
            let id = record.id?.unsigned ?? latest
            lastRecord = max(lastRecord, id)
            for change in record.messagesAdded ?? [] { arrived(change, id) }
            for change in record.labelsAdded ?? [] { labelled(change, isAdded: true, id) }
            for change in record.labelsRemoved ?? [] { labelled(change, isAdded: false, id) }
            for change in record.messagesDeleted ?? [] { touch(change, id) { $0.isDeleted = true } }
        }
    }

    /// An arrival's labels are those of the event or those of now, the documentation does not say which. When they
    /// put the message out of scope, both mean that a later record will tell when it comes into scope.
    private mutating func arrived(_ change: GmailWire.HistoryRecord.Change, _ record: UInt64) {
        let isOutOfScope = !GmailNormalizer.outOfScopeLabels.isDisjoint(with: change.message?.labelIds ?? [])
        touch(change, record) { net in
            net.isDeleted = false
            if !isOutOfScope { net.isToBeRead = true }
        }
    }

    private mutating func labelled(_ change: GmailWire.HistoryRecord.Change, isAdded: Bool, _ record: UInt64) {
        let changed = (change.labelIds ?? []).filter(GmailNormalizer.isLabel)
        labels.formUnion(changed)
        touch(change, record) { net in
            for label in changed {
                net.set(label, isAdded, record)
                let mayEnterScope = isAdded ? label == "INBOX" : GmailNormalizer.outOfScopeLabels.contains(label)
                if mayEnterScope { net.isToBeRead = true }
            }
        }
    }

    private mutating func touch(
        _ change: GmailWire.HistoryRecord.Change, _ record: UInt64, _ body: (inout Net) -> Void
    ) {
        guard let id = change.message?.id, GmailID.isValid(id) else { return }
        if messages[id] == nil { order.append(id) }
        body(&messages[id, default: Net()])
        messages[id]?.lastRecord = record
    }

    /// What is to be done about a message.
    enum Step: Sendable, Hashable {
        case nothing
        case read
        case apply(MessageChange)
    }

    /// - Parameters:
    ///   - state: what the store has of the message; nil when it has nothing.
    ///   - isUnknown: neither stored nor recorded as a gap.
    func step(for id: String, state: MessageState?, isUnknown: Bool) -> Step {
        guard let net = messages[id] else { return .nothing }
        guard let state else { return isUnknown && net.isToBeRead && !net.isDeleted ? .read : .nothing }
        if net.isDeleted { return state.exists ? .apply(.deleted(id: id)) : .nothing }
        // A message that was gone is there again: only reading tells how.
        guard state.exists else { return net.isToBeRead ? .read : .nothing }
        var labels = Set(state.labels)
        for operation in net.operations where operation.record > state.version {
            if operation.isAdded { labels.insert(operation.label) } else { labels.remove(operation.label) }
        }
        guard labels != Set(state.labels) else { return .nothing }
        return .apply(.labels(id: id, labels: labels.sorted(), version: net.lastRecord))
    }
}
