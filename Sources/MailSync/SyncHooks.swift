import MailModel
import MailStore

/// How supervision is tied to the rest of the process; given by the composition root.
public struct SyncHooks: Sendable {
    /// The user's store committed something: the dispatcher has work.
    public var committed: @Sendable (UserID) -> Void
    /// What is in the way of writing more, if anything: the disk's reserve is used up.
    public var obstacle: @Sendable () -> String?

    /// The user's store is older than the stream: nothing may be synced into it before it is filled from there.
    public var behind: @Sendable (UserID) async -> Void

    /// A pass ended, whoever wanted it. Never blocks.
    public var passEnded: @Sendable (AccountKey, PassReport) -> Void

    /// An import moved, or its state changed. Never blocks.
    public var importMoved: @Sendable (MailImport) -> Void

    public init(
        committed: @escaping @Sendable (UserID) -> Void, obstacle: @escaping @Sendable () -> String? = { nil },
        behind: @escaping @Sendable (UserID) async -> Void = { _ in },
        passEnded: @escaping @Sendable (AccountKey, PassReport) -> Void = { _, _ in },
        importMoved: @escaping @Sendable (MailImport) -> Void = { _ in }
    ) {
        self.committed = committed
        self.obstacle = obstacle
        self.behind = behind
        self.passEnded = passEnded
        self.importMoved = importMoved
    }
}
