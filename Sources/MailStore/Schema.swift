import GRDB

/// The tables of a user's `events.db`, and how older files become newer ones.
///
/// The names and columns that `Docs` promise to users of `sqlite3` are `provider_sync_state`,
/// `email_received_events` and `outbox`. `seq` is the user's event number in every table.
enum Schema {
    /// `PRAGMA application_id` of our files: "MSYN".
    static let applicationID = 0x4d53_594e

    /// One script per version, applied in order; `PRAGMA user_version` counts the applied ones. Forward only and
    /// additive: a script that was released never changes.
    static let migrations = [version1, version2, version3, version4]

    static var currentVersion: Int { migrations.count }

    /// What a row costs decides how fast a mailbox is stored, so: integer keys that grow (appends), one random
    /// index (by message id), and nothing written twice but the payload. Columns of type ANY hold texts from outside:
    /// TEXT, or a BLOB when the text contains a NUL byte.
    private static let version1 = """
        -- One row: what the whole file knows of itself.
        CREATE TABLE meta(
            id INTEGER PRIMARY KEY CHECK (id = 1),
            generation INTEGER NOT NULL,       -- grows with every erase
            last_seq INTEGER NOT NULL,         -- last event number assigned
            published_seq INTEGER NOT NULL,    -- everything up to here is confirmed by the stream
            stream_sequence INTEGER,           -- of the last confirmed event
            stream_created ANY,                -- which stream confirmed it
            confirmed_at INTEGER,
            owner_epoch INTEGER NOT NULL,      -- raised by whoever starts to write
            dead_letter_seq INTEGER,           -- publishing stops at this row
            dead_letter_reason ANY,
            dead_letter_at INTEGER
        ) STRICT;

        CREATE TABLE provider_sync_state(
            account_id INTEGER PRIMARY KEY,
            provider TEXT NOT NULL,
            inbox_id TEXT NOT NULL,            -- in its encoded form, as everywhere
            cursor ANY NOT NULL,               -- the provider adapter's resume point
            phase TEXT NOT NULL,
            status TEXT NOT NULL,
            mailbox ANY NOT NULL,              -- the provider's identity of the mailbox
            estimated_total INTEGER,
            stored INTEGER NOT NULL DEFAULT 0,
            gone INTEGER NOT NULL DEFAULT 0,
            gaps INTEGER NOT NULL DEFAULT 0,
            events INTEGER NOT NULL DEFAULT 0,
            account_events INTEGER NOT NULL DEFAULT 0,
            outbox_depth INTEGER NOT NULL DEFAULT 0,
            last_synced_at INTEGER,
            last_error ANY,
            last_error_code ANY,
            retry_count INTEGER NOT NULL DEFAULT 0,
            next_attempt_at INTEGER,
            updated_at INTEGER NOT NULL,
            UNIQUE (provider, inbox_id)
        ) STRICT;

        -- The event log: a row of exactly one of the next three tables per event.
        CREATE TABLE email_received_events(
            seq INTEGER PRIMARY KEY,
            event_id TEXT NOT NULL,
            ts INTEGER NOT NULL,
            msg_date INTEGER NOT NULL,
            provider TEXT NOT NULL,
            inbox_id TEXT NOT NULL,
            user_id TEXT NOT NULL,
            provider_message_id ANY NOT NULL,
            provider_thread_id ANY NOT NULL,
            subject ANY NOT NULL,
            sender ANY NOT NULL,
            to_addrs TEXT NOT NULL,            -- JSON arrays
            cc_addrs TEXT NOT NULL,
            bcc_addrs TEXT NOT NULL,
            snippet ANY NOT NULL,
            headers_json TEXT NOT NULL,        -- JSON object: first value of each header
            labels_json TEXT NOT NULL,
            headers_repeated_json TEXT,        -- JSON object: name to further values; NULL when there are none
            origin TEXT NOT NULL,
            UNIQUE (provider, inbox_id, provider_message_id)
        ) STRICT;

        CREATE TABLE email_change_events(
            seq INTEGER PRIMARY KEY,
            event_id TEXT NOT NULL,
            ts INTEGER NOT NULL,
            event_type TEXT NOT NULL,          -- email.updated, email.deleted
            provider TEXT NOT NULL,
            inbox_id TEXT NOT NULL,
            user_id TEXT NOT NULL,
            provider_message_id ANY NOT NULL,
            provider_thread_id ANY NOT NULL,
            labels_json TEXT,                  -- all four NULL for email.deleted
            labels_added_json TEXT,
            labels_removed_json TEXT,
            restored INTEGER,
            origin TEXT NOT NULL
        ) STRICT;

        CREATE TABLE account_events(
            seq INTEGER PRIMARY KEY,
            event_id TEXT NOT NULL,
            ts INTEGER NOT NULL,
            event_type TEXT NOT NULL,          -- account.connected …
            provider TEXT NOT NULL,
            inbox_id TEXT NOT NULL,
            user_id TEXT NOT NULL,
            detail ANY,                        -- mailbox, reason, or the labels as JSON
            origin TEXT NOT NULL
        ) STRICT;

        -- The current state of every message that was received, under the number of its first event.
        CREATE TABLE messages(
            seq INTEGER PRIMARY KEY REFERENCES email_received_events(seq),
            version INTEGER NOT NULL,          -- the provider's
            revision INTEGER NOT NULL,         -- number of the message's events
            is_present INTEGER NOT NULL,       -- 0: deleted at the provider
            provider_thread_id ANY NOT NULL,
            labels_json TEXT NOT NULL
        ) STRICT;

        -- Listed messages that are not stored: still to be read (open), or no longer there when they were (gone).
        CREATE TABLE message_gaps(
            account_id INTEGER NOT NULL REFERENCES provider_sync_state(account_id),
            provider_message_id ANY NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('open', 'gone')),
            reason ANY NOT NULL,
            first_seen_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            next_attempt_at INTEGER,
            PRIMARY KEY (account_id, provider_message_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX message_gaps_due ON message_gaps(account_id, next_attempt_at) WHERE state = 'open';

        CREATE TABLE mailbox_labels(
            account_id INTEGER NOT NULL REFERENCES provider_sync_state(account_id),
            label_id ANY NOT NULL,
            name ANY NOT NULL,
            type ANY NOT NULL,
            PRIMARY KEY (account_id, label_id)
        ) STRICT, WITHOUT ROWID;

        -- What the stream has not confirmed; id is the event's seq.
        CREATE TABLE outbox(
            id INTEGER PRIMARY KEY,
            ts INTEGER NOT NULL,
            account_id INTEGER NOT NULL,
            subject TEXT NOT NULL,
            event_type TEXT NOT NULL,
            msg_id TEXT NOT NULL,              -- event_id, sent as Nats-Msg-Id
            published_at INTEGER,              -- always NULL: a confirmed row leaves
            retries INTEGER NOT NULL DEFAULT 0,
            next_attempt_at INTEGER,
            last_error ANY,
            payload TEXT NOT NULL
        ) STRICT;
        """

