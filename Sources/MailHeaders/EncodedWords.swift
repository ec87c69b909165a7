/// Encoded words: `=?charset?B|Q?text?=` (RFC 2047).
enum EncodedWords {
    /// One encoded word as found in a value.
    struct Word {
        var charset: Charset
        var bytes: [UInt8]
        /// Where the value goes on after it.
        var end: Int
    }

    /// A run of text (no charset), or of encoded words in one charset.
    private struct Piece {
        var charset: Charset?
        var bytes: [UInt8]
    }

    /// Decodes every encoded word of an unfolded value; what is not one, or names an unknown charset, stays as it is.
    static func decode(_ bytes: [UInt8]) -> String {
        render(pieces(of: bytes))
    }

    /// Splits into text and words. White space between two words vanishes (RFC 2047 §6.2); the bytes of neighbours
    /// in one charset are joined, because senders split words inside a character.
    private static func pieces(of bytes: [UInt8]) -> [Piece] {
        var pieces: [Piece] = []
        var textStart = 0
        var position = 0
        let lastEnd = lastTerminator(of: bytes)
        while position < lastEnd {
            guard bytes[position] == Ascii.equals, let word = word(in: bytes, at: position) else {
                position += 1
                continue
            }
            let between = bytes[textStart..<position]
            if let last = pieces.last?.charset, between.allSatisfy(Ascii.isBlank) {
                if last == word.charset {
                    pieces[pieces.count - 1].bytes += word.bytes
                } else {
                    pieces.append(Piece(charset: word.charset, bytes: word.bytes))
                }
            } else {
                if !between.isEmpty { pieces.append(Piece(charset: nil, bytes: Array(between))) }
                pieces.append(Piece(charset: word.charset, bytes: word.bytes))
            }
            position = word.end
            textStart = position
        }
        if textStart < bytes.count { pieces.append(Piece(charset: nil, bytes: Array(bytes[textStart...]))) }
        return pieces
    }

    /// Where the last `?=` stands: no word starts after it.
    private static func lastTerminator(of bytes: [UInt8]) -> Int {
        var index = bytes.count - 1
        while index > 0, !(bytes[index] == Ascii.equals && bytes[index - 1] == Ascii.question) { index -= 1 }
        return index
    }

    private static func render(_ pieces: [Piece]) -> String {
        pieces.map { $0.charset?.decode($0.bytes) ?? String(decoding: $0.bytes, as: UTF8.self) }.joined()
    }

    /// The encoded word that starts at `start` and has its end within `bytesMax`, or nil when none does or its
    /// charset is unknown.
    static func word(in bytes: [UInt8], at start: Int, bytesMax: Int = .max) -> Word? {
        guard let (label, encoding, textStart) = opening(of: bytes, at: start), let charset = Charset(label: label),
            let textEnd = terminator(of: bytes, from: textStart, bytesMax: bytesMax)
        else { return nil }
        let text = bytes[textStart..<textEnd]
        let content = encoding == UInt8(ascii: "b") ? decodeB(text) : decodeQ(text)
        return Word(charset: charset, bytes: content, end: textEnd + 2)
    }

    /// Longest charset label looked at, in bytes, its language included.
    private static let labelBytesMax = 60

    /// `=?label?encoding?`: the label, the encoding in lower case and where the text begins.
    private static func opening(of bytes: [UInt8], at start: Int) -> (label: String, encoding: UInt8, text: Int)? {
        let labelStart = start + 2
        guard labelStart < bytes.count, bytes[start] == Ascii.equals, bytes[start + 1] == Ascii.question else {
            return nil
        }
        let labelLimit = min(bytes.count, labelStart + labelBytesMax)
        guard let labelEnd = bytes[labelStart..<labelLimit].firstIndex(of: Ascii.question),
            labelEnd > labelStart, labelEnd + 2 < bytes.count, bytes[labelEnd + 2] == Ascii.question
        else { return nil }
        let encoding = bytes[labelEnd + 1] | 0x20
        guard encoding == UInt8(ascii: "b") || encoding == UInt8(ascii: "q") else { return nil }
        return (String(decoding: bytes[labelStart..<labelEnd], as: UTF8.self), encoding, labelEnd + 3)
    }

    private static func terminator(of bytes: [UInt8], from start: Int, bytesMax: Int) -> Int? {
        var end = start
        let limit = start + min(bytesMax, bytes.count - 1 - start)
        while end < limit {
            if bytes[end] == Ascii.question, bytes[end + 1] == Ascii.equals { return end }
            end += 1
        }
        return nil
    }

    /// Q: `_` is a space, `=XX` a byte, all else (raw spaces and 8-bit bytes too) itself.
    private static func decodeQ(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var position = text.startIndex
        while position < text.endIndex {
            let byte = text[position]
            if byte == Ascii.equals, position + 2 < text.endIndex, let high = Ascii.hexValue(text[position + 1]),
                let low = Ascii.hexValue(text[position + 2])
            {
                out.append(high << 4 | low)
                position += 3
            } else {
                out.append(byte == UInt8(ascii: "_") ? 32 : byte)
                position += 1
            }
        }
        return out
    }

    /// B: base64 with or without padding, in either alphabet; bytes outside it are passed over.
    private static func decodeB(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 4 * 3)
        var bits: UInt32 = 0
        var count = 0
        for byte in text {
            guard let value = base64Value(byte) else { continue }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return out
    }

    private static func base64Value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
