/// A credential. Prints as `<redacted>` wherever it is printed.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The credential itself: only for the wire and the vault.
    public let revealed: String
    public init(_ value: String) { revealed = value }
    public var description: String { "<redacted>" }
    public var debugDescription: String { "<redacted>" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// An account's access tokens. Implemented by the token vault.
public protocol AccessTokens: Sendable {
    /// A token that is valid for at least the next minute, refreshed when needed.
    ///
    /// - Throws: ``SyncFailure``; `reauthenticate` when the grant is gone for good.
    func current() async throws -> Secret
    /// A token other than `rejected`, which the provider answered with 401. Concurrent callers share one refresh.
    ///
    /// - Throws: ``SyncFailure``.
    func replacing(_ rejected: Secret) async throws -> Secret
}

/// An account's share of the provider's quota, in the provider's own units.
public protocol QuotaBudget: Sendable {
    /// Returns when `units` may be spent.
    ///
    /// - Throws: `CancellationError`.
    func spend(_ units: Int) async throws
    /// The provider said to slow down: nothing is granted for this long.
    func throttled(for duration: Duration) async
}

/// What the store knows of an account's messages: the adapter's only view of it.
public protocol KnownMessages: Sendable {
    /// The ids among these that are neither stored nor retried by the gap ledger, in the given order.
    func unknown(among ids: [String]) async throws -> [String]
    /// The stored state of those of the ids that are stored.
    func states(of ids: [String]) async throws -> [String: MessageState]
    /// Messages that exist according to the store, ordered by id, after `id` (nil: from the start), `limit` at most.
    func present(after id: String?, limit: Int) async throws -> [MessageState]
    /// Messages of one folder that exist according to the store and were last read below `version`, ordered by id, after
    /// `id` (nil: from the start), `limit` at most.
    func present(
        inFolder folder: String, below version: UInt64, after id: String?, limit: Int
    ) async throws -> [MessageState]
    /// The ids of pending removals, in order, after `id` (nil: from the start), `limit` at most.
    func pendingRemovals(after id: String?, limit: Int) async throws -> [String]
}

/// The stored state of one message.
public struct MessageState: Sendable, Hashable {
    public var id: String
    /// Sorted label ids.
    public var labels: [String]
    public var version: UInt64
    /// False when the message is known to be gone.
    public var exists: Bool
    /// The provider's id of the folder it lies in; nil where mailboxes have no folders.
    public var folder: String?

    public init(id: String, labels: [String], version: UInt64, exists: Bool, folder: String? = nil) {
        self.id = id
        self.labels = labels
        self.version = version
        self.exists = exists
        self.folder = folder
    }
}

/// What a mailbox says of itself.
public struct MailboxProfile: Sendable, Hashable {
    /// Stable identity of the mailbox, compared when an account is connected again (Gmail: the lower-cased address).
    public var identity: String
    public var messagesTotal: Int
    /// Where changes are to be followed from, when nothing has been read yet: taken *before* the first listing, so
    /// that mail arriving during the backfill is not missed.
    public var startingCursor: Cursor

    public init(identity: String, messagesTotal: Int, startingCursor: Cursor) {
        self.identity = identity
        self.messagesTotal = messagesTotal
        self.startingCursor = startingCursor
    }
}

/// One provider's adapter.
public protocol MailProvider: Sendable {
    var kind: ProviderKind { get }
    /// Opens a session on one mailbox. Does no I/O.
    ///
    /// - Parameter since: only messages dated at or after this are in scope.
    func session(since: UnixSeconds?, tokens: any AccessTokens, budget: any QuotaBudget) -> any MailboxSession
    /// The announcements of one mailbox's changes; nil when the operator's settings do not have them. Does no I/O.
    func pushes(tokens: any AccessTokens, budget: any QuotaBudget) -> (any MailboxPushes)?
    /// How often the folders of its mailboxes are asked; nil where mailboxes have no folders.
    var folderSchedule: FolderSchedule? { get }
}

extension MailProvider {
    public var folderSchedule: FolderSchedule? { nil }

    public func pushes(tokens: any AccessTokens, budget: any QuotaBudget) -> (any MailboxPushes)? { nil }
}

/// A conversation with one mailbox, for the length of one pass. Its functions are called one at a time, and every
/// batch is committed before the next call: no metadata that was fetched but not committed exists when changes are
/// asked for (else a message deleted meanwhile would come back as a ghost).
///
/// Every function throws ``SyncFailure`` (mapped) or `CancellationError`, nothing else.
public protocol MailboxSession: Sendable {
    func profile() async throws -> MailboxProfile
    /// What changed since the cursor. Throws `resync` when the cursor is too old.
    func changes(since cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch
    /// Like ``changes(since:known:)``, but only of the folders that are due. For passes that nobody asked for; where mailboxes
    /// have no folders it is the same.
    func dueChanges(
        since cursor: Cursor, known: any KnownMessages, schedule: FolderSchedule
    ) async throws -> ChangeBatch
    /// The next messages of the mailbox's content, newest first. The batch's phase is `live` when it was the last.
    /// Not called when the cursor's phase is `live`.
    func backfill(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch
    /// The differences between store and provider, after a `resync`: call until `more` is false. Only the last
    /// batch's cursor differs from the one given.
    func repair(from cursor: Cursor, known: any KnownMessages) async throws -> ChangeBatch
    /// Reads single messages again (the gap ledger's retries). The cursor is returned unchanged; a message that
    /// still cannot be read is in `gaps`, one that no longer exists in `vanished`.
    ///
    /// - Parameter anyDate: also messages dated before the session's `since` are in scope: an import wanted them.
    func read(ids: [String], cursor: Cursor, phase: SyncPhase, anyDate: Bool) async throws -> ChangeBatch
    /// One page of what the mailbox holds now: ids only, at the provider's cheapest, each message at least once. Moves no
    /// cursor. For comparing with the store, and for learning what a lost store knew.
    ///
    /// - Parameter position: where the page before ended; nil for the first.
    func list(from position: Cursor?) async throws -> MailboxListing
    /// The next messages of a selection that the store does not know, newest first, 100 at most; what is known costs
    /// no quota beyond the listing. The session's `since` does not apply. The account's cursor is returned unchanged.
    ///
    /// A place in a listing that the provider no longer knows is found again by listing anew: whoever calls need not care.
    ///
    /// - Parameters:
    ///   - position: where the call before ended; nil for the first.
    ///   - cursor: the account's, for what the adapter keeps there.
    /// - Throws: ``SyncFailure``; `skip`, with a code of ``SelectionRefusal``, when the selection is impossible.
    func fetch(
        _ selection: MailSelection, from position: Cursor?, cursor: Cursor, phase: SyncPhase, known: any KnownMessages
    ) async throws -> ImportBatch
    /// One page of what a selection holds: ids only, at the provider's cheapest, for counting. Moves no cursor.
    ///
    /// - Parameter position: where the page before ended; nil for the first.
    /// - Throws: as ``fetch(_:from:cursor:phase:known:)``; `restartListing` when the place is no longer known.
    func scan(_ selection: MailSelection, from position: Cursor?) async throws -> SelectionPage
}

extension MailboxSession {
    /// Reads single messages again, within the session's `since`.
    public func read(ids: [String], cursor: Cursor, phase: SyncPhase) async throws -> ChangeBatch {
        try await read(ids: ids, cursor: cursor, phase: phase, anyDate: false)
    }
}

extension MailboxSession {
    public func dueChanges(
        since cursor: Cursor, known: any KnownMessages, schedule: FolderSchedule
    ) async throws -> ChangeBatch {
        try await changes(since: cursor, known: known)
    }
}

/// One page of what a mailbox holds.
public struct MailboxListing: Sendable, Hashable {
    /// Messages that would be received if they were new. ``MailProvider/session(since:tokens:budget:)``'s `since` may
    /// not be applied where the provider's listing cannot.
    public var inScope: [String]
    /// Messages that exist but would not be received: spam, trash, drafts … A message may be in ``inScope`` of another
    /// page as well; then this one counts.
    public var outOfScope: [String]
    /// Where the next page begins; nil after the last.
    public var next: Cursor?

    public init(inScope: [String] = [], outOfScope: [String] = [], next: Cursor? = nil) {
        self.inScope = inScope
        self.outOfScope = outOfScope
        self.next = next
    }
}
