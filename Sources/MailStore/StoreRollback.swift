import GRDB
import MailModel

/// Takes back what a store that went back in time has added since: events that the stream never confirmed, and what they
/// did to the current state. The provider tells the same facts again, after the events that the stream has.
struct StoreRollback {
    private let db: Database
    private let publishedSeq: Int64

    init(db: Database) throws {
        self.db = db
        guard let row = try db.row("SELECT published_seq FROM meta") else {
            throw StoreFailure.unreadable("the meta row is missing")
        }
        publishedSeq = try row.integer(0)
    }

    /// - Returns: the number of the last event that is left; 0 when none is.
    func run() throws -> Int64 {
        let touched = try touchedAccounts()
        try takeBackChanges()
        try takeBackReceived()
        try takeBackAccountEvents()
        try db.run("DELETE FROM outbox", [])
        for account in touched { try resume(account) }
        try db.run("UPDATE provider_sync_state SET outbox_depth = 0", [])
        try ImportRollback(db: db).run(after: publishedSeq)
        let end = try lastSeq()
        try db.run("DELETE FROM erased_sequences WHERE first_seq > ?", [end.databaseValue])
        try db.run(
            """
            UPDATE meta SET last_seq = ?, published_seq = ?, dead_letter_seq = NULL, dead_letter_reason = NULL,
                dead_letter_at = NULL
            """, [end.databaseValue, end.databaseValue])
        return end
    }

    private var after: [DatabaseValue] { [publishedSeq.databaseValue] }

    private func touchedAccounts() throws -> [(provider: String, inbox: String)] {
        let sql = EventTables.names.map { "SELECT provider, inbox_id FROM \($0) WHERE seq > ?" }
            .joined(separator: " UNION ")
        return try db.rows(sql, [publishedSeq, publishedSeq, publishedSeq].map(\.databaseValue)).map {
            (try $0.text(0), try $0.text(1))
        }
    }

    /// Messages that had an earlier event get the state which that one left.
    private func takeBackChanges() throws {
        let changed = try db.rows(
            """
            SELECT e.seq, count(*), e.labels_json, e.provider_thread_id, e.provider, e.inbox_id, e.provider_message_id
            FROM email_change_events c JOIN email_received_events e ON e.provider = c.provider
                AND e.inbox_id = c.inbox_id AND e.provider_message_id = c.provider_message_id
            WHERE c.seq > ? AND e.seq <= ? GROUP BY e.seq
            """, after + after)
        try db.run("DELETE FROM email_change_events WHERE seq > ?", after)
        guard !changed.isEmpty else { return }
        let last = try lastChanges()
        for row in changed {
            let key = ChangedMessage(
                provider: try row.text(4), inbox: try row.text(5), id: try row.text(6))
            let change = last[key]
            try db.run(
                """
                UPDATE messages SET version = 0, revision = revision - ?, is_present = ?, provider_thread_id = ?,
                    labels_json = ?
                WHERE seq = ?
                """,
                [
                    try row.integer(1).databaseValue, (change?.isPresent ?? true).databaseValue,
                    StoredText.value(try change?.threadID ?? row.text(3)),
                    StoredText.value(try change?.labels ?? row.text(2)), try row.integer(0).databaseValue,
                ])
        }
    }

    private struct ChangedMessage: Hashable {
        var provider: String
        var inbox: String
        var id: String
    }

    private struct LastChange {
        var isPresent: Bool
        var threadID: String
        /// Nil when no change since the first event said anything of labels.
        var labels: String?
    }

    private func lastChanges() throws -> [ChangedMessage: LastChange] {
        var last: [ChangedMessage: LastChange] = [:]
        let rows = try db.cursor(
            """
            SELECT provider, inbox_id, provider_message_id, provider_thread_id, event_type, labels_json
            FROM email_change_events ORDER BY seq
            """)
        while let row = try rows.next() {
            let key = ChangedMessage(provider: try row.text(0), inbox: try row.text(1), id: try row.text(2))
            let isPresent = try row.text(4) == "email.updated"
            last[key] = LastChange(
                isPresent: isPresent, threadID: try row.text(3),
                labels: isPresent ? try row.text(5) : last[key]?.labels)
        }
        return last
    }

