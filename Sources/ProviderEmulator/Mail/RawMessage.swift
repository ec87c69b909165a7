import MailModel

/// The bytes of a message, seen as header fields and body. Reads whatever it is given: a line that is no field is
/// left out.
struct RawMessage: Sendable {
    /// One field as Gmail shows it: the sender's spelling of the name, the value unfolded but not decoded.
    typealias Field = HeaderField

    let bytes: [UInt8]
    /// Where the body starts.
    let bodyStart: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        bodyStart = Self.endOfHeader(bytes)
    }

    var header: ArraySlice<UInt8> { bytes[..<bodyStart] }
    var body: ArraySlice<UInt8> { bytes[bodyStart...] }

    /// All fields in order, repeats included.
    var fields: [Field] { MIMEHeader.fields(header) }

    /// The position after the empty line that ends the header.
    static func endOfHeader(_ bytes: [UInt8]) -> Int { MIMEHeader.end(bytes[...]) }
}

/// The header of a message or of a body part (RFC 5322 §2.2).
enum MIMEHeader {
    private static let lf = UInt8(ascii: "\n")
    private static let cr = UInt8(ascii: "\r")

    /// The position after the first empty line, or the end.
    static func end(_ bytes: ArraySlice<UInt8>) -> Int {
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let next = lineEnd(bytes, from: index)
            if isEmpty(bytes[index..<next]) { return next }
            index = next
        }
        return bytes.endIndex
    }

    /// Fields in order. Unfolding takes out the line ends and leaves the white space (RFC 5322 §2.2.3).
    static func fields(_ header: ArraySlice<UInt8>) -> [HeaderField] {
        var fields: [HeaderField] = []
        var index = header.startIndex
        while index < header.endIndex {
            var next = lineEnd(header, from: index)
            var line = Array(withoutLineEnd(header[index..<next]))
            while next < header.endIndex, header[next] == 0x20 || header[next] == 0x09 {
                let folded = lineEnd(header, from: next)
                line.append(contentsOf: withoutLineEnd(header[next..<folded]))
                next = folded
            }
            if let field = field(line) { fields.append(field) }
            index = next
        }
        return fields
    }

    private static func field(_ line: [UInt8]) -> HeaderField? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return nil }
        let name = trimmed(line[..<colon])
        guard !name.isEmpty, name.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        return HeaderField(
            name: String(decoding: name, as: UTF8.self), value: HeaderText.text(trimmed(line[(colon + 1)...])))
    }

    /// The position after the line that starts at `start`.
    static func lineEnd(_ bytes: ArraySlice<UInt8>, from start: Int) -> Int {
        (bytes[start...].firstIndex(of: lf).map { $0 + 1 }) ?? bytes.endIndex
    }

    private static func withoutLineEnd(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line
        if line.last == lf { line.removeLast() }
        if line.last == cr { line.removeLast() }
        return line
    }

    private static func isEmpty(_ line: ArraySlice<UInt8>) -> Bool { withoutLineEnd(line).isEmpty }

    static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard let first = bytes.firstIndex(where: { $0 != 0x20 && $0 != 0x09 }),
            let last = bytes.lastIndex(where: { $0 != 0x20 && $0 != 0x09 })
        else { return [] }
        return bytes[first...last]
    }
}

extension [HeaderField] {
    /// The first value of a field, by its name in lower case.
    func first(_ name: String) -> String? { first { $0.name.isSameName(as: name) }?.value }
}

extension String {
    /// Compares ASCII names without regard to case; `name` is in lower case. Called for every field of every message,
    /// hence without making a string.
    func isSameName(as name: String) -> Bool {
        guard utf8.count == name.utf8.count else { return false }
        for (own, other) in zip(utf8, name.utf8) {
            let isUpper = own >= UInt8(ascii: "A") && own <= UInt8(ascii: "Z")
            if (isUpper ? own | 0x20 : own) != other { return false }
        }
        return true
    }
}

/// How raw bytes become the text of the API's JSON: valid UTF-8 stays, anything else is read as ISO 8859-1. (What
/// Gmail itself does with raw 8-bit headers is not documented; JSON forces some choice, and this one loses nothing.)
enum HeaderText {
    static func text(_ bytes: ArraySlice<UInt8>) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
}
