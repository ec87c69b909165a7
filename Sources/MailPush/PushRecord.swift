import Accounts
import Foundation
import GRDB
import MailModel

/// An account's row in `push_subscriptions`.
struct PushRecord: Sendable, Hashable {
    var key: AccountKey
    var grant: PushGrant?
    /// When to ask the provider again, in Unix milliseconds; nil: when the account is connected again.
    var dueAt: Int64?
    var health: PushHealth
    var failures: Int
    var lastError: String?
}

/// A row that no version of this program wrote.
struct UnreadablePushRecord: Error, CustomStringConvertible {
    var description: String { "control.db: a row of push_subscriptions names no provider: delete it" }
}

/// The table `push_subscriptions` of `control.db`: the only SQL that touches it.
struct PushRecords: Sendable {
    let registry: AccountRegistry

    /// - Throws: `AccountDatabaseFailure`, ``UnreadablePushRecord``.
    func all() async throws -> [PushRecord] {
        try await registry.database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM push_subscriptions").map { row in
                guard let provider = ProviderKind(rawValue: row["provider"]) else { throw UnreadablePushRecord() }
                return try Self.record(row, provider)
            }
        }
    }

    /// Writes these, and removes the rows of the others, in one transaction.
    ///
    /// - Throws: `AccountDatabaseFailure`.
    func save(_ records: [PushRecord], removing gone: [AccountKey], at now: UnixSeconds) async throws {
        try await registry.database.write { db in
            for record in records { try Self.save(record, at: now, db) }
            for key in gone {
                try db.execute(
                    sql: "DELETE FROM push_subscriptions WHERE user_id = ? AND provider = ? AND inbox_id = ?",
                    arguments: [key.user.encoded, key.provider.rawValue, key.inbox.encoded])
            }
        }
    }

    private static func save(_ record: PushRecord, at now: UnixSeconds, _ db: Database) throws {
        let values: [(any DatabaseValueConvertible)?] = [
            record.key.user.encoded, record.key.provider.rawValue, record.key.inbox.encoded,
            record.grant?.subscription.id, record.grant.map { Data($0.digest.bytes) },
            record.grant?.subscription.expiresAt, record.dueAt, record.health.rawValue, record.failures,
            record.lastError, now,
        ]
        try db.execute(
            sql: """
                INSERT OR REPLACE INTO push_subscriptions (user_id, provider, inbox_id, subscription_id,
                    client_state_sha256, expires_at, renew_at_ms, health, failures, last_error, updated_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, arguments: StatementArguments(values))
    }

    private static func record(_ row: Row, _ provider: ProviderKind) throws -> PushRecord {
        let key = AccountKey(
            user: try UserID(encoded: row["user_id"]), provider: provider, inbox: try InboxID(encoded: row["inbox_id"]))
        return PushRecord(
            key: key, grant: grant(row), dueAt: row["renew_at_ms"],
            health: PushHealth(rawValue: row["health"]) ?? .pending, failures: row["failures"],
            lastError: row["last_error"])
    }

    private static func grant(_ row: Row) -> PushGrant? {
        let id: String? = row["subscription_id"]
        let digest: Data? = row["client_state_sha256"]
        let expiresAt: UnixSeconds? = row["expires_at"]
        guard let id, let digest, let expiresAt else { return nil }
        return PushGrant(
            subscription: PushSubscription(id: id, expiresAt: expiresAt),
            digest: ClientStateDigest(bytes: Array(digest)))
    }
}
