import Accounts
import Foundation

/// Where the queue is kept: reads and writes, one transaction each.
struct JobTable: Sendable {
    let database: AccountDatabase
    let limits: JobLimits

    /// - Throws: `AccountDatabaseFailure`, `CancellationError`, and what the body throws.
    func read<R: Sendable>(_ body: @escaping @Sendable (JobRows) throws -> R) async throws -> R {
        let limits = limits
        return try await naming { try await database.read { try body(JobRows(db: $0, limits: limits)) } }
    }

    /// - Throws: `AccountDatabaseFailure`, `CancellationError`, and what the body throws.
    func write<R: Sendable>(_ body: @escaping @Sendable (JobRows) throws -> R) async throws -> R {
        let limits = limits
        return try await naming { try await database.write { try body(JobRows(db: $0, limits: limits)) } }
    }

    private func naming<R>(_ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch is JobRowUnreadable {
            throw unreadable
        } catch is DecodingError {
            throw unreadable
        }
    }

    private var unreadable: AccountDatabaseFailure {
        AccountDatabaseFailure(path: database.path, reason: "a job's row cannot be read")
    }
}
