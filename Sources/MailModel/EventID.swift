import Crypto

/// The identity of an event: UUIDv5 (RFC 9562 §5.5) over length-prefixed parts, so the same fact has the same id
/// after any crash and no two facts share one.
public enum EventID {
    /// The name space of all event ids of this program. Never change it.
    private static let namespace: [UInt8] = [
        0x6d, 0x61, 0x69, 0x6c, 0x73, 0x79, 0x4e, 0x63, 0x8e, 0x76, 0x65, 0x6e, 0x74, 0x2d, 0x69, 0x64,
    ]

    /// - Parameters:
    ///   - generation: starts at 0 and grows with every erase of the user's data.
    ///   - message: the provider's message id; empty for account events.
    ///   - revision: how many events the message (or, for account events, the account) had before this one.
    public static func make(
        generation: Int64, account: AccountKey, message: String, type: String, revision: Int64
    ) -> String {
        var hash = Insecure.SHA1()
        hash.update(data: namespace)
        for part in [
            String(generation), account.user.encoded, account.provider.rawValue, account.inbox.encoded, message, type,
            String(revision),
        ] {
            hash.update(data: Array("\(part.utf8.count):".utf8))
            hash.update(data: Array(part.utf8))
        }
        var bytes = Array(hash.finalize().prefix(16))
        bytes[6] = bytes[6] & 0x0f | 0x50
        bytes[8] = bytes[8] & 0x3f | 0x80
        return text(bytes)
    }

    private static func text(_ bytes: [UInt8]) -> String {
        let hex = Array("0123456789abcdef".utf8)
        var out: [UInt8] = []
        out.reserveCapacity(36)
        for (index, byte) in bytes.enumerated() {
            if index == 4 || index == 6 || index == 8 || index == 10 { out.append(UInt8(ascii: "-")) }
            out.append(hex[Int(byte >> 4)])
            out.append(hex[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self)
    }
}
