/// Where a message's bytes are: kept, or made again from a seed when asked for, so that a million generated messages
/// need no gigabyte.
enum MessageContent: Sendable {
    /// - Parameter sizeBytes: of the original, which may have been cut.
    case kept([UInt8], sizeBytes: Int)
    case generated(MailboxGenerator, index: Int)

    var bytes: [UInt8] {
        switch self {
        case .kept(let bytes, _): bytes
        case .generated(let generator, let index): generator.bytes(at: index)
        }
    }

    /// Given the bytes, the size the provider would state.
    func sizeBytes(of bytes: [UInt8]) -> Int {
        switch self {
        case .kept(_, let size): size
        case .generated: bytes.count
        }
    }
}

struct StoredMessage: Sendable {
    let id: UInt64
    let threadID: UInt64
    /// Unix seconds.
    let internalDate: Int64
    /// Sorted.
    var labels: [String]
    /// The mailbox's history id at the last change of the message.
    var historyID: UInt64
    let content: MessageContent

    /// Whether a default listing leaves it out.
    var isHidden: Bool { labels.contains { $0 == "TRASH" || $0 == "SPAM" || $0 == "CHAT" } }
}

/// One change of one message, as history tells it.
struct HistoryRecord: Sendable {
    enum Change: Sendable {
        case added
        case deleted
        case labelsAdded([String])
        case labelsRemoved([String])
    }
    let id: UInt64
    let messageID: UInt64
    let threadID: UInt64
    let change: Change
    /// The message's labels after the change.
    let labels: [String]
}
