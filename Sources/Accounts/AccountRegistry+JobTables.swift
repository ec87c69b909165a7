import GRDB

extension AccountRegistry {
    /// The job queue's tables; `MailJobs` reads and writes them.
    ///
    /// `number` says in which order jobs were asked for. The counts per user and state are kept by triggers, so that
    /// whoever asks for them counts nothing, and no path can forget them.
    static func createJobTables(_ db: Database) throws {
        try db.execute(sql: jobTables + jobCountTriggers)
    }

    private static let jobTables = """
        CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            job_id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            user_id TEXT NOT NULL,
            account TEXT NOT NULL,
            parameters TEXT NOT NULL,
            priority INTEGER NOT NULL,
            state TEXT NOT NULL
                CHECK (state IN ('waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled')),
            wish TEXT CHECK (wish IN ('cancel', 'park', 'requeue')),
            attempts INTEGER NOT NULL DEFAULT 0,
            due_ms INTEGER,
            lease_owner TEXT,
            lease_epoch INTEGER NOT NULL DEFAULT 0,
            heartbeat_ms INTEGER,
            progress TEXT,
            result TEXT,
            error_code TEXT,
            error_message TEXT,
            created_ms INTEGER NOT NULL,
            started_ms INTEGER,
            finished_ms INTEGER
        ) STRICT;
        CREATE INDEX jobs_by_state ON jobs (state, user_id, priority, number);
        CREATE INDEX jobs_by_user ON jobs (user_id, number);
        CREATE INDEX jobs_by_account ON jobs (account) WHERE account != '';
        CREATE INDEX jobs_due ON jobs (due_ms) WHERE state = 'delayed';
        CREATE INDEX jobs_finished ON jobs (user_id, state, finished_ms, number) WHERE finished_ms IS NOT NULL;
        CREATE TABLE job_counts (
            user_id TEXT NOT NULL,
            state TEXT NOT NULL,
            jobs INTEGER NOT NULL,
            PRIMARY KEY (user_id, state)
        ) STRICT, WITHOUT ROWID;

        """

    private static let jobCountTriggers = """
        CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
            INSERT INTO job_counts (user_id, state, jobs) VALUES (new.user_id, new.state, 1)
                ON CONFLICT DO UPDATE SET jobs = jobs + 1;
        END;
        CREATE TRIGGER job_moved AFTER UPDATE OF state ON jobs WHEN old.state != new.state BEGIN
            INSERT INTO job_counts (user_id, state, jobs) VALUES (new.user_id, new.state, 1)
                ON CONFLICT DO UPDATE SET jobs = jobs + 1;
            UPDATE job_counts SET jobs = jobs - 1 WHERE user_id = old.user_id AND state = old.state;
            DELETE FROM job_counts WHERE user_id = old.user_id AND state = old.state AND jobs = 0;
        END;
        CREATE TRIGGER job_removed AFTER DELETE ON jobs BEGIN
            UPDATE job_counts SET jobs = jobs - 1 WHERE user_id = old.user_id AND state = old.state;
            DELETE FROM job_counts WHERE user_id = old.user_id AND state = old.state AND jobs = 0;
        END;
        """
}
