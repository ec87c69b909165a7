import Dispatch
import Logging
import MailModel

/// All users' stores. An open file costs descriptors and memory, so the least recently used are closed when more than
/// `openMax` are open; one in use stays open. A file is never open twice.
public actor UserStores {
    let files: StoreFiles
    let openMax: Int
    let time: any TimeSource
    let logger: Logger
    let floor: @Sendable (UserID) async throws -> SequenceFloor
    let reserve: (@Sendable (UserID, Int64) async throws -> Void)?
    private let blocking = DispatchQueue(label: "mailsync.store.files", attributes: .concurrent)
    var slots: [UserID: StoreSlot] = [:]
    /// Slots that hold a file, or are about to.
    var openCount = 0
    /// Grows with every use: the order in which stores were used.
    var useCount = 0
    var isClosed = false
    /// Users whose file was closed with unpublished events; nil until the list was read.
    var unpublished: Set<UserID>?

    /// - Parameters:
    ///   - directory: `DATA_DIR/users`; made when the first store is.
    ///   - openMax: files kept open; more are open while more are in use.
    ///   - floor: below which a user's event numbers and generation must not start.
    ///   - reserve: raises that floor; event numbers above it are not given out before.
    public init(
        directory: String, openMax: Int = 256, time: any TimeSource, logger: Logger,
        reserve: (@Sendable (UserID, Int64) async throws -> Void)? = nil,
        floor: @escaping @Sendable (UserID) async throws -> SequenceFloor = { _ in .none }
    ) {
        files = StoreFiles(directory: directory)
        self.openMax = max(1, openMax)
        self.time = time
        self.logger = logger
        self.floor = floor
        self.reserve = reserve
    }

    /// Hands the user's store to `body`, made when there is none, and keeps it open while `body` runs.
    ///
    /// - Throws: ``StoreFailure``, or what `body` throws.
    public func use<R: Sendable>(
        _ user: UserID, _ body: @Sendable (UserStore) async throws -> R
    ) async throws -> R {
        let store = try await pin(user)
        do {
            let result = try await body(store)
            await unpin(user)
            return result
        } catch {
            await unpin(user)
            throw error
        }
    }

    /// Like ``use(_:_:)``, but nil when the user has no store.
    public func useExisting<R: Sendable>(
        _ user: UserID, _ body: @Sendable (UserStore) async throws -> R
    ) async throws -> R? {
        if slots[user] == nil {
            guard try await offPool({ [files] in files.exists(user) }) else { return nil }
        }
        return try await use(user, body)
    }

    /// The users that have a store on disk.
    public func users() async throws -> [UserID] {
        try await offPool { [files] in try files.users() }
    }

    /// The users that may have unpublished events after the last end of the program: their file was not closed, or
    /// was closed with such events.
    public func usersLeftDirty() async throws -> [UserID] {
        let listed = try await unpublishedList()
        let dirty = try await offPool { [files] in
            try files.users().filter { listed.contains($0) || files.isDirty($0) }
        }
        return dirty.sorted { $0.encoded < $1.encoded }
    }

    /// How many files are open.
    public var openFiles: Int { openCount }

    /// Checkpoints and closes every file, and saves the list of users with unpublished events. Waits for whoever
    /// still uses one. Afterwards no store can be used.
    public func close() async {
        isClosed = true
        while let user = slots.first(where: { !$0.value.isQuarantined })?.key { await shut(user) }
        guard let unpublished else { return }
        do {
            try await offPool { [files] in try files.saveUnpublished(unpublished) }
        } catch {
            logger.error("cannot save the list of users with unpublished events", metadata: ["error": "\(error)"])
        }
    }

    /// Runs what blocks on a thread of its own kind.
    func offPool<R: Sendable>(_ work: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            blocking.async { continuation.resume(with: Result(catching: work)) }
        }
    }
}
