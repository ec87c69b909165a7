import Accounts
import Logging
import MailAPI
import MailJobs
import MailModel
import MailStore
import MailSync

/// What the service does for jobs of each kind. Each is a way to ask those who do the work anyway: nothing here reads a
/// mailbox or writes a store.
struct ServiceJobs: Sendable {
    let queue: JobQueue
    let manager: SyncManager
    let verifier: Verifier
    let vault: TokenVault
    let stores: UserStores

    func runner(_ imports: ServiceImports, time: any TimeSource, logger: Logger) -> JobRunner {
        let handlers = handlers.merging([.import: imports.handle]) { $1 }
        return JobRunner(queue: queue, handlers: handlers, time: time, logger: logger)
    }

    /// By kind; imports bring their own.
    private var handlers: [JobKind: JobHandler] {
        [
            .incrementalSync: incrementalSync, .folderSync: folderSync, .fullSync: fullSync, .verify: verify,
            .cleanup: cleanup,
        ]
    }

    // MARK: syncing

    private struct Synced: Codable, Sendable {
        var accounts = 0
        var events = 0
    }

    @Sendable private func incrementalSync(_ job: Job, _ context: JobContext) async throws -> JobResult {
        let events = try await eachAccount(of: job, context) { try await catchUp($0) }
        return .completed(try JobDocument(Synced(accounts: events.count, events: events.reduce(0, +))))
    }

    private struct FolderParameters: Codable, Sendable {
        var folder: String
    }

    /// A pass reads the changes of every folder, this one's too: there is no other way to the store.
    @Sendable private func folderSync(_ job: Job, _ context: JobContext) async throws -> JobResult {
        let folder = try job.parameters.decode(FolderParameters.self).folder
        guard let account = job.account else { throw JobFailure.noAccount }
        let events = try await eachAccount(of: job, context) { try await catchUp($0) }
        let labels = try await stores.useExisting(account.user) { store in
            try await store.read { try $0.labels(of: account) }
        }
        guard let labels, labels.contains(where: { $0.id == folder || $0.name == folder }) else {
            throw JobFailure(
                code: "unknown_folder", "the mailbox has no such folder or label, by id or name", isPermanent: true)
        }
        return .completed(try JobDocument(Synced(accounts: events.count, events: events.reduce(0, +))))
    }

    private struct Compared: Codable, Sendable {
        var accounts = 0
        var events = 0
        /// Messages that the mailboxes list.
        var listed = 0
        /// Events that healed differences.
        var healed = 0
        /// Messages in scope that could not be read; they are tried again.
        var unreadable = 0
    }

    @Sendable private func fullSync(_ job: Job, _ context: JobContext) async throws -> JobResult {
        let parts = try await eachAccount(of: job, context) { key in
            let events = try await catchUp(key)
            let findings = try await compare(key)
            return Compared(
                accounts: 1, events: events, listed: findings.listed, healed: findings.emitted,
                unreadable: findings.unreadable.count)
        }
        let result = parts.reduce(into: Compared()) { sum, part in
            sum.accounts += part.accounts
            sum.events += part.events
            sum.listed += part.listed
            sum.healed += part.healed
            sum.unreadable += part.unreadable
        }
        return .completed(try JobDocument(result))
    }

    /// Passes, until the provider has nothing that is not stored.
    ///
    /// - Returns: the events that came.
    private func catchUp(_ key: AccountKey) async throws -> Int {
        var events = 0
        while true {
            try Task.checkCancellation()
            let report = try await manager.sync(key)
            events += report.events
            if let failure = report.failure { throw try await explained(failure, of: key) }
            if report.isCaughtUp { return events }
        }
    }

    private func compare(_ key: AccountKey) async throws -> MailboxFindings {
        var findings = MailboxFindings()
        repeat {
            try Task.checkCancellation()
            do {
                findings = try await manager.compare(key, heals: true)
            } catch let reason as CannotCompare {
                throw JobFailure(code: "cannot_compare", "\(key): \(reason)")
            }
        } while findings.isCut && findings.emitted > 0
        return findings
    }

