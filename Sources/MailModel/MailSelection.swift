/// Which of a mailbox's messages an import brings in: everything in scope, narrowed by what is given.
public struct MailSelection: Sendable, Hashable {
    /// Dated at or after this, in Unix seconds; nil: from the first.
    public var from: UnixSeconds?
    /// Dated before this, in Unix seconds; nil: to the last.
    public var until: UnixSeconds?
    /// Labels or folders, by id or by the name that events show, in any case; empty: all of them. A message is brought in
    /// when it has one of them.
    public var labels: [String]

    public init(from: UnixSeconds? = nil, until: UnixSeconds? = nil, labels: [String] = []) {
        self.from = from
        self.until = until
        self.labels = labels
    }

    /// Whether a message of this date is wanted.
    public func includes(_ date: UnixSeconds) -> Bool { date >= from ?? .min && date < until ?? .max }
}

/// The next messages of a selection.
public struct ImportBatch: Sendable {
    /// What was read. Its cursor and phase are the ones given.
    public var changes: ChangeBatch
    /// Where the next one begins; nil after the last.
    public var next: Cursor?
    /// Messages accounted for: stored already, or told of in ``changes``. Each is counted once, also when a listing had
    /// to be begun anew; a message under two selected labels counts twice.
    public var listed: Int
    /// Those of them that the store had already.
    public var known: Int

    public init(changes: ChangeBatch, next: Cursor? = nil, listed: Int = 0, known: Int = 0) {
        self.changes = changes
        self.next = next
        self.listed = listed
        self.known = known
    }
}

/// One page of what a selection holds, for counting.
public struct SelectionPage: Sendable, Hashable {
    /// The label or folder that was listed, as events show it; nil when the selection names none.
    public var label: String?
    public var ids: [String]
    /// What reading all of them costs, in the provider's quota units.
    public var units: Int
    /// Where the next page begins; nil after the last.
    public var next: Cursor?

    public init(label: String? = nil, ids: [String] = [], units: Int = 0, next: Cursor? = nil) {
        self.label = label
        self.ids = ids
        self.units = units
        self.next = next
    }
}

/// What makes a selection impossible for good, whatever is tried: the failure's decision is `skip`.
public enum SelectionRefusal {
    /// ``SyncFailure/code``: searching by date needs more than the user has granted.
    public static let missingScope = "missing_scope"
    /// ``SyncFailure/code``: the mailbox has no such label or folder.
    public static let unknownLabel = "unknown_label"
    /// ``SyncFailure/code``: messages under the label or in the folder are never received.
    public static let labelOutOfScope = "label_out_of_scope"

    public static func unknown(_ label: String) -> SyncFailure {
        SyncFailure(.skip, code: unknownLabel, "the mailbox has no label or folder '\(printable(label))'")
    }

    /// Messages of this label or folder are never received.
    public static func outOfScope(_ label: String) -> SyncFailure {
        SyncFailure(
            .skip, code: labelOutOfScope, "messages under '\(printable(label))' are not received: it is out of scope")
    }

    /// What the user wrote, cut short and without control characters.
    private static func printable(_ label: String) -> String {
        String(String.UnicodeScalarView(label.unicodeScalars.prefix(80).map { $0.value < 0x20 ? "\u{fffd}" : $0 }))
    }
}
