extension Schema {
    /// Imports of a mailbox's older messages, and gaps that they left.
    static let version4 = """
        CREATE TABLE imports(
            id TEXT PRIMARY KEY,
            provider TEXT NOT NULL,
            inbox_id TEXT NOT NULL,
            selection_json TEXT NOT NULL,
            state TEXT NOT NULL
                CHECK (state IN ('scanning', 'running', 'paused', 'completed', 'failed', 'cancelled')),
            position ANY,                      -- the provider adapter's: of the scan, later of the reading
            is_scanned INTEGER NOT NULL DEFAULT 0,
            estimated INTEGER NOT NULL DEFAULT 0,      -- messages that the scan counted
            estimated_known INTEGER NOT NULL DEFAULT 0, -- those of them that were stored already
            listed INTEGER NOT NULL DEFAULT 0,         -- messages accounted for
            done INTEGER NOT NULL DEFAULT 0,           -- those of them that were stored by the import
            known INTEGER NOT NULL DEFAULT 0,          -- that were stored already
            failed INTEGER NOT NULL DEFAULT 0,         -- that could not be read: they are in the gap ledger
            created_at INTEGER NOT NULL,
            started_at INTEGER,
            updated_at INTEGER NOT NULL,
            finished_at INTEGER,
            error ANY,
            error_code ANY,
            active_ms INTEGER NOT NULL DEFAULT 0,      -- time it was worked on, its turns' waiting included
            moved_at_ms INTEGER NOT NULL,              -- when it last moved or was resumed, Unix milliseconds
            pace_json TEXT NOT NULL DEFAULT '[]',      -- marks of active_ms and messages, for the rate
            turn INTEGER NOT NULL DEFAULT 0,           -- the lowest is next
            last_seq INTEGER NOT NULL DEFAULT 0        -- the user's last event number when it last moved
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX imports_of_account ON imports(provider, inbox_id, state);

        ALTER TABLE message_gaps ADD COLUMN any_date INTEGER NOT NULL DEFAULT 0; -- wanted by an import, whatever its date
        """
}