    /// Where only the user can help, trying again cannot.
    private func explained(_ failure: SyncFailure, of key: AccountKey) async throws -> JobFailure {
        let snapshot = try await manager.accounts(of: key.user).first { $0.key == key }
        switch snapshot.map({ ($0.isParked, $0.status) }) {
        case nil: return .noAccount
        case (true, .reauthRequired)?:
            return JobFailure(
                code: "reauth_required", "\(key) waits for its user to sign in again: POST /mail/connect",
                isPermanent: true)
        case (true, .wrongMailbox)?:
            return JobFailure(
                code: "wrong_mailbox", "the tokens of \(key) open another mailbox than the one connected before",
                isPermanent: true)
        default: return JobFailure(failure)
        }
    }

    /// Does the same for each account of a job, side by side: one that fails does not keep the others from being done.
    ///
    /// - Throws: the failures as one, which is permanent when all are.
    private func eachAccount<R: Sendable>(
        of job: Job, _ context: JobContext, _ body: @escaping @Sendable (AccountKey) async throws -> R
    ) async throws -> [R] {
        let keys = try await accounts(of: job)
        return try await withThrowingTaskGroup(of: Result<R, JobFailure>.self) { group in
            for key in keys {
                group.addTask {
                    do { return .success(try await body(key)) } catch let failure as JobFailure {
                        return .failure(failure)
                    }
                }
            }
            var outcomes: [Result<R, JobFailure>] = []
            for try await outcome in group {
                outcomes.append(outcome)
                context.progress(JobProgress(done: outcomes.count, total: keys.count, text: "accounts"))
            }
            return try JobFailure.all(of: outcomes)
        }
    }

    private func accounts(of job: Job) async throws -> [AccountKey] {
        if let account = job.account { return [account] }
        guard let user = job.user else { throw JobFailure.noAccount }
        let keys = try await vault.accounts(of: user).map(\.key)
        guard !keys.isEmpty else { throw JobFailure.noAccount }
        return keys
    }

    // MARK: verifying and tidying

    private struct VerifyParameters: Codable, Sendable {
        var `repair`: Bool?
    }

    @Sendable private func verify(_ job: Job, _ context: JobContext) async throws -> JobResult {
        guard let user = job.user else { throw JobFailure.noAccount }
        let repairs = try job.parameters.decode(VerifyParameters.self).repair ?? false
        let options = VerificationOptions(
            againstProvider: true, repairs: repairs, accounts: try await accounts(of: job))
        do {
            guard let verification = try await verifier.verify(user, options) else { throw JobFailure.noAccount }
            return .completed(try JobDocument(verification))
        } catch let failure as StoreFailure {
            throw JobFailure(code: "store", "\(failure)")
        }
    }

    private struct Tidied: Codable, Sendable {
        var removed: Int
    }

    @Sendable private func cleanup(_ job: Job, _ context: JobContext) async throws -> JobResult {
        .completed(try JobDocument(Tidied(removed: try await queue.removeOld())))
    }
}

extension JobFailure {
    static let noAccount = JobFailure(
        code: "not_connected", "no such account is connected any more", isPermanent: true)

    /// - Throws: what failed, as one failure.
    fileprivate static func all<R>(of outcomes: [Result<R, JobFailure>]) throws -> [R] {
        let failures = outcomes.compactMap { outcome in
            if case .failure(let failure) = outcome { failure } else { nil }
        }
        // One that may be cured says what is worth waiting for.
        guard var worst = failures.first(where: { !$0.isPermanent }) ?? failures.first else {
            return try outcomes.map { try $0.get() }
        }
        if failures.count > 1 { worst.message += " (and \(failures.count - 1) more accounts failed)" }
        worst.retryAfter = failures.compactMap(\.retryAfter).max()
        throw worst
    }
}
