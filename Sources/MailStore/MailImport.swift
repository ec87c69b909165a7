import MailModel

/// One import: which messages are brought in, and how far it is. Its row moves only in the transaction that stores what
/// it covers.
public struct MailImport: Sendable, Hashable {
    /// How it stands.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Counting what there is to bring in.
        case scanning
        case running
        /// Nothing is fetched until somebody resumes it.
        case paused
        case completed
        /// It is impossible for good; ``MailImport/error`` says why.
        case failed
        case cancelled

        /// The account's passes go on with it.
        public var isActive: Bool { self == .scanning || self == .running }
        /// It will not move any more.
        public var isFinished: Bool { self == .completed || self == .failed || self == .cancelled }
    }

    /// Messages, each counted where it stands.
    public struct Figures: Sendable, Hashable {
        /// What the scan counted; the denominator of progress.
        public var estimated = 0
        /// Those of them that were stored already.
        public var estimatedKnown = 0
        /// Accounted for: stored before, stored now, unreadable, or not to be stored after all.
        public var listed = 0
        /// Stored by the import.
        public var done = 0
        /// Stored already.
        public var known = 0
        /// Not readable yet: they are in the gap ledger.
        public var failed = 0

        public init(
            estimated: Int = 0, estimatedKnown: Int = 0, listed: Int = 0, done: Int = 0, known: Int = 0,
            failed: Int = 0
        ) {
            self.estimated = estimated
            self.estimatedKnown = estimatedKnown
            self.listed = listed
            self.done = done
            self.known = known
            self.failed = failed
        }

        /// Messages that had to be read, so far.
        var read: Int { max(0, listed - known) }
        /// Messages that are still to be read, as far as the scan can tell.
        var left: Int { max(0, min(estimated - listed, estimated - estimatedKnown - read)) }
    }

    public let id: String
    public let account: AccountKey
    public let selection: MailSelection
    public var state: State
    /// Where scanning or reading goes on; nil: at the start.
    public var position: Cursor?
    public var isScanned: Bool
    public var figures = Figures()
    public var createdAt: UnixSeconds
    /// When reading began.
    public var startedAt: UnixSeconds?
    public var updatedAt: UnixSeconds
    public var finishedAt: UnixSeconds?
    /// Why it failed; safe to print.
    public var error: String?
    public var errorCode: String?
    public var pace = ImportPace()

    /// A new import.
    ///
    /// - Parameters:
    ///   - counted: what a scan has counted already; nil: the import begins with one.
    ///   - now: Unix milliseconds.
    public init(
        id: String, account: AccountKey, selection: MailSelection, counted: Figures? = nil, atMilliseconds now: Int64
    ) {
        self.id = id
        self.account = account
        self.selection = selection
        isScanned = counted != nil
        state = counted == nil ? .scanning : .running
        figures = counted ?? Figures()
        createdAt = now / 1000
        startedAt = counted == nil ? nil : now / 1000
        updatedAt = now / 1000
        pace.movedAt = now
    }

    /// Messages read per second over the last window; nil when nothing is known of it, or nothing moves.
    public var perSecond: Double? { state == .running ? pace.perSecond(read: figures.read) : nil }

    /// Seconds until everything is read, at the present rate.
    public var etaSeconds: Int64? {
        guard state == .running else { return nil }
        if figures.left == 0 { return 0 }
        return perSecond.map { Int64((Double(figures.left) / $0).rounded(.up)) }
    }

    /// Seconds it was worked on.
    public var secondsActive: Int64 { pace.activeMilliseconds / 1000 }
}

/// How fast an import goes, on a clock that only runs while it is worked on: pauses and restarts do not count. A value:
/// takes time as input.
public struct ImportPace: Sendable, Hashable {
    /// The rate is that of the last one to two windows, in milliseconds.
    public static let windowMilliseconds: Int64 = 30_000
    /// A longer step counts as this: the process was away.
    public static let stepMillisecondsMax: Int64 = 60_000

    /// When so many messages had been read.
    struct Mark: Sendable, Hashable {
        var at: Int64
        var read: Int
    }

    /// Time it was worked on.
    public internal(set) var activeMilliseconds: Int64 = 0
    /// When it last moved or was resumed, in Unix milliseconds.
    var movedAt: Int64 = 0
    /// One or two, the older first.
    var marks: [Mark] = []

    /// The import moved: so many messages had been read `before`.
    mutating func moved(before read: Int, at now: Int64) {
        if marks.isEmpty { marks = [Mark(at: activeMilliseconds, read: read)] }
        activeMilliseconds += min(max(0, now - movedAt), Self.stepMillisecondsMax)
        movedAt = now
    }

    /// Begins a new window when the present one is over.
    mutating func mark(read: Int) {
        guard let last = marks.last, activeMilliseconds - last.at >= Self.windowMilliseconds else { return }
        marks = [last, Mark(at: activeMilliseconds, read: read)]
    }

    func perSecond(read: Int) -> Double? {
        guard let first = marks.first, activeMilliseconds > first.at, read > first.read else { return nil }
        return Double(read - first.read) * 1000 / Double(activeMilliseconds - first.at)
    }
}
