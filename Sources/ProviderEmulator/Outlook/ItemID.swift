/// Ids of messages and folders in the manner of Exchange: long, opaque, case-sensitive, with `-`, `_` and `=`. Two
/// neighbours differ only in the case of one letter.
struct ItemID: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case folder
        case immutable
        /// Changes at every move.
        case mutable(generation: Int)
    }
    let key: Int
    let kind: Kind

    private static let folderPrefix = "AQMkADAwATM0MDAAMS-1"
    private static let immutablePrefix = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A"
    private static let mutablePrefix = "AAMkAGI2_TE4ZDk1"
    private static let suffix = "AAA="
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    /// Digits of a 64-bit number and of a generation.
    private static let keyDigits = 11
    private static let generationDigits = 4

    init(key: Int, kind: Kind) {
        self.key = key
        self.kind = kind
    }

    /// Nil for what is no id of the mailbox with this salt.
    init?(_ text: String, salt: UInt64) {
        guard text.hasSuffix(Self.suffix) else { return nil }
        for (prefix, extra) in [
            (Self.folderPrefix, 0), (Self.immutablePrefix, 0), (Self.mutablePrefix, Self.generationDigits),
        ] where text.hasPrefix(prefix) {
            let core = Array(text.utf8.dropFirst(prefix.utf8.count).dropLast(Self.suffix.utf8.count))
            guard core.count == Self.keyDigits + 1 + extra,
                let half = Self.number(core.prefix(Self.keyDigits)).map({ $0 ^ salt }), half < 1 << 40,
                core[Self.keyDigits] == UInt8(ascii: "q") || core[Self.keyDigits] == UInt8(ascii: "Q")
            else { return nil }
            key = Int(half) * 2 + (core[Self.keyDigits] == UInt8(ascii: "Q") ? 1 : 0)
            if prefix == Self.mutablePrefix {
                guard let generation = Self.number(core.suffix(extra)) else { return nil }
                kind = .mutable(generation: Int(generation ^ (salt & 0xff_ffff)))
            } else {
                kind = prefix == Self.folderPrefix ? .folder : .immutable
            }
            return
        }
        return nil
    }

    func text(salt: UInt64) -> String {
        let core = Self.text(UInt64(key / 2) ^ salt, Self.keyDigits) + (key % 2 == 1 ? "Q" : "q")
        switch kind {
        case .folder: return Self.folderPrefix + core + Self.suffix
        case .immutable: return Self.immutablePrefix + core + Self.suffix
        case .mutable(let generation):
            let moved = Self.text(UInt64(generation) ^ (salt & 0xff_ffff), Self.generationDigits)
            return Self.mutablePrefix + core + moved + Self.suffix
        }
    }

    /// The lowest `count` digits of a number.
    static func text(_ value: UInt64, _ count: Int) -> String {
        String(unsafeUninitializedCapacity: count) { buffer in
            for index in 0..<count {
                let shift = UInt64(6 * (count - 1 - index))
                buffer[index] = digits[Int((value >> shift) & 63)]
            }
            return count
        }
    }

    private static func number(_ text: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for byte in text {
            guard let digit = digits.firstIndex(of: byte) else { return nil }
            value = value << 6 | UInt64(digit)
        }
        return value
    }
}
