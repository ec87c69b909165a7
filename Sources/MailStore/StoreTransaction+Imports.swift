import GRDB
import MailModel

/// Why an import was not begun.
public enum ImportLimit: Error, Sendable, Hashable, CustomStringConvertible {
    case ofAccount(max: Int)
    case ofUser(max: Int)

    /// Imports of one account that are not finished.
    public static let accountMax = 5
    /// Imports of one user that are not finished.
    public static let userMax = 20
    /// Finished imports of one user that are remembered; older ones are forgotten.
    public static let rememberedMax = 100

    public var description: String {
        switch self {
        case .ofAccount(let max): "the account has \(max) imports that are not finished: wait for one, or cancel one"
        case .ofUser(let max): "the user has \(max) imports that are not finished: wait for one, or cancel one"
        }
    }
}

/// How imports begin, move and end.
extension StoreTransaction {
    /// Remembers a new import; the account's next pass begins with it. One that is there already stays as it is.
    ///
    /// - Throws: ``ImportLimit``.
    public func start(_ new: MailImport) throws {
        if try reader.mailImport(new.id) != nil { return }
        let unfinished = try reader.imports().filter { !$0.state.isFinished }
        if unfinished.count >= ImportLimit.userMax { throw ImportLimit.ofUser(max: ImportLimit.userMax) }
        if unfinished.count(where: { $0.account == new.account }) >= ImportLimit.accountMax {
            throw ImportLimit.ofAccount(max: ImportLimit.accountMax)
        }
        try db.run(
            """
            DELETE FROM imports WHERE id IN (SELECT id FROM imports WHERE finished_at IS NOT NULL
                ORDER BY finished_at DESC, id LIMIT -1 OFFSET ?)
            """, [ImportLimit.rememberedMax.databaseValue])
        try db.run(
            """
            INSERT INTO imports(id, provider, inbox_id, selection_json, state, is_scanned, created_at, updated_at,
                moved_at_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [StoredText.value(new.id)] + new.account.columns + [
                StoredImport.json(new.selection), new.state.rawValue.databaseValue, new.isScanned.databaseValue,
                new.createdAt.databaseValue, new.updatedAt.databaseValue, new.pace.movedAt.databaseValue,
            ])
        try save(new)
    }

    /// Counts a page of the import's scan. After the last page it is running.
    ///
    /// - Parameter known: how many of the page's messages are stored.
    /// - Returns: the import as it is now.
    public func noteScanned(
        _ id: String, _ page: SelectionPage, known: Int, atMilliseconds now: Int64
    ) throws -> MailImport? {
        try move(id, at: now) { entry in
            entry.figures.estimated += page.ids.count
            entry.figures.estimatedKnown += known
            entry.position = page.next
            guard page.next == nil else { return }
            entry.isScanned = true
            entry.startedAt = now / 1000
            if entry.state == .scanning { entry.state = .running }
        }
    }

    /// Begins the import's scan anew: the place in it is no longer known.
    public func restartScan(_ id: String, atMilliseconds now: Int64) throws -> MailImport? {
        try move(id, at: now) { entry in
            entry.position = nil
            entry.figures = MailImport.Figures()
        }
    }

    /// Stores the next messages of an import together with its place: the one applies as any batch does, the other moves
    /// only here. An import that was paused meanwhile keeps both and stays paused; one that was cancelled is left alone.
    ///
    /// - Returns: the import as it is now; nil when it is not there any more.
    /// - Throws: ``StoreFailure/unknownAccount(_:)``.
    public func apply(
        _ batch: ImportBatch, of id: String, atMilliseconds now: Int64
    ) throws -> MailImport? {
        guard let entry = try reader.mailImport(id), !entry.state.isFinished else {
            return try reader.mailImport(id)
        }
        let applied = try applyNoting(batch.changes, to: entry.account, at: now / 1000)
        try markAnyDate(batch.changes.gaps.map(\.id), of: entry.account)
        return try move(id, at: now) { entry in
            entry.figures.listed += batch.listed
            entry.figures.known += batch.known
            entry.figures.done += applied.received
            entry.figures.failed += applied.gaps
            entry.position = batch.next
            guard batch.next == nil else { return }
            entry.state = .completed
            entry.finishedAt = now / 1000
        }
    }

    /// Ends an import that is impossible.
    public func fail(_ id: String, _ failure: SyncFailure, atMilliseconds now: Int64) throws -> MailImport? {
        try move(id, at: now) { entry in
            entry.state = .failed
            entry.error = failure.message
            entry.errorCode = failure.code
            entry.finishedAt = now / 1000
        }
    }

    /// Pauses, resumes or cancels an import; one that is so already, or finished, stays as it is.
    ///
    /// - Returns: the import as it is now; nil when there is none of this id.
    public func command(_ id: String, _ command: ImportCommand, atMilliseconds now: Int64) throws -> MailImport? {
        guard var entry = try reader.mailImport(id), !entry.state.isFinished else { return try reader.mailImport(id) }
        switch command {
        case .pause: entry.state = .paused
        case .resume:
            guard entry.state == .paused else { return entry }
            entry.state = entry.isScanned ? .running : .scanning
            entry.pace.movedAt = now
        case .cancel:
            entry.state = .cancelled
            entry.finishedAt = now / 1000
        }
        entry.updatedAt = now / 1000
        try save(entry)
        return entry
    }

    /// Ends the account's imports: it is disconnected.
    public func cancelImports(of key: AccountKey, atMilliseconds now: Int64) throws {
        for entry in try reader.imports() where entry.account == key {
            _ = try command(entry.id, .cancel, atMilliseconds: now)
        }
    }

    // MARK: rows

    private func move(
        _ id: String, at now: Int64, _ change: (inout MailImport) -> Void
    ) throws -> MailImport? {
        guard var entry = try reader.mailImport(id) else { return nil }
        guard !entry.state.isFinished else { return entry }
        entry.pace.moved(before: entry.figures.read, at: now)
        change(&entry)
        entry.pace.mark(read: entry.figures.read)
        entry.updatedAt = now / 1000
        try save(entry)
        try db.run(
            """
            UPDATE imports SET last_seq = ?, turn = (SELECT coalesce(max(turn), 0) + 1 FROM imports) WHERE id = ?
            """, [log.lastSeq.databaseValue, StoredText.value(id)])
        return entry
    }

    private func save(_ entry: MailImport) throws {
        let figures = entry.figures
        let counts = [
            figures.estimated, figures.estimatedKnown, figures.listed, figures.done, figures.known, figures.failed,
        ]
        try db.run(
            """
            UPDATE imports SET state = ?, position = ?, is_scanned = ?, estimated = ?, estimated_known = ?, listed = ?,
                done = ?, known = ?, failed = ?, started_at = ?, updated_at = ?, finished_at = ?, error = ?,
                error_code = ?, active_ms = ?, moved_at_ms = ?, pace_json = ?
            WHERE id = ?
            """,
            [
                entry.state.rawValue.databaseValue, StoredText.value(entry.position?.document),
                entry.isScanned.databaseValue,
            ] + counts.map(\.databaseValue) + [
                entry.startedAt?.databaseValue ?? .null, entry.updatedAt.databaseValue,
                entry.finishedAt?.databaseValue ?? .null, StoredText.value(entry.error),
                StoredText.value(entry.errorCode), entry.pace.activeMilliseconds.databaseValue,
                entry.pace.movedAt.databaseValue, StoredImport.json(entry.pace), StoredText.value(entry.id),
            ])
    }

    /// Messages that could not be read are wanted whatever their date, when they can be.
    private func markAnyDate(_ ids: [String], of key: AccountKey) throws {
        for id in ids {
            try db.run(
                """
                UPDATE message_gaps SET any_date = 1 WHERE provider_message_id = ? AND account_id =
                    (SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?)
                """, [StoredText.value(id)] + key.columns)
        }
    }

    private var db: Database { reader.db }
}

/// What people do to imports.
public enum ImportCommand: String, Sendable, Hashable, CaseIterable {
    case pause
    case resume
    case cancel
}

extension StoreReader {
    /// Those of the messages in the gap ledger that an import wants whatever their date.
    public func gapsOfAnyDate(_ key: AccountKey, among ids: [String]) throws -> Set<String> {
        var found: Set<String> = []
        for id in ids {
            let row = try db.row(
                """
                SELECT 1 FROM message_gaps WHERE any_date = 1 AND provider_message_id = ? AND account_id =
                    (SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?)
                """, [StoredText.value(id)] + key.columns)
            if row != nil { found.insert(id) }
        }
        return found
    }
}

/// Imports of a store whose last events were taken back.
struct ImportRollback {
    let db: Database

    /// Those that had brought in what was taken back begin anew: what is known costs nothing.
    func run(after seq: Int64) throws {
        try db.run(
            """
            UPDATE imports SET position = NULL, listed = 0, done = 0, known = 0, failed = 0, last_seq = 0,
                pace_json = '[]', finished_at = NULL,
                state = CASE state WHEN 'completed' THEN 'running' ELSE state END
            WHERE last_seq > ? AND is_scanned = 1 AND state IN ('running', 'paused', 'completed')
            """, [seq.databaseValue])
    }
}
