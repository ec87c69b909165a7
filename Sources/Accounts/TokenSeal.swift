import Crypto
import Foundation
import MailModel

/// Why a stored token cannot be read. Safe to print.
public enum SealError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Not something ``TokenSeal`` wrote.
    case unreadableFormat
    case unknownKey(id: String)
    /// Altered, moved from another row or column, or the key under this id is not the one that sealed it.
    case notAuthentic(keyID: String)

    public var description: String {
        switch self {
        case .unreadableFormat: "the stored token has no readable form"
        case .unknownKey(let id):
            "the stored token is sealed with key '\(id)', which ENCRYPTION_KEY does not hold: add that key to the list"
        case .notAuthentic(let id):
            "the stored token does not open with key '\(id)': it was altered or moved, or '\(id)' is now another key"
        }
    }
}

/// Where a sealed token belongs. It opens nowhere else.
struct SealedPlace: Sendable, Hashable {
    enum Column: String, Sendable { case accessToken = "access_token", refreshToken = "refresh_token" }

    let account: AccountKey
    let column: Column
}

/// AES-256-GCM for token columns.
///
/// Form: version (1 byte), length of the key id (1 byte), key id, nonce (12), ciphertext, tag (16). The place and
/// the key id are authenticated with it, each part length-prefixed so that no two places look alike.
struct TokenSeal: Sendable {
    private static let version: UInt8 = 1
    private static let nonceBytes = 12
    private static let tagBytes = 16

    let keys: EncryptionKeys

    func seal(_ secret: Secret, for place: SealedPlace) throws -> [UInt8] {
        let (id, key) = (keys.writing.id, keys.writing.key)
        let box = try AES.GCM.seal(
            Array(secret.revealed.utf8), using: key, authenticating: Self.context(place, keyID: id))
        return [Self.version, UInt8(id.utf8.count)] + Array(id.utf8) + Array(box.nonce) + box.ciphertext + box.tag
    }

    /// - Throws: ``SealError``.
    func open(_ sealed: [UInt8], at place: SealedPlace) throws(SealError) -> Secret {
        let (id, body) = try Self.parts(sealed)
        guard let key = keys.key(id) else { throw .unknownKey(id: id) }
        do {
            let box = try AES.GCM.SealedBox(combined: body)
            let plain = try AES.GCM.open(box, using: key, authenticating: Self.context(place, keyID: id))
            return Secret(String(decoding: plain, as: UTF8.self))
        } catch {
            throw .notAuthentic(keyID: id)
        }
    }

    /// The id of the key that sealed this.
    ///
    /// - Throws: ``SealError/unreadableFormat``.
    static func keyID(of sealed: [UInt8]) throws(SealError) -> String { try parts(sealed).id }

    private static func parts(_ sealed: [UInt8]) throws(SealError) -> (id: String, body: ArraySlice<UInt8>) {
        guard sealed.count > 2, sealed[0] == version else { throw .unreadableFormat }
        let start = 2 + Int(sealed[1])
        guard sealed[1] > 0, sealed.count >= start + nonceBytes + tagBytes,
            let id = String(validating: sealed[2..<start], as: UTF8.self)
        else { throw .unreadableFormat }
        return (id, sealed[start...])
    }

    private static func context(_ place: SealedPlace, keyID: String) -> [UInt8] {
        let parts = [
            "mailsync oauth_tokens 1", place.account.user.encoded, place.account.provider.rawValue,
            place.account.inbox.encoded, place.column.rawValue, keyID,
        ]
        return parts.flatMap { part in
            withUnsafeBytes(of: UInt32(part.utf8.count).bigEndian) { Array($0) } + Array(part.utf8)
        }
    }
}
