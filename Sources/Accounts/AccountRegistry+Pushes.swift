import GRDB

extension AccountRegistry {
    /// One row per account whose changes are, or shall be, announced by its provider. Of what the provider was told to
    /// send back only the SHA-256 is kept: whoever reads the file can forge nothing.
    static func makePushSubscriptions(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE push_subscriptions (
                    user_id TEXT NOT NULL,
                    provider TEXT NOT NULL,
                    inbox_id TEXT NOT NULL,
                    subscription_id TEXT,
                    client_state_sha256 BLOB,
                    expires_at INTEGER,
                    renew_at_ms INTEGER,
                    health TEXT NOT NULL,
                    failures INTEGER NOT NULL,
                    last_error TEXT,
                    updated_at INTEGER NOT NULL,
                    PRIMARY KEY (user_id, provider, inbox_id)
                ) STRICT, WITHOUT ROWID
                """)
    }
}
