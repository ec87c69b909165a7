import GRDB
import MailModel

/// Applies one batch inside a transaction: the decisions are ``MessageDraft``'s, here they become rows.
struct BatchApplication {
    private let reader: StoreReader
    private let log: EventLog
    private let batch: ChangeBatch
    private let now: UnixSeconds
    private var account: AccountLedger
    private var applied = AppliedBatch()
    /// Older mail of the account is being taken over as state.
    private let isAdopting: Bool
    private var adopting: Adopting
    private var gapLedger: GapLedger { GapLedger(db: reader.db) }
    private var removals: PendingRemovals { PendingRemovals(db: reader.db, accountID: account.id) }

    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    init(_ batch: ChangeBatch, to key: AccountKey, reader: StoreReader, log: EventLog, at now: UnixSeconds) throws {
        self.batch = batch
        self.reader = reader
        self.log = log
        self.now = now
        account = try AccountLedger.load(key, from: reader)
        adopting = Adopting(db: reader.db, log: log)
        isAdopting = try reader.adoption(key) != nil
    }

    mutating func run() throws -> AppliedBatch {
        let before = log.lastSeq
        try applyLabels()
        for draft in try drafts() {
            try apply(draft)
            if let folder = draft.removedFrom { try removals.note(draft.id, from: folder, at: now) }
        }
        for id in batch.settledRemovals { try removals.settle(id) }
        for gap in batch.gaps {
            try gapLedger.record(gap, of: &account, at: now)
            applied.gaps += 1
        }
        try account.save(to: reader.db, at: now)
        try moveCursor()
        if log.lastSeq > before { applied.lastSeq = log.lastSeq }
        return applied
    }

    /// One draft per message, in the order of first mention, with all of the batch folded in.
    private func drafts() throws -> [MessageDraft] {
        var drafts: [MessageDraft] = []
        drafts.reserveCapacity(batch.changes.count)
        var places: [String: Int] = [:]
        func place(_ id: String) throws -> Int {
            if let place = places[id] { return place }
            places[id] = drafts.count
            drafts.append(MessageDraft(id: id, before: try reader.message(account.key, id)))
            return drafts.count - 1
        }
        for change in batch.changes { drafts[try place(change.messageID)].fold(change) }
        for id in batch.vanished { drafts[try place(id)].vanish() }
        return drafts
    }

    private mutating func apply(_ draft: MessageDraft) throws {
        switch draft.outcome {
        case .nothing:
            if draft.settlesGap { try gapLedger.settle(draft.id, of: &account) }
        case .outOfScope:
            try gapLedger.settle(draft.id, of: &account)
        case .deletedUnread:
            try gapLedger.markGone(draft.id, listed: false, of: &account, at: now)
        case .vanished:
            try gapLedger.markGone(draft.id, listed: true, of: &account, at: now)
        case .received(let message):
            try gapLedger.settle(draft.id, of: &account)
            if isAdopting, try adopting.takesOver(message, of: account) {
                try adopting.store(message, of: &account)
            } else {
                try receive(message)
            }
            if isAdopting { try adopting.forget(message.id, of: account) }
        case .newVersion, .updated, .deleted:
            if draft.settlesGap { try gapLedger.settle(draft.id, of: &account) }
            try change(draft)
        }
    }

    private mutating func receive(_ message: MessageMeta) throws {
        let seq = try append(.received(message), message: message.id, revision: 0)
        try reader.db.run(
            """
            INSERT INTO messages(seq, version, revision, is_present, provider_thread_id, labels_json, folder)
            VALUES (?, ?, 1, 1, ?, ?, ?)
            """,
            [
                seq.databaseValue, Int64(bitPattern: message.version).databaseValue, StoredText.value(message.threadID),
                StoredText.array(message.labels), StoredText.value(message.folder),
            ])
        account.stored += 1
        applied.received += 1
    }

    private mutating func change(_ draft: MessageDraft) throws {
        guard var state = draft.now else { return }
        switch draft.outcome {
        case .updated(let update):
            _ = try append(.updated(update), message: draft.id, revision: state.revision)
            applied.updated += 1
            state.revision += 1
        case .deleted:
            let event = MailEvent.Body.deleted(id: draft.id, threadID: state.threadID)
            _ = try append(event, message: draft.id, revision: state.revision)
            applied.deleted += 1
            state.revision += 1
        default: break
        }
        try save(state)
    }

    private func save(_ state: StoredMessage) throws {
        try reader.db.run(
            """
            UPDATE messages SET version = ?, revision = ?, is_present = ?, provider_thread_id = ?, labels_json = ?,
                folder = ?
            WHERE seq = ?
            """,
            [
                Int64(bitPattern: state.version).databaseValue, state.revision.databaseValue,
                state.isPresent.databaseValue, StoredText.value(state.threadID), StoredText.array(state.labels),
                StoredText.value(state.folder), state.seq.databaseValue,
            ])
    }

    private mutating func applyLabels() throws {
        guard let labels = batch.labels.map({ $0.sorted { $0.id < $1.id } }) else { return }
        let store = LabelStore(db: reader.db, accountID: account.id)
        guard try store.labels() != labels else { return }
        try store.replace(with: labels)
        _ = try append(.account(.labels(labels)), message: "", revision: account.accountEvents)
        account.accountEvents += 1
    }

    private mutating func append(_ body: MailEvent.Body, message: String, revision: Int64) throws -> Int64 {
        try log.append(body, message: message, revision: revision, origin: batch.origin, at: now, to: &account)
    }

    private func moveCursor() throws {
        try reader.db.run(
            """
            UPDATE provider_sync_state SET cursor = ?, phase = ?, estimated_total = coalesce(?, estimated_total)
            WHERE account_id = ?
            """,
            [
                StoredText.value(batch.cursor.document), batch.phase.rawValue.databaseValue,
                batch.estimatedTotal?.databaseValue ?? .null, account.id.databaseValue,
            ])
    }
}

/// The labels of an account's mailbox, as they were last announced.
struct LabelStore {
    let db: Database
    let accountID: Int64

    /// Sorted by id.
    func labels() throws -> [MailLabel] {
        try db.rows(
            "SELECT label_id, name, type FROM mailbox_labels WHERE account_id = ?", [accountID.databaseValue]
        )
        .map { MailLabel(id: try $0.text(0), name: try $0.text(1), type: try $0.text(2)) }
        .sorted { $0.id < $1.id }
    }

    func replace(with labels: [MailLabel]) throws {
        try db.run("DELETE FROM mailbox_labels WHERE account_id = ?", [accountID.databaseValue])
        for label in labels {
            try db.run(
                "INSERT OR REPLACE INTO mailbox_labels(account_id, label_id, name, type) VALUES (?, ?, ?, ?)",
                [
                    accountID.databaseValue, StoredText.value(label.id), StoredText.value(label.name),
                    StoredText.value(label.type),
                ])
        }
    }
}

extension MessageChange {
    var messageID: String {
        switch self {
        case .read(let message, _): message.id
        case .labels(let id, _, _, _): id
        case .removed(let id, _): id
        case .deleted(let id): id
        }
    }
}
