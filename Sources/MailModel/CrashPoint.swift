import Foundation

/// Places where the process can be made to die, so that tests can prove that dying there loses nothing.
///
/// `MAILSYNC_CRASH_AT=name:n` kills the process with SIGKILL when the point is reached for the n-th time. Unset, a
/// point costs one comparison.
public enum CrashPoint: String, Sendable, CaseIterable {
    /// A batch was fetched and normalised, nothing stored.
    case batchFetched = "batch-fetched"
    /// Everything is written, the transaction not yet committed.
    case beforeCommit = "before-commit"
    /// The transaction is committed, nobody was told.
    case afterCommit = "after-commit"
    /// A row was read from the outbox, nothing sent.
    case beforePublish = "before-publish"
    /// The stream acknowledged, the store does not know.
    case afterPublish = "after-publish"
    /// The store knows that a row is published.
    case afterConfirm = "after-confirm"
    /// The token endpoint answered with new tokens, they are not stored.
    case tokensReceived = "tokens-received"
    /// New tokens are stored, nobody uses them yet.
    case tokensStored = "tokens-stored"

    private struct Armed {
        let point: CrashPoint
        let at: Int
        let reached = Counter()
    }

    private static let armed: Armed? = {
        guard let text = ProcessInfo.processInfo.environment["MAILSYNC_CRASH_AT"] else { return nil }
        let parts = text.split(separator: ":")
        guard parts.count == 2, let point = CrashPoint(rawValue: String(parts[0])), let at = Int(parts[1]) else {
            return nil
        }
        return Armed(point: point, at: at)
    }()

    /// Dies here if the environment asks for it.
    public static func reach(_ point: CrashPoint) {
        guard let armed, armed.point == point, armed.reached.increment() == armed.at else { return }
        kill(getpid(), SIGKILL)
    }
}
