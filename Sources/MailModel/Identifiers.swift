/// An identifier given from outside, kept only in its encoded form.
///
/// Every byte of the UTF-8 form outside `A–Z a–z 0–9 _ -` is written `%XX` (upper-case hex). The encoding is
/// reversible and injective, and its result is safe as a file name and as one token of a NATS subject. Two ids
/// are equal if and only if their encoded forms are equal byte for byte, so Unicode-equivalent spellings stay
/// different ids.
public protocol EncodedIdentifier: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The encoded form: ASCII, 1 to 200 bytes.
    var encoded: String { get }
    /// Wraps a form that is already encoded and checked.
    init(uncheckedEncoded: String)
    /// What the id identifies, for error messages ("user id").
    static var noun: String { get }
}

/// Why an identifier was refused.
public enum IdentifierError: Error, Equatable, CustomStringConvertible {
    case empty(noun: String)
    case tooLong(noun: String, encodedBytes: Int)
    case notEncoded(noun: String)

    public var description: String {
        switch self {
        case .empty(let noun): "the \(noun) is empty"
        case .tooLong(let noun, let bytes):
            "the \(noun) is too long: \(bytes) bytes encoded, at most \(IdentifierEncoding.encodedBytesMax) are accepted"
        case .notEncoded(let noun): "the \(noun) is not in its encoded form"
        }
    }
}

enum IdentifierEncoding {
    /// Longest encoded form accepted, in bytes: fits a file name with room for a suffix.
    static let encodedBytesMax = 200

    static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    static func encode(_ raw: String) -> String {
        let hex = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        out.reserveCapacity(raw.utf8.count)
        for byte in raw.utf8 {
            if isPlain(byte) {
                out.append(byte)
            } else {
                out.append(UInt8(ascii: "%"))
                out.append(hex[Int(byte >> 4)])
                out.append(hex[Int(byte & 15)])
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The original text, or nil when `encoded` is not something `encode` produces.
    static func decode(_ encoded: String) -> String? {
        var bytes: [UInt8] = []
        var rest = encoded.utf8.makeIterator()
        while let byte = rest.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.next().flatMap(hexValue), let low = rest.next().flatMap(hexValue) else {
                    return nil
                }
                let value = high << 4 | low
                if isPlain(value) { return nil }
                bytes.append(value)
            } else if isPlain(byte) {
                bytes.append(byte)
            } else {
                return nil
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension EncodedIdentifier {
    /// Encodes an id as it came from outside.
    ///
    /// - Throws: ``IdentifierError`` when it is empty or its encoded form exceeds 200 bytes.
    public init(_ raw: String) throws(IdentifierError) {
        let encoded = IdentifierEncoding.encode(raw)
        guard !encoded.isEmpty else { throw .empty(noun: Self.noun) }
        guard encoded.utf8.count <= IdentifierEncoding.encodedBytesMax else {
            throw .tooLong(noun: Self.noun, encodedBytes: encoded.utf8.count)
        }
        self.init(uncheckedEncoded: encoded)
    }

    /// Reads an id back from a path, a subject or a store.
    ///
    /// - Throws: ``IdentifierError`` when it is not in encoded form.
    public init(encoded: String) throws(IdentifierError) {
        guard !encoded.isEmpty else { throw .empty(noun: Self.noun) }
        guard encoded.utf8.count <= IdentifierEncoding.encodedBytesMax, IdentifierEncoding.decode(encoded) != nil else {
            throw .notEncoded(noun: Self.noun)
        }
        self.init(uncheckedEncoded: encoded)
    }

    /// The id as it was given from outside (what events and API answers show).
    public var raw: String { IdentifierEncoding.decode(encoded) ?? encoded }

    /// The encoded form: safe in logs.
    public var description: String { encoded }
}

/// Who the mail belongs to: the `sub` of the user's token.
public struct UserID: EncodedIdentifier {
    public let encoded: String
    public init(uncheckedEncoded: String) { encoded = uncheckedEncoded }
    public static let noun = "user id"
}

/// Which of a user's mailboxes at one provider.
public struct InboxID: EncodedIdentifier {
    public let encoded: String
    public init(uncheckedEncoded: String) { encoded = uncheckedEncoded }
    public static let noun = "inbox id"
    /// The inbox of a user who names none.
    public static let primary = InboxID(uncheckedEncoded: "primary")
}

/// A mail provider. The raw value is what stores and events show.
public enum ProviderKind: String, Sendable, Hashable, Codable, CaseIterable {
    case google = "GOOGLE"
    case microsoft = "MICROSOFT"

    /// The spelling in API answers.
    public var apiName: String {
        switch self {
        case .google: "google"
        case .microsoft: "microsoft"
        }
    }

    /// Every spelling that API requests may use.
    public static let acceptedNames = ["google", "microsoft", "outlook"]

    /// Reads a spelling of API requests.
    public init?(apiName: String) {
        switch apiName {
        case "google": self = .google
        case "microsoft", "outlook": self = .microsoft
        default: return nil
        }
    }
}

/// One connected mailbox: what a worker syncs.
public struct AccountKey: Sendable, Hashable, Codable, CustomStringConvertible {
    public let user: UserID
    public let provider: ProviderKind
    public let inbox: InboxID

    public init(user: UserID, provider: ProviderKind, inbox: InboxID) {
        self.user = user
        self.provider = provider
        self.inbox = inbox
    }

    /// `user:inbox:PROVIDER`, as `running_syncs` shows it and as the API takes it for an `accountId`.
    public var description: String { "\(user.encoded):\(inbox.encoded):\(provider.rawValue)" }

    /// Reads what ``description`` writes; nil for anything else.
    public init?(_ text: String) {
        // Encoded ids have no colon.
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, let provider = ProviderKind(rawValue: parts[2]) else { return nil }
        do {
            self.init(
                user: try UserID(encoded: parts[0]), provider: provider, inbox: try InboxID(encoded: parts[1]))
        } catch {
            return nil
        }
    }
}
