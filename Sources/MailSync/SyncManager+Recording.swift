import Logging
import MailModel
import MailStore

extension SyncManager {
    /// Writes how a pass ended into the user's store, so that status survives a restart.
    func recordEnding(_ key: AccountKey, epoch: Int, _ ending: PassEnding, _ verdict: PassVerdict) async {
        if let failure = verdict.failure {
            failures.note(failure.code, at: time.now())
            log(failure, verdict, of: key)
        }
        guard let status = statusChange(ending, verdict) else { return }
        if case .park(.reauthenticate) = verdict.next {
            await markReauthRequired(key, epoch: epoch, verdict.failure?.message ?? "")
        }
        do {
            try await write(status, for: key, epoch: epoch)
        } catch {
            // The pass's own outcome stands; the next pass writes the status again.
            logger.error("status not written", metadata: ["account": "\(key)", "error": "\(error)"])
        }
    }

    /// Tells who waits for the pass, and who watches all of them, how it ended.
    func reportEnding(_ key: AccountKey, _ ending: PassEnding, _ verdict: PassVerdict) {
        guard let worker = workers[key] else { return }
        var report = PassReport(failure: verdict.failure)
        report.events = max(0, (worker.stored?.events ?? 0) - (worker.eventsBefore ?? 0))
        report.wasAnnounced = worker.wasAnnounced.isRaised || worker.announced.isRaised
        report.wasPoll = worker.isPoll
        report.foundChanges = worker.foundChanges.isRaised
        switch ending {
        case .ended(.caughtUp), .ended(.importing): report.isCaughtUp = true
        case .ended(.paused(let reason)):
            report.failure = SyncFailure(
                .retry(after: nil, scope: .account), code: "paused", "syncing pauses: \(reason)")
        case .ended(.backingOff):
            report.failure = SyncFailure(
                .retry(after: nil, scope: .account), code: "backing_off", "the back-off after a failure is not over")
        case .ended(.sliceOver), .failed: break
        }
        workers[key]?.ended = (worker.passes, report)
        if report.events > 0 { workers[key]?.changedAt = time.nowMilliseconds() }
        if report.isCaughtUp { workers[key]?.caughtUpAt = time.nowMilliseconds() }
        tellWaiting(key, report)
        hooks.passEnded(key, report)
    }

    private func statusChange(_ ending: PassEnding, _ verdict: PassVerdict) -> StatusChange? {
        switch verdict.next {
        case .none: return nil
        case .onSchedule: return .succeeded
        case .park(.wrongMailbox): return .wrongMailbox(message: verdict.failure?.message ?? "")
        case .park(.reauthenticate): return .reauthRequired(message: verdict.failure?.message ?? "")
        case .park(.storeBehindStream): return .behindStream(message: verdict.failure?.message ?? "")
        case .again(let wait):
            guard let failure = verdict.failure else {
                if case .ended(.importing) = ending { return .succeeded }
                return nil
            }
            let next = (time.nowMilliseconds() + wait.milliseconds) / 1000
            return .failed(
                code: failure.code, message: failure.message, retryCount: verdict.failures, nextAttemptAt: next)
        }
    }

    private func write(_ status: StatusChange, for key: AccountKey, epoch: Int) async throws {
        let now = time.now()
        let stored = try await stores.useExisting(key.user) { store in
            try await store.write { transaction -> AccountSync? in
                guard try transaction.reader.account(key) != nil else { return nil }
                try transaction.setStatus(key, status, at: now)
                if case .reauthRequired(let message) = status {
                    _ = try transaction.record(
                        .reauthRequired(reason: message), of: key, origin: .incremental, at: now)
                }
                return try transaction.reader.account(key)
            }
        }
        hooks.committed(key.user)
        if let stored = stored ?? nil, workers[key]?.epoch == epoch { workers[key]?.stored = stored }
    }

    private func markReauthRequired(_ key: AccountKey, epoch: Int, _ reason: String) async {
        do {
            // Tokens that a connect has just brought are not the ones that failed.
            guard let account = try await vault.account(key), workers[key]?.epoch == epoch, commands[key] == nil
            else { return }
            try await vault.markReauthRequired(key, version: account.version, reason: reason, at: time.now())
        } catch {
            logger.error("reauthentication not recorded", metadata: ["account": "\(key)", "error": "\(error)"])
        }
    }

    private func log(_ failure: SyncFailure, _ verdict: PassVerdict, of key: AccountKey) {
        let metadata: Logger.Metadata = [
            "account": "\(key)", "code": "\(failure.code)", "failures": "\(verdict.failures)",
            "waiting_for": "\(verdict.waitingFor ?? "-")",
        ]
        let alarm = failure.decision == .stop
        logger.log(level: alarm ? .error : .warning, "pass failed: \(failure.message)", metadata: metadata)
    }
}
