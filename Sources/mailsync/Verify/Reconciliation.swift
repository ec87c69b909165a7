import Foundation
import Logging
import MailModel
import MailStore
import MailSync
import ServiceLifecycle

/// Verifies every account now and then in the background, one at a time, and heals what it finds. Each account has its
/// own moment within the interval, so that they do not come together.
struct Reconciliation: ServiceLifecycle.Service {
    /// How often it is looked who is due, at most.
    private static let checkIntervalMax: Duration = .seconds(60)
    private static let checkIntervalMin: Duration = .milliseconds(500)

    let verifier: Verifier
    let manager: SyncManager
    /// `VERIFY_INTERVAL`; zero never verifies.
    let interval: Duration
    let time: any TimeSource
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            let startedAt = time.now()
            var slots = VerificationSlots(intervalSeconds: interval.milliseconds / 1000, startedAt: startedAt)
            while !Task.isCancelled {
                do {
                    // Woken by its end as well.
                    try await time.sleep(for: checkInterval)
                    if interval > .zero { try await verifyDue(&slots) }
                } catch is CancellationError {
                    return
                } catch {
                    logger.error("accounts are not verified now", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    private var checkInterval: Duration {
        interval > .zero ? min(Self.checkIntervalMax, max(Self.checkIntervalMin, interval / 4)) : Self.checkIntervalMax
    }

    private func verifyDue(_ slots: inout VerificationSlots) async throws {
        for account in try await manager.allAccounts() {
            guard let stored = account.stored, stored.phase == .live, !account.isParked,
                slots.isDue(account.key, verifiedAt: stored.lastVerifiedAt, now: time.now())
            else { continue }
            try Task.checkCancellation()
            slots.noteTried(account.key, at: time.now())
            await verify(account.key)
        }
    }

    private func verify(_ key: AccountKey) async {
        let options = VerificationOptions(againstProvider: true, repairs: true, accounts: [key])
        do {
            guard let verification = try await verifier.verify(key.user, options) else { return }
            logger.log(
                level: verification.agrees ? .info : .error, "account verified: \(verification.line)",
                metadata: [
                    "account": "\(key)", "left": "\(verification.left)",
                    "not_checked": "\(verification.unchecked.joined(separator: "; "))",
                ])
        } catch is CancellationError {
            return
        } catch {
            logger.error("an account cannot be verified", metadata: ["account": "\(key)", "error": "\(error)"])
        }
    }
}

/// When each account is verified: once an interval, at a moment that follows from its name. Pure.
struct VerificationSlots: Sendable {
    /// An account that could not be verified is tried again after so long.
    static let retrySeconds: Int64 = 3_600

    let intervalSeconds: Int64
    let startedAt: UnixSeconds
    private var triedAt: [AccountKey: UnixSeconds] = [:]

    init(intervalSeconds: Int64, startedAt: UnixSeconds) {
        self.intervalSeconds = intervalSeconds
        self.startedAt = startedAt
    }

    /// Verifying by hand puts the next time off: two are never closer together than half an interval.
    ///
    /// - Parameter verifiedAt: nil when the account was never verified: it is, at its first moment after the start.
    func isDue(_ account: AccountKey, verifiedAt: UnixSeconds?, now: UnixSeconds) -> Bool {
        guard intervalSeconds > 0 else { return false }
        if let tried = triedAt[account], now - tried < min(Self.retrySeconds, intervalSeconds) { return false }
        return now >= first(account, from: verifiedAt.map { $0 + intervalSeconds / 2 } ?? startedAt)
    }

    mutating func noteTried(_ account: AccountKey, at now: UnixSeconds) { triedAt[account] = now }

    /// The account's first moment at or after `time`.
    func first(_ account: AccountKey, from time: UnixSeconds) -> UnixSeconds {
        let offset = Int64(Self.hash(account.description) % UInt64(intervalSeconds))
        let since = (time - offset) % intervalSeconds
        let rest = since < 0 ? since + intervalSeconds : since
        return rest == 0 ? time : time + intervalSeconds - rest
    }

    /// FNV-1a: the same in every process.
    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
