import MailModel

/// Writes requests that come at the same time in one transaction: a commit waits for the disk, and callers must not
/// wait for each other's.
actor JobIntake {
    /// Requests of one transaction.
    private static let batchMax = 256

    private struct Waiting {
        let request: JobRequest
        let continuation: CheckedContinuation<EnqueuedJob, any Error>
    }

    private let table: JobTable
    private let time: any TimeSource
    private var waiting: [Waiting] = []
    private var isWriting = false

    init(table: JobTable, time: any TimeSource) {
        self.table = table
        self.time = time
    }

    /// - Throws: ``TooManyJobs``, `AccountDatabaseFailure`.
    func add(_ request: JobRequest) async throws -> EnqueuedJob {
        try await withCheckedThrowingContinuation { continuation in
            waiting.append(Waiting(request: request, continuation: continuation))
            guard !isWriting else { return }
            isWriting = true
            // owner: the callers, who wait for what it writes; it ends when none does.
            Task { await writeAll() }
        }
    }

    private func writeAll() async {
        while !waiting.isEmpty {
            let batch = Array(waiting.prefix(Self.batchMax))
            waiting.removeFirst(batch.count)
            do {
                let outcomes = try await write(batch.map(\.request))
                for (one, outcome) in zip(batch, outcomes) { one.continuation.resume(with: outcome) }
            } catch {
                for one in batch { one.continuation.resume(throwing: error) }
            }
        }
        isWriting = false
    }

    private func write(_ requests: [JobRequest]) async throws -> [Result<EnqueuedJob, any Error>] {
        let nowMs = time.nowMilliseconds()
        return try await table.write { rows in
            try requests.map { request in
                do {
                    return .success(try rows.add(request, at: nowMs))
                } catch let refusal as TooManyJobs {
                    return .failure(refusal)
                }
            }
        }
    }
}