    /// Mailboxes with folders; and what is known of an account's completeness.
    private static let version2 = """
        ALTER TABLE messages ADD COLUMN folder ANY;    -- the provider's id of the folder; NULL: labels only
        CREATE INDEX messages_folder ON messages(folder, seq) WHERE folder IS NOT NULL;

        -- Messages that left a folder: moved or deleted, which is not known yet.
        CREATE TABLE pending_removals(
            account_id INTEGER NOT NULL REFERENCES provider_sync_state(account_id),
            provider_message_id ANY NOT NULL,
            folder ANY NOT NULL,
            noted_at INTEGER NOT NULL,
            PRIMARY KEY (account_id, provider_message_id)
        ) STRICT, WITHOUT ROWID;

        -- Gaps that an operator gave up stay on record.
        CREATE TABLE message_gaps_2(
            account_id INTEGER NOT NULL REFERENCES provider_sync_state(account_id),
            provider_message_id ANY NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('open', 'gone', 'given_up')),
            reason ANY NOT NULL,
            first_seen_at INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            next_attempt_at INTEGER,
            given_up_at INTEGER,
            given_up_because ANY,              -- what the operator said
            PRIMARY KEY (account_id, provider_message_id)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO message_gaps_2(account_id, provider_message_id, state, reason, first_seen_at, attempts,
            next_attempt_at)
            SELECT account_id, provider_message_id, state, reason, first_seen_at, attempts, next_attempt_at
            FROM message_gaps;
        DROP TABLE message_gaps;
        ALTER TABLE message_gaps_2 RENAME TO message_gaps;
        CREATE INDEX message_gaps_due ON message_gaps(account_id, next_attempt_at) WHERE state = 'open';

        ALTER TABLE provider_sync_state ADD COLUMN last_verified_at INTEGER;   -- compared with the provider
        ALTER TABLE provider_sync_state ADD COLUMN missing INTEGER NOT NULL DEFAULT 0; -- found missing then, not healed
        ALTER TABLE provider_sync_state ADD COLUMN last_checkpoint_at INTEGER; -- account.checkpoint was emitted
        ALTER TABLE provider_sync_state ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0; -- gaps an operator gave up

        -- The changes of one message, for deriving its state anew.
        CREATE INDEX email_change_events_message
            ON email_change_events(provider, inbox_id, provider_message_id, seq);

        -- Event numbers that an erase took out of the log and the stream.
        CREATE TABLE erased_sequences(
            first_seq INTEGER PRIMARY KEY,
            last_seq INTEGER NOT NULL,
            erased_at INTEGER NOT NULL
        ) STRICT;

        -- Confirmed events that the stream lost and that are sent to it again, out of their order.
        CREATE TABLE resends(
            seq INTEGER PRIMARY KEY,
            requested_at INTEGER NOT NULL,
            stream_sequence INTEGER,           -- where the stream has it; NULL: still to be sent
            published_seq INTEGER              -- what else the stream held by then: everything up to here
        ) STRICT;
        CREATE INDEX resends_waiting ON resends(seq) WHERE stream_sequence IS NULL;
        """

