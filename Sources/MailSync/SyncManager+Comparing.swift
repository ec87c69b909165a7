import MailModel

/// Comparing mailboxes with stores: the account's own worker does it, at the end of a pass.
extension SyncManager {
    /// Compares an account's mailbox with its store, after changes were read.
    ///
    /// - Parameter heals: emits what is found, with origin `repair`.
    /// - Throws: ``CannotCompare``, `CancellationError`.
    public func compare(_ key: AccountKey, heals: Bool) async throws -> MailboxFindings {
        let request = try await wantComparison(key, heals: heals)
        return try await withTaskCancellationHandler {
            try await request.value()
        } onCancel: {
            request.finish(.failure(CannotCompare("nobody waits for it any more")))
        }
    }

    private func wantComparison(_ key: AccountKey, heals: Bool) async throws -> ComparisonRequest {
        guard let worker = workers[key] else { throw CannotCompare("the account is not connected") }
        if worker.state == .parked { throw CannotCompare("the account waits for \(worker.waitingFor ?? "somebody")") }
        let stored = try await accounts(of: key.user).first { $0.key == key }?.stored
        guard let stored, stored.phase == .live else { throw CannotCompare("its mailbox was not read to the end yet") }
        if worker.comparison != nil || worker.comparing != nil { throw CannotCompare("it is being compared already") }
        guard workers[key] != nil else { throw CannotCompare("the account is not connected") }
        let request = ComparisonRequest(heals: heals)
        workers[key]?.comparison = request
        _ = wake(user: key.user, provider: key.provider, inbox: key.inbox)
        return request
    }

    func takeComparison(_ key: AccountKey, epoch: Int) -> ComparisonRequest? {
        guard let worker = workers[key], worker.epoch == epoch else { return nil }
        workers[key]?.comparison = nil
        workers[key]?.comparing = worker.comparison
        return worker.comparison
    }

    /// Nobody will compare the account soon.
    func refuseComparison(_ key: AccountKey, _ reason: String) {
        workers[key]?.comparison?.finish(.failure(CannotCompare(reason)))
        workers[key]?.comparison = nil
    }

    /// A pass ended. One that failed before it could compare will not do so soon.
    func endComparison(_ key: AccountKey, _ ending: PassEnding) {
        workers[key]?.comparing = nil
        switch ending {
        case .ended(.caughtUp), .ended(.importing), .ended(.sliceOver): return
        case .ended(.backingOff), .ended(.paused): refuseComparison(key, "syncing pauses")
        case .failed(let error): refuseComparison(key, "the pass before failed: \(error)")
        }
    }
}
