/// A piece of an address list (RFC 5322 §3.2–3.4).
struct AddressToken {
    enum Kind: Equatable {
        /// A run of ordinary bytes, dots included; or a whole encoded word.
        case atom
        /// A quoted string's content.
        case quoted
        /// A comment's content.
        case comment
        /// A domain literal with its brackets.
        case literal
        /// One of `< > , ; : @`.
        case special(UInt8)
    }

    var kind: Kind
    var bytes: [UInt8]
    /// White space stood before it.
    var spaced: Bool

    func isSpecial(_ character: Unicode.Scalar) -> Bool { kind == .special(UInt8(ascii: character)) }
    var isWord: Bool { kind == .atom || kind == .quoted }
}

/// Cuts an address list into tokens. What is opened and never closed (a quote, a comment, a bracket) is read as if
/// the opening character were not there, so that the addresses after it are not lost.
struct AddressTokens {
    private let bytes: [UInt8]
    private var position = 0
    private var tokens: [AddressToken] = []
    /// Openings known to have no end, so that each is searched for once.
    private var unclosed: Set<UInt8> = []

    static func tokens(of bytes: [UInt8]) -> [AddressToken] {
        var scanner = AddressTokens(bytes: bytes)
        scanner.scan()
        return scanner.tokens
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func scan() {
        var spaced = false
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case _ where Ascii.isBlank(byte):
                position += 1
                spaced = true
                continue
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"),
                UInt8(ascii: "@"):
                tokens.append(AddressToken(kind: .special(byte), bytes: [byte], spaced: spaced))
                position += 1
            case Ascii.quote: enclosed(.quoted, until: Ascii.quote, nests: false, spaced)
            case UInt8(ascii: "("): enclosed(.comment, until: UInt8(ascii: ")"), nests: true, spaced)
            case UInt8(ascii: "["): enclosed(.literal, until: UInt8(ascii: "]"), nests: false, spaced)
            default: atom(spaced)
            }
            spaced = false
        }
    }

    /// Reads what stands between the opening byte here and its end, with `\` escapes removed.
    private mutating func enclosed(_ kind: AddressToken.Kind, until end: UInt8, nests: Bool, _ spaced: Bool) {
        let opening = bytes[position]
        var content: [UInt8] = []
        var depth = 1
        var index = position + 1
        while !unclosed.contains(opening), index < bytes.count {
            let byte = bytes[index]
            if byte == Ascii.backslash, index + 1 < bytes.count {
                index += 1
                content.append(bytes[index])
            } else {
                if byte == end { depth -= 1 } else if nests, byte == opening { depth += 1 }
                if depth == 0 {
                    if kind == .literal { content = [opening] + content + [end] }
                    tokens.append(AddressToken(kind: kind, bytes: content, spaced: spaced))
                    position = index + 1
                    return
                }
                content.append(byte)
            }
            index += 1
        }
        unclosed.insert(opening)
        position += 1
    }

    /// Longest encoded word looked for, in bytes.
    private static let wordBytesMax = 2000

    private mutating func atom(_ spaced: Bool) {
        let start = position
        while position < bytes.count, !Self.endsAtom(bytes[position]) {
            if bytes[position] == Ascii.equals, let end = encodedWordEnd() {
                position = end
            } else {
                position += 1
            }
        }
        // A closing bracket or parenthesis without an opening one belongs to nothing.
        if position == start { position += 1 }
        let content = bytes[start..<position].filter { $0 >= 0x20 && $0 != 0x7f }
        guard !content.isEmpty, content != [UInt8(ascii: ")")], content != [UInt8(ascii: "]")] else { return }
        tokens.append(AddressToken(kind: .atom, bytes: content, spaced: spaced))
    }

    /// The end of an encoded word here. Its text may hold commas and the like, which end an atom otherwise; but one
    /// that runs over a `<`, `>` or `"` is a broken one.
    private func encodedWordEnd() -> Int? {
        guard let word = EncodedWords.word(in: bytes, at: position, bytesMax: Self.wordBytesMax),
            !bytes[position..<word.end].contains(where: {
                $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: ">") || $0 == Ascii.quote
            })
        else { return nil }
        return word.end
    }

    private static func endsAtom(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"),
            UInt8(ascii: "@"), UInt8(ascii: "\""), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["),
            UInt8(ascii: "]"):
            true
        default: Ascii.isBlank(byte)
        }
    }
}
