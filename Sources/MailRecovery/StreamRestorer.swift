import Logging
import MailModel
import MailStore

/// Fills one user's store from the stream: everything the stream holds above what the store has, row for row, in pages of
/// one transaction each. Interrupted at any place, the next call goes on there.
public struct StreamRestorer: Sendable {
    /// Messages stored in one transaction, at most.
    static let pageMessages = 500
    /// Payload bytes held at once; the message that reaches it is the page's last.
    static let pageBytes = 4 * 1024 * 1024

    let stores: UserStores
    let archive: any EventArchive
    let time: any TimeSource
    let logger: Logger

    public init(stores: UserStores, archive: any EventArchive, time: any TimeSource, logger: Logger) {
        self.stores = stores
        self.archive = archive
        self.time = time
        self.logger = logger
    }

    /// - Parameters:
    ///   - connected: the user's accounts that are connected.
    ///   - floor: what the registry knows of the user's numbers.
    ///   - progress: told after every page.
    /// - Throws: ``PublisherUnavailable``, `StoreFailure`, `CancellationError`.
    public func run(
        _ user: UserID, connected: [AccountKey], floor: SequenceFloor,
        progress: @Sendable (RestoreReport) async -> Void
    ) async throws -> RestoreResult {
        let stream = try await archive.streamState()
        let target = try await archive.lastStored(of: user)?.seq ?? 0
        var at = try await begin(user, stream)
        while true {
            try Task.checkCancellation()
            await progress(RestoreReport(lastSeq: at.lastSeq, targetSeq: max(target, at.lastSeq)))
            let page = try await page(of: user, from: at.nextStreamSequence)
            if page.isEmpty { break }
            let now = time.now()
            at = try await stores.use(user) { store in
                try await store.write { try $0.restore(page, stream: stream.created, at: now) }
            }
        }
        let now = time.now()
        let result = try await stores.use(user) { store in
            try await store.write { try $0.finishRestoring(connected: connected, floor: floor, at: now) }
        }
        logger.notice(
            "a store was filled from the stream",
            metadata: ["user": "\(user)", "last_seq": "\(result.lastSeq)", "missing": "\(result.missing)"])
        return result
    }

    private func begin(_ user: UserID, _ stream: StreamState) async throws -> RestoreProgress {
        let now = time.now()
        return try await stores.use(user) { store in
            try await store.write { try $0.beginRestoring(from: stream.created, at: now) }
        }
    }

    private func page(of user: UserID, from start: UInt64) async throws -> [ArchivedMessage] {
        var page: [ArchivedMessage] = []
        var bytes = 0
        var next = start
        while page.count < Self.pageMessages, bytes < Self.pageBytes {
            guard let message = try await archive.message(of: user, from: next) else { break }
            page.append(message)
            bytes += message.payload.count
            next = message.streamSequence + 1
        }
        return page
    }
}

/// How far a restoration is.
public struct RestoreReport: Sendable, Hashable {
    public var lastSeq: Int64
    /// The stream's last event number of the user when it began.
    public var targetSeq: Int64
}
