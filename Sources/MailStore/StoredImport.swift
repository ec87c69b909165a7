import GRDB
import MailModel

/// The columns of an import that are documents.
enum StoredImport {
    static func json(_ selection: MailSelection) -> DatabaseValue {
        StoredText.json { json in
            json.object { json in
                if let from = selection.from { json.field("from", from) }
                if let until = selection.until { json.field("until", until) }
                json.field("labels", selection.labels)
            }
        }
    }

    static func selection(_ text: String) throws -> MailSelection {
        let fields = try StoredFields(text)
        return MailSelection(
            from: try fields.optional("from")?.integer(), until: try fields.optional("until")?.integer(),
            labels: try fields.texts("labels"))
    }

    static func json(_ pace: ImportPace) -> DatabaseValue {
        StoredText.json { json in
            json.array(pace.marks) { json, mark in
                json.array([mark.at, Int64(mark.read)]) { $0.integer($1) }
            }
        }
    }

    static func marks(_ text: String) throws -> [ImportPace.Mark] {
        try StoredJSON.parse(text).elements().map { element in
            let numbers = try element.elements().map { try $0.integer() }
            guard numbers.count == 2 else { throw StoreFailure.unreadable("a mark of an import's pace") }
            return ImportPace.Mark(at: numbers[0], read: Int(numbers[1]))
        }
    }
}

extension StoreReader {
    private static let importColumns = """
        SELECT id, provider, inbox_id, selection_json, state, position, is_scanned, estimated, estimated_known, listed,
            done, known, failed, created_at, started_at, updated_at, finished_at, error, error_code, active_ms,
            moved_at_ms, pace_json
        FROM imports
        """

    /// All imports of the user that are remembered, the newest first.
    public func imports() throws -> [MailImport] {
        try db.rows(Self.importColumns + " ORDER BY created_at DESC, id").map(mailImport)
    }

    /// The import; nil when the user has none of this id.
    public func mailImport(_ id: String) throws -> MailImport? {
        try db.row(Self.importColumns + " WHERE id = ?", [StoredText.value(id)]).map(mailImport)
    }

    /// The import of the account whose turn it is; nil when none is active.
    public func nextImport(_ key: AccountKey) throws -> MailImport? {
        let sql =
            " WHERE provider = ? AND inbox_id = ? AND state IN ('scanning', 'running') ORDER BY turn, created_at, id"
        return try db.row(Self.importColumns + sql + " LIMIT 1", key.columns).map(mailImport)
    }

    /// Whether a pass over the account has imports to go on with. Not while older mail is taken over as state: what an
    /// import read would become events a second time.
    public func hasActiveImport(_ key: AccountKey) throws -> Bool {
        let sql = "SELECT 1 FROM imports WHERE provider = ? AND inbox_id = ? AND state IN ('scanning', 'running')"
        return try db.row(sql + " LIMIT 1", key.columns) != nil && adoption(key) == nil
    }

    private func mailImport(_ row: Row) throws -> MailImport {
        let key = AccountKey(user: user, provider: try row.choice(1), inbox: try InboxID(encoded: row.text(2)))
        var entry = MailImport(
            id: try row.text(0), account: key, selection: try StoredImport.selection(row.text(3)),
            atMilliseconds: try row.integer(20))
        entry.state = try row.choice(4)
        entry.position = try row.optionalText(5).map { MailModel.Cursor($0) }
        entry.isScanned = try row.integer(6) != 0
        entry.figures = MailImport.Figures(
            estimated: try row.count(7), estimatedKnown: try row.count(8), listed: try row.count(9),
            done: try row.count(10), known: try row.count(11), failed: try row.count(12))
        entry.createdAt = try row.integer(13)
        entry.startedAt = try row.optionalInteger(14)
        entry.updatedAt = try row.integer(15)
        entry.finishedAt = try row.optionalInteger(16)
        entry.error = try row.optionalText(17)
        entry.errorCode = try row.optionalText(18)
        entry.pace.activeMilliseconds = try row.integer(19)
        entry.pace.marks = try StoredImport.marks(row.text(21))
        return entry
    }
}
