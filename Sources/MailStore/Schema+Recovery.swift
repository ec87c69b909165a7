extension Schema {
    /// Reserved numbers, a restoration under way, and mail that is taken over as state.
    static let version3 = """
        ALTER TABLE meta ADD COLUMN reserved_seq INTEGER NOT NULL DEFAULT 0;   -- control.db's floor is never above
        ALTER TABLE meta ADD COLUMN restoring_since INTEGER;   -- the file is being filled from the stream
        ALTER TABLE meta ADD COLUMN restoring_from INTEGER;    -- stream sequence of the next message to look at

        -- Accounts whose older events the stream no longer holds: their mail is read again, as state.
        CREATE TABLE adoptions(
            account_id INTEGER PRIMARY KEY REFERENCES provider_sync_state(account_id),
            stage TEXT NOT NULL CHECK (stage IN ('listing', 'changes', 'reading', 'blind')),
            position ANY,                      -- of the listing
            new_from INTEGER NOT NULL          -- blind: what is dated later was never an event
        ) STRICT;
        CREATE TABLE adoption_candidates(
            account_id INTEGER NOT NULL REFERENCES provider_sync_state(account_id),
            provider_message_id ANY NOT NULL,
            was_known INTEGER NOT NULL DEFAULT 0,  -- the stream has events of it, but not the first
            attempts INTEGER NOT NULL DEFAULT 0,
            next_attempt_at INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (account_id, provider_message_id)
        ) STRICT, WITHOUT ROWID;
        """
}
