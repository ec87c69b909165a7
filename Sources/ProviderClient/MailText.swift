import MailHeaders
import MailModel

/// Texts from outside, made fit for storing and comparing.
public enum MailText {
    /// NUL would end the text for whoever reads it as a C string.
    public static func printable(_ text: String) -> String {
        guard text.utf8.contains(0) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "\u{fffd}" : $0 }))
    }

    /// Percent-encodes all but RFC 3986's unreserved characters.
    public static func percentEncoded(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.append(byte)
            default: out += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

/// A message's header fields as they came.
public struct RawFields: Sendable {
    private struct Field {
        var name: String
        /// The name in lower case.
        var key: String
        var value: String
    }
    private var fields: [Field] = []

    public init() {}

    /// True when the message came without any.
    public var isEmpty: Bool { fields.isEmpty }

    /// Takes in one field; one without a name is left out.
    public mutating func append(name: String?, value: String?) {
        guard let name, !name.isEmpty else { return }
        let shown = MailText.printable(name)
        fields.append(Field(name: shown, key: shown.lowercased(), value: value ?? ""))
    }

    /// The first field of this name (lower case), decoded to text.
    public func text(_ key: String) -> String? {
        fields.first { $0.key == key }.map { HeaderText.decode($0.value) }
    }

    /// The bare addresses of all fields of this name (lower case).
    public func addresses(_ key: String) -> [String] {
        fields.filter { $0.key == key }.flatMap { AddressList.parse($0.value) }.map(\.address)
    }

    /// All fields, decoded to text.
    public var decoded: [HeaderField] {
        fields.map { HeaderField(name: $0.name, value: HeaderText.decode($0.value)) }
    }
}
