/// The text of header fields: raw bytes, folding and encoded words (RFC 2047) turned into what a person reads.
///
/// Total: every input has an answer, however broken it is.
public enum HeaderText {
    /// Text of bytes that are not labelled with a charset: UTF-8 when they are valid UTF-8, else Windows-1252.
    public static func text(ofRaw bytes: [UInt8]) -> String {
        String(validating: bytes, as: UTF8.self) ?? Charset.western.decode(bytes)
            ?? String(decoding: bytes, as: UTF8.self)
    }

    /// A field's value as text: unfolded (RFC 5322 §2.2.3), encoded words decoded (RFC 2047, also where the RFC does
    /// not allow them: in the middle of a word and in quoted strings), without white space at either end. Line
    /// breaks inside become spaces and NUL becomes U+FFFD, so that the text is one line wherever it is shown.
    public static func decode(_ value: String) -> String {
        var value = value
        if let plain = value.withUTF8(plainText) { return plain }
        return decode(utf8: Array(value.utf8))
    }

    /// The same for a value as it stood in the message, in bytes.
    public static func decode(raw bytes: [UInt8]) -> String { decode(text(ofRaw: bytes)) }

    /// The trimmed value, when it needs no decoding; most do not.
    private static func plainText(_ utf8: UnsafeBufferPointer<UInt8>) -> String? {
        var previous: UInt8 = 0
        for byte in utf8 {
            if byte == 0 || byte == 10 || byte == 13 || (byte == Ascii.question && previous == Ascii.equals) {
                return nil
            }
            previous = byte
        }
        guard let start = utf8.firstIndex(where: { !Ascii.isBlank($0) }),
            let end = utf8.lastIndex(where: { !Ascii.isBlank($0) })
        else { return "" }
        return String(decoding: utf8[start...end], as: UTF8.self)
    }

    static func decode(utf8 bytes: [UInt8]) -> String {
        oneLine(EncodedWords.decode(unfold(bytes)))
    }

    /// Removes the line breaks of folding; the white space after them stays.
    private static func unfold(_ bytes: [UInt8]) -> [UInt8] {
        bytes.filter { $0 != 10 && $0 != 13 }
    }

    private static func oneLine(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else { return trim(text) }
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\0": scalars.append("\u{fffd}")
            case "\n", "\r": scalars.append(" ")
            default: scalars.append(scalar)
            }
        }
        return trim(String(scalars))
    }

    private static func trim(_ text: String) -> String {
        let utf8 = text.utf8
        guard let start = utf8.firstIndex(where: { !Ascii.isBlank($0) }),
            let end = utf8.lastIndex(where: { !Ascii.isBlank($0) })
        else { return "" }
        return String(text[start...end])
    }
}

/// The bytes header syntax is made of.
enum Ascii {
    static let equals = UInt8(ascii: "=")
    static let question = UInt8(ascii: "?")
    static let backslash = UInt8(ascii: "\\")
    static let quote = UInt8(ascii: "\"")

    /// Space, tab, and the line breaks of folding.
    static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 10 || byte == 13 }

    static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    static func isLetter(_ byte: UInt8) -> Bool {
        let lower = byte | 0x20
        return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z")
    }

    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
