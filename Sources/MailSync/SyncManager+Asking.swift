import MailModel

/// How a pass ended, for who waited for it.
public struct PassReport: Sendable, Hashable {
    /// Events that the pass added.
    public var events = 0
    /// The provider has nothing now that is not stored. False without a failure: the rest follows by itself.
    public var isCaughtUp = false
    /// A push had announced that there is something.
    public var wasAnnounced = false
    /// The pass was begun by the clock, over a mailbox that was followed before: what it found, a push should have
    /// announced.
    public var wasPoll = false
    /// Events came of changes of the mailbox, and not only of what was read late or of an import.
    public var foundChanges = false
    /// Why it failed, or why there was none.
    public var failure: SyncFailure?

    public init(
        events: Int = 0, isCaughtUp: Bool = false, wasAnnounced: Bool = false, wasPoll: Bool = false,
        foundChanges: Bool = false, failure: SyncFailure? = nil
    ) {
        self.events = events
        self.isCaughtUp = isCaughtUp
        self.wasAnnounced = wasAnnounced
        self.wasPoll = wasPoll
        self.foundChanges = foundChanges
        self.failure = failure
    }
}

/// Somebody who waits for the end of a pass.
struct PassWaiter: Sendable {
    let id: Int
    /// The number of the pass that will do, or any later one.
    let pass: Int
    let continuation: CheckedContinuation<PassReport, any Error>
}

/// Asking for a pass, and waiting for how it ends.
extension SyncManager {
    /// Makes a pass due now and waits for the end of one that began after this call.
    ///
    /// - Throws: `CancellationError` when the caller is cancelled, or the service ends.
    public func sync(_ key: AccountKey) async throws -> PassReport {
        guard let worker = workers[key] else { return .refused("not_connected", "the account is not connected") }
        if worker.state == .parked { return .refused(worker) }
        _ = wake(user: key.user, provider: key.provider, inbox: key.inbox)
        return try await end(ofPass: worker.passes + 1, of: key)
    }

    /// Waits for the end of a pass that was asked for already, or of a later one.
    func end(ofPass pass: Int, of key: AccountKey) async throws -> PassReport {
        let id = newEpoch()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
                if let report = ended(pass, of: key) { return continuation.resume(returning: report) }
                workers[key]?.waiting.append(PassWaiter(id: id, pass: pass, continuation: continuation))
            }
        } onCancel: {
            // owner: nobody; it ends by itself at once.
            Task { await self.leave(key, id) }
        }
    }

    /// A push announced that a pass over the account may find something.
    ///
    /// - Returns: false when there is no such account.
    @discardableResult
    public func announce(_ key: AccountKey) -> Bool {
        guard let worker = workers[key] else { return false }
        worker.announced.raise()
        return wake(user: key.user, provider: key.provider, inbox: key.inbox) > 0
    }

    /// How the pass ended; nil while it has not.
    private func ended(_ pass: Int, of key: AccountKey) -> PassReport? {
        guard let worker = workers[key] else { return .refused("not_connected", "the account is not connected") }
        if let ended = worker.ended, ended.pass >= pass { return ended.report }
        return worker.state == .parked ? .refused(worker) : nil
    }

    private func leave(_ key: AccountKey, _ id: Int) {
        guard let index = workers[key]?.waiting.firstIndex(where: { $0.id == id }) else { return }
        workers[key]?.waiting.remove(at: index).continuation.resume(throwing: CancellationError())
    }

    /// Tells everybody who waits for a pass up to the present one how it ended.
    func tellWaiting(_ key: AccountKey, _ report: PassReport) {
        guard let worker = workers[key], !worker.waiting.isEmpty else { return }
        workers[key]?.waiting = worker.waiting.filter { $0.pass > worker.passes }
        for waiter in worker.waiting where waiter.pass <= worker.passes {
            waiter.continuation.resume(returning: report)
        }
    }

    /// Nobody will make a pass soon.
    func refuseWaiting(_ worker: AccountWorker, _ failure: SyncFailure?) {
        workers[worker.key]?.waiting = []
        for waiter in worker.waiting {
            if let failure {
                waiter.continuation.resume(returning: PassReport(failure: failure))
            } else {
                waiter.continuation.resume(throwing: CancellationError())
            }
        }
    }
}

extension PassReport {
    static func refused(_ code: String, _ message: String) -> PassReport {
        PassReport(failure: SyncFailure(.retry(after: nil, scope: .account), code: code, message))
    }

    static func refused(_ worker: AccountWorker) -> PassReport {
        refused("parked", "the account waits for \(worker.waitingFor ?? "somebody")")
    }
}
