/// What a user can set on a message.
public struct OutlookProperties: Sendable, Hashable {
    /// followupFlagStatus of the schema.
    public enum Flag: String, Sendable, Hashable, CaseIterable {
        case notFlagged, complete, flagged
    }
    /// importance of the schema.
    public enum Importance: String, Sendable, Hashable, CaseIterable {
        case low, normal, high
    }
    public var isRead: Bool
    public var flag: Flag
    public var importance: Importance
    /// Display names.
    public var categories: [String]

    public init(
        isRead: Bool = false, flag: Flag = .notFlagged, importance: Importance = .normal, categories: [String] = []
    ) {
        self.isRead = isRead
        self.flag = flag
        self.importance = importance
        self.categories = categories
    }
}

/// A message of an Outlook mailbox: the truth that a checker compares with.
public struct OutlookMessageTruth: Sendable, Hashable {
    /// The immutable id.
    public var id: String
    public var conversationID: String
    public var folderID: String
    /// The folder's role (`INBOX`, `SENT`, `DRAFT`, `TRASH`, `SPAM`, `ARCHIVE`) or else its path, as a label.
    public var folder: String
    /// False when no folder of the tree leads to it: for its user the message is gone.
    public var isInTree: Bool
    /// Begun and not sent, wherever it lies.
    public var isDraft: Bool
    /// Sorted: ``folder``, categories, and `UNREAD`, `STARRED` and `IMPORTANT` where they apply. A path or category that
    /// would be taken for another label is marked: `folder:…`, `category:…`.
    public var labels: [String]
    /// Unix seconds.
    public var receivedAt: Int64
    public var properties: OutlookProperties
    /// SHA-256 of the message's bytes as kept, in lower-case hex.
    public var rawSHA256: String
}

/// A folder of an Outlook mailbox.
public struct OutlookFolderTruth: Sendable, Hashable {
    public var id: String
    public var parentID: String
    public var name: String
    /// Names from the top of the tree, joined with `/`; in a name `/` is written `\/` and `\` is written `\\`.
    public var path: String
    /// `inbox`, `sentitems` …
    public var wellKnownName: String?
    public var isHidden: Bool
    public var isSearch: Bool
    public var messages: Int
}

struct OutlookMessage: Sendable {
    /// When each property was last set, on the mailbox's clock.
    struct Settings: Sendable {
        var isRead: UInt64 = 0
        var flag: UInt64 = 0
        var importance: UInt64 = 0
        var categories: UInt64 = 0
    }
    let key: Int
    /// Key of its folder.
    var folder: Int
    /// Unix seconds.
    let receivedAt: Int64
    let conversation: UInt64
    let content: MessageContent
    let isDraft: Bool
    /// Written here rather than received: it has no internet headers.
    let isOutgoing: Bool
    let isFocused: Bool
    var properties: OutlookProperties
    var settings = Settings()
    /// How often it moved: part of its mutable id.
    var generation = 0
    /// When it came into its folder and when it last changed, on the mailbox's clock.
    var enteredAt: UInt64
    var changedAt: UInt64
    /// Unix seconds.
    var modifiedAt: Int64

    var position: ListPosition { ListPosition(date: receivedAt, key: key) }
}

/// A message's place in its folder's listing, which does not change while it is there.
struct ListPosition: Sendable, Hashable, Comparable, Codable {
    var date: Int64
    var key: Int

    static func < (left: Self, right: Self) -> Bool { (left.date, left.key) < (right.date, right.key) }
}

struct OutlookFolder: Sendable {
    /// What happened in a folder, in the order of the mailbox's clock.
    struct LogEntry: Sendable {
        enum Event: Sendable {
            /// Came or changed.
            case present
            /// Left; the message had been there since `enteredAt` and had this generation's id.
            case left(enteredAt: UInt64, generation: Int)
        }
        let clock: UInt64
        let message: Int
        let event: Event
    }
    let key: Int
    var name: String
    /// Key of the folder it is in.
    var parent: Int
    let wellKnownName: String?
    let isHidden: Bool
    /// Shows the unread messages of all folders and holds none itself.
    let isSearch: Bool
    let createdAt: UInt64
    var changedAt: UInt64
    /// Ascending.
    var order: [ListPosition] = []
    var unread = 0
    var log: [LogEntry] = []
    /// Delta tokens from before are too old.
    var floor: UInt64 = 0
    /// Delta tells nothing that came later.
    var heldAt: UInt64?
}

/// A folder that is gone.
struct FolderRemoval: Sendable {
    let clock: UInt64
    let key: Int
    let createdAt: UInt64
    let isHidden: Bool
}
