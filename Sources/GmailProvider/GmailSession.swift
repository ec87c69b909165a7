import Logging
import MailModel
import ProviderClient

/// A conversation with one Gmail mailbox.
///
/// Holds ids between calls, never metadata: what was fetched leaves with the batch it was fetched for. Losing the
/// session loses nothing but the place inside a page; the store knows what was read.
actor GmailSession: MailboxSession {
    let api: GmailAPI
    let reader: GmailReader
    /// How many messages are read at once, whoever wants them.
    let parallelism: Parallelism
    let since: UnixSeconds?
    let logger: Logger

    /// Changes that were asked for and not handed out yet.
    var answer: HistoryAnswer?
    /// The page of the listing that is being read.
    var page: ListedPage?
    var repair: RepairScan?
    /// Pages of imports' listings, by where the imports stand.
    var importPages: [HeldImportPage.Place: HeldImportPage] = [:]
    /// Messages read for the next batch of a backfill.
    var backfillSize = GmailSession.readMax
    /// Label ids read in this session; nil before.
    private var knownLabels: Set<String>?
    private var labelsReadAt: UnixSeconds?
    private var estimatedTotal: Int?
    /// False once Gmail refused to search with the granted scope.
    private var maySearch = true
    private var restarts = 0
    private var pages = ListingGuard(provider: GmailFailure.provider)

    init(api: GmailAPI, since: UnixSeconds?, logger: Logger) {
        self.api = api
        self.since = since
        self.logger = logger
        let normalizer = GmailNormalizer(headers: api.configuration.headers, since: since)
        parallelism = api.configuration.reading.parallelism
        reader = GmailReader(source: GmailSource(api: api, normalizer: normalizer), parallelism: parallelism)
    }

    /// Messages fetched for one batch.
    static let readMax = 100

    func profile() async throws -> MailboxProfile {
        let profile = try await api.profile()
        guard let address = profile.emailAddress, !address.isEmpty, let history = profile.historyId?.unsigned else {
            throw GmailFailure.unreadable(.profile)
        }
        let total = Int(clamping: max(0, profile.messagesTotal?.value ?? 0))
        estimatedTotal = total
        return MailboxProfile(
            identity: address.lowercased(), messagesTotal: total,
            startingCursor: GmailCursor(historyID: history).cursor)
    }

    func read(ids: [String], cursor: Cursor, phase: SyncPhase, anyDate: Bool) async throws -> ChangeBatch {
        let reader = anyDate ? reader(of: MailSelection()) : reader
        let outcome = try await reader.read(ids.filter(GmailID.isValid), known: nil)
        var batch = ChangeBatch(origin: .incremental, cursor: cursor, phase: phase)
        batch.take(outcome, order: ids)
        return handOut(batch)
    }

    /// The end of every batch.
    func handOut(_ batch: ChangeBatch) -> ChangeBatch {
        var batch = batch
        batch.estimatedTotal = estimatedTotal
        CrashPoint.reach(.batchFetched)
        return batch
    }

    /// The ids of a listing that can be asked for.
    func ids(of list: GmailWire.MessageList) -> [String] {
        let listed = list.messages ?? []
        let ids = listed.compactMap(\.id).filter(GmailID.isValid)
        if ids.count < listed.count {
            logger.warning("listed messages without a usable id", metadata: ["count": "\(listed.count - ids.count)"])
        }
        return ids
    }

    /// A listing's next page token.
    ///
    /// - Throws: `retry` when the listing does not come to an end.
    func nextToken(_ next: String?, after current: String?, isEmpty: Bool) throws(SyncFailure) -> String? {
        try pages.next(next, after: current, isEmpty: isEmpty)
    }

    func nextToken(_ list: GmailWire.MessageList, after current: String?) throws(SyncFailure) -> String? {
        try nextToken(list.nextPageToken, after: current, isEmpty: list.messages?.isEmpty ?? true)
    }

    /// Lists messages within ``since``, by searching as long as the granted scope allows it.
    func list(_ listing: GmailAPI.Listing) async throws -> GmailWire.MessageList {
        var listing = listing
        listing.since = maySearch ? since : nil
        do {
            return try await api.list(listing)
        } catch let failure as SyncFailure where failure.code == GmailFailure.Code.queryRefused && listing.since != nil
        {
            maySearch = false
            listing.since = nil
            return try await api.list(listing)
        }
    }

    /// Listings leave out what is older than ``since``.
    var narrowsListings: Bool { maySearch && since != nil }

    /// Starts the listing over.
    ///
    /// - Throws: `failure` when this happened too often in one session.
    func restartListing(_ failure: SyncFailure) throws {
        restarts += 1
        if restarts > 3 {
            throw SyncFailure(.retry(after: nil, scope: .account), code: failure.code, failure.message)
        }
    }

    /// The mailbox's labels when they are due: never read, read too long ago, or one is named that is unknown.
    func labelsIfDue(_ position: GmailCursor, naming named: Set<String> = []) async throws -> [MailLabel]? {
        let now = api.calls.time.now()
        let last = max(labelsReadAt ?? 0, position.labelsReadAt ?? 0)
        let isFresh = last > 0 && now - last < api.configuration.labelsInterval.milliseconds / 1000
        let known = knownLabels ?? GmailLabels.system
        if isFresh, named.isSubset(of: known) { return nil }
        let labels = try await api.labels()
        // What is named but not listed was deleted meanwhile: it is not asked for again.
        knownLabels = GmailLabels.system.union(labels.map(\.id)).union(named)
        labelsReadAt = now
        return labels
    }

    /// The resume point with what this session knows of labels.
    func stamped(_ position: GmailCursor) -> Cursor {
        var position = position
        position.labelsReadAt = labelsReadAt ?? position.labelsReadAt
        return position.cursor
    }
}

enum GmailLabels {
    /// Labels every mailbox has; their names are their ids.
    static let system: Set<String> = [
        "INBOX", "SENT", "DRAFT", "SPAM", "TRASH", "UNREAD", "STARRED", "IMPORTANT", "CHAT", "CATEGORY_PERSONAL",
        "CATEGORY_SOCIAL", "CATEGORY_PROMOTIONS", "CATEGORY_UPDATES", "CATEGORY_FORUMS",
    ]
}
