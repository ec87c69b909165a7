import Foundation
import Logging
import MailAPI
import MailJobs
import MailModel
import MailStore
import MailSync
import ServiceLifecycle

/// Imports, for the API and the job queue. An import and its job have the same id. The store's row is the truth; the job
/// shows it, and cancelling the job cancels the import. What an import does never waits for a place of its job.
struct ServiceImports: ImportDesk, ServiceLifecycle.Service {
    let manager: SyncManager
    let queue: JobQueue
    let moves: ImportMoves
    let time: any TimeSource
    let logger: Logger

    func scan(_ selection: MailSelection, of account: AccountKey, atMost limit: Duration) async throws -> ImportScan? {
        try await manager.scan(selection, of: account, atMost: limit)
    }

    func scan(
        _ selection: MailSelection, of account: AccountKey, access token: Secret, atMost limit: Duration
    ) async throws -> ImportScan? {
        try await manager.scan(selection, of: account, access: token, atMost: limit)
    }

    func start(_ selection: MailSelection, of account: AccountKey, counted: ImportScan?) async throws -> StartedImport?
    {
        // Those that are cancelled by now are not to count.
        _ = try await imports(of: account.user)
        let job: JobID
        do {
            job = try await queue.enqueue(
                .import(into: account, parameters: try JobDocument(Parameters(selection)))
            ).id
        } catch let limit as TooManyJobs {
            throw CannotImport(limit.description)
        }
        do {
            let started = try await manager.startImport(
                selection, of: account, id: job.text, counted: counted?.figures)
            guard let started else {
                _ = try await queue.cancel(job)
                return nil
            }
            return StartedImport(id: started.id, jobID: job.text)
        } catch {
            _ = try await queue.cancel(job)
            throw error
        }
    }

    /// A paused import's job does not run, so nobody notices when it is cancelled: its import is cancelled here.
    func imports(of user: UserID) async throws -> [MailImport] {
        var entries = try await manager.imports(of: user)
        for (index, entry) in entries.enumerated() where entry.state == .paused {
            guard let job = JobID(entry.id), try await queue.job(job)?.state == .cancelled else { continue }
            entries[index] = try await manager.command(.cancel, import: entry.id, of: user) ?? entry
        }
        return entries
    }

    func command(_ command: ImportCommand, import id: String, of user: UserID) async throws -> MailImport? {
        guard let entry = try await manager.mailImport(id, of: user) else { return nil }
        guard let jobID = JobID(id) else { return try await manager.command(command, import: id, of: user) }
        let job = try await queue.job(jobID, of: user)
        // Somebody has cancelled the job: that is the last word.
        let wish = job?.state == .cancelled && !entry.state.isFinished ? .cancel : command
        let changed = try await manager.command(wish, import: id, of: user)
        if let job, let changed { try await tell(job, changed) }
        return changed
    }

    /// Has the job follow what became of its import. A running one notices by itself.
    private func tell(_ job: Job, _ entry: MailImport) async throws {
        switch entry.state {
        case .cancelled: _ = try await queue.cancel(job.id)
        case .scanning, .running: if job.isParked { _ = try await queue.resume(job.id) }
        case .paused, .completed, .failed: break
        }
    }

    /// Looks at imports whose job does not run: it may have been cancelled, or set aside a moment too late.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await entry in moves.unfollowed where entry.state.isActive {
                do {
                    try await look(at: entry)
                } catch {
                    // The import's next move asks again.
                    logger.warning("an import's job was not looked at", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    private func look(at entry: MailImport) async throws {
        guard let id = JobID(entry.id), let job = try await queue.job(id) else { return }
        if job.state == .cancelled {
            _ = try await manager.command(.cancel, import: entry.id, of: entry.account.user)
        } else if job.isParked {
            _ = try await queue.resume(id)
        }
    }

    // MARK: The job

    /// What an import's job carries.
    private struct Parameters: Codable, Sendable {
        var from: UnixSeconds?
        var until: UnixSeconds?
        var labels: [String]?

        init(_ selection: MailSelection) {
            from = selection.from
            until = selection.until
            labels = selection.labels.isEmpty ? nil : selection.labels
        }

        var selection: MailSelection { MailSelection(from: from, until: until, labels: labels ?? []) }
    }

    private struct Result: Codable, Sendable {
        var listed: Int
        var done: Int
        var known: Int
        var failed: Int
    }

    /// Shows how far the import is until it ends; begins it when that was not done.
    @Sendable func handle(_ job: Job, _ context: JobContext) async throws -> JobResult {
        guard let account = job.account else { throw JobFailure.noImport }
        let moves = moves.follow(job.id.text)
        do {
            let selection = try job.parameters.decode(Parameters.self).selection
            let began = try await manager.startImport(selection, of: account, id: job.id.text)
            guard began != nil, let entry = try await manager.mailImport(job.id.text, of: account.user) else {
                throw JobFailure.noImport
            }
            if let result = try await result(of: entry, job, context) { return result }
            for await entry in moves {
                if let result = try await result(of: entry, job, context) { return result }
            }
            throw CancellationError()
        } catch is CancellationError {
            // Written also though this task is cancelled.
            let last = Task { try await cancelIfUnwanted(job, account) }
            try await last.value
            throw CancellationError()
        }
    }

    /// What the job comes to; nil while the import goes on.
    private func result(of entry: MailImport, _ job: Job, _ context: JobContext) async throws -> JobResult? {
        let figures = entry.figures
        context.checkpoint(JobProgress(done: figures.listed, total: figures.estimated, text: "messages"))
        switch entry.state {
        case .scanning, .running: return nil
        case .paused: return .parked
        case .completed:
            return .completed(
                try JobDocument(
                    Result(listed: figures.listed, done: figures.done, known: figures.known, failed: figures.failed)))
        case .failed:
            throw JobFailure(
                code: entry.errorCode ?? "import_failed", entry.error ?? "the import failed", isPermanent: true)
        case .cancelled:
            // Then the runner ends this.
            _ = try await queue.cancel(job.id)
            return nil
        }
    }

    private func cancelIfUnwanted(_ job: Job, _ account: AccountKey) async throws {
        guard try await queue.job(job.id)?.isEnding == true else { return }
        _ = try await manager.command(.cancel, import: job.id.text, of: account.user)
    }
}

extension JobFailure {
    fileprivate static let noImport = JobFailure(
        code: "not_connected", "the account of the import is connected no longer", isPermanent: true)
}
