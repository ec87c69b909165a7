import MailModel

/// What a batch makes of one message: every change of the batch is folded in, in order, then ``outcome`` is the net
/// result. Pure.
struct MessageDraft {
    /// What happened to the message, net.
    enum Outcome: Hashable {
        case nothing
        /// A message that was not stored: first seen.
        case received(MessageMeta)
        /// Not stored, and not to be: it is out of scope.
        case outOfScope
        /// Not stored, and reported deleted.
        case deletedUnread
        /// Not stored: listed, but no longer there when it was read.
        case vanished
        /// Stored; the labels are the same, the version is not.
        case newVersion
        /// Stored; the labels differ, or the message is there again.
        case updated(LabelUpdate)
        /// Stored, and gone now.
        case deleted
    }

    let id: String
    /// The state before the batch; nil when the message is not stored.
    let before: StoredMessage?
    /// The state after the changes so far; nil while there is nothing to store.
    private(set) var now: StoredMessage?
    /// What is received, for a message that was not stored.
    private var meta: MessageMeta?
    private var unstored = Outcome.nothing
    /// True when the message was read or known to be gone: an open gap is settled.
    private(set) var settlesGap = false
    /// The folder that a stored message left, when nothing is known of where it is.
    private(set) var removedFrom: String?

    init(id: String, before: StoredMessage?) {
        self.id = id
        self.before = before
        now = before
    }

    mutating func fold(_ change: MessageChange) {
        switch change {
        case .read(let message, let inScope): read(message, inScope: inScope)
        case .labels(_, let labels, let version, let folder): relabel(labels, version: version, folder: folder)
        case .deleted: remove(.deletedUnread)
        case .removed(_, let folder): if isStored { removedFrom = folder }
        }
    }

    /// The message was there before the batch, or is by now.
    private var isStored: Bool { before?.isPresent == true || now?.isPresent == true }

    /// The message was listed, but no longer existed when it was read.
    mutating func vanish() { remove(.vanished) }

    private mutating func read(_ message: MessageMeta, inScope: Bool) {
        settlesGap = true
        let labels = message.labels.sortedWithoutRepeats()
        if let present = now {
            guard !present.isPresent || message.version > present.version else { return }
            now?.version = max(present.version, message.version)
            now?.isPresent = true
            now?.threadID = message.threadID
            now?.labels = labels
            now?.folder = message.folder
            if before == nil { meta = message }
        } else if inScope {
            now = StoredMessage(
                seq: 0, version: message.version, revision: 0, isPresent: true, threadID: message.threadID,
                labels: labels, folder: message.folder)
            meta = message
        } else {
            unstored = .outOfScope
        }
    }

    private mutating func relabel(_ labels: [String], version: UInt64, folder: String?) {
        guard let present = now, present.isPresent, version > present.version else { return }
        now?.version = version
        now?.labels = labels.sortedWithoutRepeats()
        now?.folder = folder ?? present.folder
    }

    private mutating func remove(_ otherwise: Outcome) {
        settlesGap = true
        if before == nil {
            now = nil
            meta = nil
            unstored = otherwise
        } else {
            now?.isPresent = false
            // What was read in the same batch was told to nobody: the state stays what the events say.
            now?.labels = before?.labels ?? []
        }
    }

    var outcome: Outcome {
        guard let before else {
            guard var meta, let now else { return unstored }
            meta.labels = now.labels
            return .received(meta)
        }
        guard let now else { return .nothing }
        switch (before.isPresent, now.isPresent) {
        case (true, false): return .deleted
        case (false, false): return now.version == before.version ? .nothing : .newVersion
        case (false, true): return .updated(update(from: before, to: now, restored: true))
        case (true, true):
            if now.labels != before.labels { return .updated(update(from: before, to: now, restored: false)) }
            return now == before ? .nothing : .newVersion
        }
    }

    private func update(from before: StoredMessage, to now: StoredMessage, restored: Bool) -> LabelUpdate {
        let (old, new) = (Set(before.labels), Set(now.labels))
        return LabelUpdate(
            id: id, threadID: now.threadID, labels: now.labels, added: now.labels.filter { !old.contains($0) },
            removed: before.labels.filter { !new.contains($0) }, restored: restored)
    }
}

extension Array where Element: Comparable & Hashable {
    /// Sorted, each element once. Costs one comparison per element when it already is.
    func sortedWithoutRepeats() -> [Element] {
        if zip(self, dropFirst()).allSatisfy({ $0 < $1 }) { return self }
        return Set(self).sorted()
    }
}