    private func takeBackReceived() throws {
        try db.run("DELETE FROM messages WHERE seq > ?", after)
        try takeOffCounters("email_received_events", "stored = stored -")
        try db.run("DELETE FROM email_received_events WHERE seq > ?", after)
    }

    private func takeBackAccountEvents() throws {
        try takeOffCounters("account_events", "account_events = account_events -")
        let labels = try db.rows(
            "SELECT DISTINCT provider, inbox_id FROM account_events WHERE seq > ? AND event_type = 'account.labels'",
            after)
        try db.run("DELETE FROM account_events WHERE seq > ?", after)
        for row in labels {
            let columns = [try row.text(0).databaseValue, try row.text(1).databaseValue]
            let earlier = try db.row(
                """
                SELECT detail FROM account_events WHERE provider = ? AND inbox_id = ?
                    AND event_type = 'account.labels' ORDER BY seq DESC LIMIT 1
                """, columns)
            guard let id = try accountID(columns) else { continue }
            try LabelStore(db: db, accountID: id).replace(
                with: try earlier.map { try StoredLabels.parse($0.text(0)) } ?? [])
        }
    }

    private func takeOffCounters(_ table: String, _ counter: String) throws {
        try db.run(
            """
            UPDATE provider_sync_state SET \(counter) (SELECT count(*) FROM \(table) t WHERE t.seq > ?
                AND t.provider = provider_sync_state.provider AND t.inbox_id = provider_sync_state.inbox_id)
            """, after)
    }

    /// Where the account goes on: at its last checkpoint that is left, or by comparing with the provider. An account none
    /// of whose events is left was never heard of.
    private func resume(_ account: (provider: String, inbox: String)) throws {
        let columns = [account.provider.databaseValue, account.inbox.databaseValue]
        guard let id = try accountID(columns) else { return }
        let left = EventTables.names.map { table in
            "SELECT 1 FROM \(table) WHERE provider = ?1 AND inbox_id = ?2"
                + (table == "account_events" ? " AND event_type <> 'account.erased'" : "")
        }.joined(separator: " UNION ALL ")
        guard try db.row(left + " LIMIT 1", columns) != nil else { return try AccountRows(db: db, id: id).delete() }
        let row = try db.row(
            """
            SELECT detail FROM account_events WHERE provider = ? AND inbox_id = ? AND event_type = 'account.checkpoint'
            ORDER BY seq DESC LIMIT 1
            """, columns)
        let checkpoint = try row.map { try StoredCheckpoint.parse($0.text(0)) }
        try db.run(
            "UPDATE provider_sync_state SET cursor = ?, phase = coalesce(?, phase) WHERE account_id = ?",
            [
                StoredText.value(checkpoint?.cursor?.document ?? ""),
                checkpoint?.phase.rawValue.databaseValue ?? .null, id.databaseValue,
            ])
    }

    private func accountID(_ columns: [DatabaseValue]) throws -> Int64? {
        try db.row("SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?", columns)?.integer(
            0)
    }

    private func lastSeq() throws -> Int64 {
        let ends = try EventTables.names.map { try db.row("SELECT max(seq) FROM \($0)")?.optionalInteger(0) ?? 0 }
        let erased = try db.row(
            "SELECT max(last_seq) FROM erased_sequences WHERE last_seq <= ?", after)?.optionalInteger(0)
        return max(0, ends.max() ?? 0, erased ?? 0)
    }
}

/// The event log's tables.
enum EventTables {
    static let names = ["email_received_events", "email_change_events", "account_events"]
}

/// What a file knows of an account besides its events.
struct AccountRows {
    let db: Database
    let id: Int64

    /// Removes the account, but not its events and messages.
    func delete() throws {
        for table in [
            "message_gaps", "mailbox_labels", "pending_removals", "adoption_candidates", "adoptions",
            "provider_sync_state",
        ] {
            try db.run("DELETE FROM \(table) WHERE account_id = ?", [id.databaseValue])
        }
    }
}