    /// Brings the file up to date, in one transaction.
    ///
    /// - Throws: ``StoreFailure/fileFromTheFuture(path:version:supported:)``, ``StoreFailure/notAStore(path:)``.
    static func migrate(_ db: Database, path: String, floor: SequenceFloor) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let owner = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        guard version <= currentVersion || owner != applicationID else {
            throw StoreFailure.fileFromTheFuture(path: path, version: version, supported: currentVersion)
        }
        if owner == applicationID && version == currentVersion { return }
        try db.inTransaction(.immediate) {
            guard version == 0 ? owner == 0 : owner == applicationID else { throw StoreFailure.notAStore(path: path) }
            if version == 0 { try claim(db, path: path) }
            for script in migrations[version...] { try db.execute(sql: script) }
            if version == 0 { try seed(db, floor) }
            try db.execute(sql: "PRAGMA user_version = \(currentVersion)")
            return .commit
        }
    }

    /// Marks an empty file as ours.
    private static func claim(_ db: Database, path: String) throws {
        guard try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") == 0 else {
            throw StoreFailure.notAStore(path: path)
        }
        try db.execute(sql: "PRAGMA application_id = \(applicationID)")
    }

    private static func seed(_ db: Database, _ floor: SequenceFloor) throws {
        try db.execute(
            sql: "INSERT INTO meta(id, generation, last_seq, published_seq, owner_epoch) VALUES (1, ?, ?, ?, 0)",
            arguments: [floor.generation, floor.lastSeq, floor.lastSeq])
    }
}
