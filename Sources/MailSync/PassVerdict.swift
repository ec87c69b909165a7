import MailModel

/// How a pass ended.
enum PassEnding: Sendable {
    case ended(PassResult)
    case failed(any Error)
}

/// What follows from how a pass ended: when the account is due again, or why it is parked. Pure.
struct PassVerdict: Sendable, Hashable {
    enum Next: Sendable, Hashable {
        /// Up to date: due again when its schedule says so.
        case onSchedule
        /// Due again after this long.
        case again(after: Duration)
        /// Not tried again until somebody connects.
        case park(Parking)
        /// The pass was cancelled; whoever cancelled it decides.
        case none
    }

    enum Parking: Sendable, Hashable {
        case reauthenticate
        case wrongMailbox
        case storeBehindStream
    }

    var next: Next
    var failures: Int
    /// Shown to users and operators; nil when the account is fine.
    var waitingFor: String?
    /// What went wrong, with a stable code; safe to print.
    var failure: SyncFailure?
    /// Every account of the provider waits this long.
    var blockProject: Duration?

    /// What a parked account waits for when its grant is gone.
    static let waitingForUser = "the user to sign in again"

    /// What a parked account waits for when its store is behind the stream.
    static let waitingForRebuild = "the store to be rebuilt"

    /// - Parameter random: uniform in 0..<1, for jitter.
    static func decide(_ ending: PassEnding, failures: Int, settings: SyncSettings, random: Double) -> PassVerdict {
        switch ending {
        case .ended(.caughtUp):
            return PassVerdict(next: .onSchedule, failures: 0)
        case .ended(.sliceOver), .ended(.importing):
            return PassVerdict(next: .again(after: .zero), failures: 0)
        case .ended(.backingOff(let rest, failures: let earlier)):
            return PassVerdict(
                next: .again(after: rest), failures: earlier, waitingFor: "back-off from before the start")
        case .ended(.paused(let reason)):
            return PassVerdict(next: .again(after: settings.pauseRetry), failures: failures, waitingFor: reason)
        case .failed(let error):
            return failed(error, failures: failures + 1, settings: settings, random: random)
        }
    }

    private static func failed(
        _ error: any Error, failures: Int, settings: SyncSettings, random: Double
    ) -> PassVerdict {
        switch error {
        case is CancellationError:
            return PassVerdict(next: .none, failures: failures - 1)
        case is WrongMailbox:
            let failure = SyncFailure(
                .stop, code: "wrong_mailbox",
                "the tokens open a different mailbox than the one connected before; connect with the first mailbox, "
                    + "or under another inbox_id")
            return PassVerdict(
                next: .park(.wrongMailbox), failures: failures, waitingFor: "tokens of the right mailbox",
                failure: failure)
        case is StoreBehindStream:
            let failure = SyncFailure(
                .stop, code: "store_behind_stream",
                "the stream holds later events of this user than the store; nothing is synced or published")
            return PassVerdict(
                next: .park(.storeBehindStream), failures: failures, waitingFor: waitingForRebuild,
                failure: failure)
        case let failure as SyncFailure:
            return syncFailed(failure, failures: failures, settings: settings, random: random)
        default:
            let failure = SyncFailure(.retry(after: nil, scope: .account), code: "internal", String(describing: error))
            return syncFailed(failure, failures: failures, settings: settings, random: random)
        }
    }

    private static func syncFailed(
        _ failure: SyncFailure, failures: Int, settings: SyncSettings, random: Double
    ) -> PassVerdict {
        let backoff = settings.backoff.delay(failures: failures, random: random)
        var verdict = PassVerdict(
            next: .again(after: backoff), failures: failures, waitingFor: "back-off after \(failure.code)",
            failure: failure)
        switch failure.decision {
        case .reauthenticate:
            verdict.next = .park(.reauthenticate)
            verdict.waitingFor = waitingForUser
        case .stop:
            verdict.next = .again(after: settings.backoff.longest)
            verdict.waitingFor = "an operator: \(failure.code)"
        case .retry(let after, let scope):
            let wait = max(after ?? .zero, backoff)
            verdict.next = .again(after: wait)
            if scope == .project { verdict.blockProject = wait }
        case .resync, .restartListing, .skip:
            break
        }
        return verdict
    }
}

/// The stream holds later events of the user than the store: a restored or lost store, which must not number events
/// anew.
struct StoreBehindStream: Error, Sendable {}
