import Crypto
import Foundation
import Logging
import MailModel

/// Why `ENCRYPTION_KEY` was refused. Never holds key material.
public struct EncryptionKeyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The 1-based position in the list.
    public var position: Int
    public var reason: String
    public var description: String {
        "ENCRYPTION_KEY, entry \(position): \(reason); accepted: 32 bytes in hex or base64, or several as id:key,id:key"
    }
}

/// The keys that tokens are sealed with: the first one writes, all of them read.
public struct EncryptionKeys: Sendable {
    struct Entry: Sendable {
        let id: String
        let key: SymmetricKey
    }

    /// Bytes of an AES-256 key.
    public static let keyBytes = 32
    static let idBytesMax = 32

    private let entries: [Entry]

    /// The key that writes.
    var writing: Entry { entries[0] }
    /// The ids of all keys, the writing one first.
    public var ids: [String] { entries.map(\.id) }

    func key(_ id: String) -> SymmetricKey? { entries.first { $0.id == id }?.key }

    /// Reads `ENCRYPTION_KEY`: one key, or several as `id:key,…`. A key without an id gets one derived from it, so
    /// it keeps the same id when another is put before it later.
    ///
    /// - Throws: ``EncryptionKeyError``.
    public init(parsing text: String) throws(EncryptionKeyError) {
        var entries: [Entry] = []
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let entry = try Self.entry(part.trimmingCharacters(in: .whitespacesAndNewlines), position: index + 1)
            guard !entries.contains(where: { $0.id == entry.id }) else {
                throw EncryptionKeyError(position: index + 1, reason: "the id is used twice")
            }
            entries.append(entry)
        }
        self.entries = entries
    }

    /// The key of `ENCRYPTION_KEY` or, without one, of `encryption.key` in the data directory, which is created
    /// (0600) with a new random key when absent.
    ///
    /// - Throws: ``EncryptionKeyError``, ``PrivateFileFailure``.
    public static func load(configured: Secret?, dataDirectory: String, logger: Logger) throws -> EncryptionKeys {
        if let configured { return try EncryptionKeys(parsing: configured.revealed) }
        try PrivateFile.makeDirectory(dataDirectory)
        let path = dataDirectory + "/encryption.key"
        let file = try PrivateFile.readOrCreate(path) { hex(SymmetricKey(size: .bits256)) }
        if file.created {
            logger.warning(
                "ENCRYPTION_KEY is not set: generated a key; back it up, stored tokens cannot be read without it",
                metadata: ["path": "\(path)"])
        }
        if file.wasOpenToOthers {
            logger.warning("file was open to others: set to 0600", metadata: ["path": "\(path)"])
        }
        do {
            return try EncryptionKeys(parsing: file.text)
        } catch {
            throw PrivateFileFailure(path: path, reason: error.reason)
        }
    }

    private static func entry(_ text: String, position: Int) throws(EncryptionKeyError) -> Entry {
        let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let keyText = String(halves.last ?? "")
        guard let bytes = bytes(of: keyText), bytes.count == keyBytes else {
            throw EncryptionKeyError(position: position, reason: "the key is not 32 bytes in hex or base64")
        }
        guard Set(bytes).count > 1 else {
            throw EncryptionKeyError(position: position, reason: "the key is one byte repeated")
        }
        let id = halves.count == 2 ? String(halves[0]) : derivedID(bytes)
        guard isUsable(id: id) else {
            throw EncryptionKeyError(position: position, reason: "the id must be 1 to 32 of A-Z a-z 0-9 _ -")
        }
        return Entry(id: id, key: SymmetricKey(data: bytes))
    }

    /// Four bytes of a hash tell keys apart and tell nothing about 32 random ones.
    private static func derivedID(_ key: [UInt8]) -> String {
        let digest = SHA256.hash(data: Array("mailsync key id".utf8) + key)
        return "k" + digest.prefix(4).map { hexByte($0) }.joined()
    }

    private static func isUsable(id: String) -> Bool {
        (1...idBytesMax).contains(id.utf8.count)
            && id.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// 64 hex digits, else base64 in either alphabet, padded or not.
    private static func bytes(of text: String) -> [UInt8]? {
        if text.utf8.count == 2 * keyBytes, let bytes = hexBytes(text) { return bytes }
        var base64 = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        while base64.utf8.count % 4 != 0 { base64 += "=" }
        return Data(base64Encoded: base64).map(Array.init)
    }

    private static func hexBytes(_ text: String) -> [UInt8]? {
        let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue.map(UInt8.init) }
        guard digits.count == text.utf8.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private static func hex(_ key: SymmetricKey) -> String {
        key.withUnsafeBytes { bytes in bytes.map { hexByte($0) }.joined() }
    }

    private static func hexByte(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
    }
}
