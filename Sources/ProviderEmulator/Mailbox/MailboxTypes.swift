/// A message as the emulator holds it: the truth that a checker compares with.
public struct MessageTruth: Sendable, Hashable {
    /// 16 hex digits.
    public var id: String
    public var threadID: String
    /// Sorted.
    public var labels: [String]
    /// Unix seconds.
    public var internalDate: Int64
    public var historyID: UInt64
    /// SHA-256 of the message's bytes as kept, in lower-case hex.
    public var rawSHA256: String
}

/// A label of a mailbox.
public struct MailboxLabel: Sendable, Hashable {
    public var id: String
    /// Nested labels have `/` in their name.
    public var name: String
    public var isSystem: Bool

    /// The labels every mailbox has.
    static let system = [
        "CHAT", "SENT", "INBOX", "IMPORTANT", "TRASH", "DRAFT", "SPAM", "CATEGORY_FORUMS", "CATEGORY_UPDATES",
        "CATEGORY_PERSONAL", "CATEGORY_PROMOTIONS", "CATEGORY_SOCIAL", "STARRED", "UNREAD",
    ].map { MailboxLabel(id: $0, name: $0, isSystem: true) }
}

/// Why a change of a mailbox was refused.
public enum EmulatorError: Error, Sendable, Hashable, CustomStringConvertible {
    case noMailbox(String)
    case mailboxExists(String)
    case noMessage(String)
    case noLabel(String)
    case labelExists(String)
    /// By name, id or path; also a folder that cannot be changed in the way asked for.
    case noFolder(String)
    case folderExists(String)
    /// The other provider has it.
    case unsupported(String)
    /// A message must have a header.
    case notAMessage(String)
    case unreadableFile(path: String, reason: String)

    public var description: String {
        switch self {
        case .noMailbox(let address): "there is no mailbox \(address)"
        case .mailboxExists(let address): "there is a mailbox \(address) already"
        case .noMessage(let id): "the mailbox has no message \(id)"
        case .noLabel(let id): "the mailbox has no label \(id)"
        case .labelExists(let name): "the mailbox has a label named \(name) already"
        case .noFolder(let name): "the mailbox has no folder \(name) with which this can be done"
        case .folderExists(let name): "there is a folder named \(name) already"
        case .unsupported(let what): "this provider has no such thing: \(what)"
        case .notAMessage(let reason): "this is not a message: \(reason)"
        case .unreadableFile(let path, let reason): "cannot read \(path): \(reason)"
        }
    }
}

/// A message id in memory; on the wire 16 hex digits.
enum HexID {
    static func text(_ id: UInt64) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: 16) { buffer in
            for index in 0..<16 { buffer[index] = digits[Int(id >> UInt64(60 - 4 * index) & 15)] }
            return 16
        }
    }

    /// Bytes in lower-case hex.
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    static func parse(_ text: some StringProtocol) -> UInt64? { text.utf8.count <= 16 ? UInt64(text, radix: 16) : nil }
}
