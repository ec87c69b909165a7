import GRDB
import MailModel

/// One message as the store keeps it.
struct StoredMessage: Sendable, Hashable {
    /// The number of the message's `email.received` event, which is the key of its state.
    var seq: Int64
    var version: UInt64
    /// How many events the message had.
    var revision: Int64
    var isPresent: Bool
    var threadID: String
    /// Sorted.
    var labels: [String]
    /// The provider's id of the folder; nil where there are none.
    var folder: String?
}

extension StoreReader {
    /// The ids among these that are neither stored nor retried by the gap ledger, in the given order.
    public func unknown(_ key: AccountKey, among ids: [String]) throws -> [String] {
        let stored = """
            SELECT 1 FROM email_received_events WHERE provider = ? AND inbox_id = ? AND provider_message_id = ?
            """
        let gap = """
            SELECT 1 FROM message_gaps WHERE account_id =
                (SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?)
                AND provider_message_id = ? AND state = 'open'
            """
        return try ids.filter { id in
            let arguments = key.columns + [StoredText.value(id)]
            return try db.row(stored, arguments) == nil && db.row(gap, arguments) == nil
        }
    }

    /// The stored state of those of the ids that are stored.
    public func states(_ key: AccountKey, of ids: [String]) throws -> [String: MessageState] {
        var states: [String: MessageState] = [:]
        for id in ids {
            guard let message = try message(key, id) else { continue }
            states[id] = MessageState(
                id: id, labels: message.labels, version: message.version, exists: message.isPresent,
                folder: message.folder)
        }
        return states
    }

    /// Messages that exist, ordered by the bytes of their id, after `id` (nil: from the start).
    public func present(_ key: AccountKey, after id: String?, limit: Int) throws -> [MessageState] {
        let sql = """
            SELECT e.provider_message_id, m.labels_json, m.version, m.folder
            FROM email_received_events e JOIN messages m ON m.seq = e.seq
            WHERE e.provider = ? AND e.inbox_id = ? AND e.provider_message_id > ? AND m.is_present = 1
            ORDER BY e.provider_message_id LIMIT ?
            """
        return try db.rows(sql, key.columns + [StoredText.value(id ?? ""), limit.databaseValue]).map(state)
    }

    /// Messages of one folder that exist and were last read below `version`, ordered by the bytes of their id.
    public func present(
        _ key: AccountKey, inFolder folder: String, below version: UInt64, after id: String?, limit: Int
    ) throws -> [MessageState] {
        let sql = """
            SELECT e.provider_message_id, m.labels_json, m.version, m.folder
            FROM messages m INDEXED BY messages_folder JOIN email_received_events e ON e.seq = m.seq
            WHERE m.folder = ? AND m.version < ? AND m.is_present = 1 AND e.provider = ? AND e.inbox_id = ?
                AND e.provider_message_id > ?
            ORDER BY e.provider_message_id LIMIT ?
            """
        let arguments =
            [StoredText.value(folder), Int64(clamping: version).databaseValue] + key.columns
            + [StoredText.value(id ?? ""), limit.databaseValue]
        return try db.rows(sql, arguments).map(state)
    }

    private func state(_ row: Row) throws -> MessageState {
        MessageState(
            id: try row.text(0), labels: try row.texts(1), version: UInt64(bitPattern: try row.integer(2)),
            exists: true, folder: try row.optionalText(3))
    }

    /// The ids of pending removals, in the order of their bytes.
    public func pendingRemovals(_ key: AccountKey, after id: String?, limit: Int) throws -> [String] {
        let sql = """
            SELECT provider_message_id FROM pending_removals
            WHERE account_id = (SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?)
                AND provider_message_id > ?
            ORDER BY provider_message_id LIMIT ?
            """
        return try db.rows(sql, key.columns + [StoredText.value(id ?? ""), limit.databaseValue]).map { try $0.text(0) }
    }

    func message(_ key: AccountKey, _ id: String) throws -> StoredMessage? {
        let sql = """
            SELECT m.seq, m.version, m.revision, m.is_present, m.provider_thread_id, m.labels_json, m.folder
            FROM email_received_events e JOIN messages m ON m.seq = e.seq
            WHERE e.provider = ? AND e.inbox_id = ? AND e.provider_message_id = ?
            """
        return try db.row(sql, key.columns + [StoredText.value(id)]).map { row in
            StoredMessage(
                seq: try row.integer(0), version: UInt64(bitPattern: try row.integer(1)), revision: try row.integer(2),
                isPresent: try row.integer(3) == 1, threadID: try row.text(4), labels: try row.texts(5),
                folder: try row.optionalText(6))
        }
    }
}

/// An account's messages, asked one read at a time.
struct StoredMessages: KnownMessages {
    let store: UserStore
    let account: AccountKey

    func unknown(among ids: [String]) async throws -> [String] {
        try await store.read { [account] in try $0.unknown(account, among: ids) }
    }

    func states(of ids: [String]) async throws -> [String: MessageState] {
        try await store.read { [account] in try $0.states(account, of: ids) }
    }

    func present(after id: String?, limit: Int) async throws -> [MessageState] {
        try await store.read { [account] in try $0.present(account, after: id, limit: limit) }
    }

    func present(
        inFolder folder: String, below version: UInt64, after id: String?, limit: Int
    ) async throws -> [MessageState] {
        try await store.read { [account] in
            try $0.present(account, inFolder: folder, below: version, after: id, limit: limit)
        }
    }

    func pendingRemovals(after id: String?, limit: Int) async throws -> [String] {
        try await store.read { [account] in try $0.pendingRemovals(account, after: id, limit: limit) }
    }
}
