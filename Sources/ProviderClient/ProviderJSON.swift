import Foundation

/// JSON as providers send it.
public enum ProviderJSON {
    /// - Throws: `DecodingError` when it is no JSON of this shape.
    public static func decode<Value: Decodable>(_ type: Value.Type, from body: [UInt8]) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            guard let repaired = repaired(body) else { throw error }
            return try JSONDecoder().decode(type, from: Data(repaired))
        }
    }

    /// The body with U+FFFD for bytes that are not UTF-8 and for escaped halves of surrogate pairs, which the JSON
    /// decoder refuses; nil when there are none.
    private static func repaired(_ body: [UInt8]) -> [UInt8]? {
        let isText = String(validating: body, as: UTF8.self) != nil
        let bytes = isText ? body : Array(String(decoding: body, as: UTF8.self).utf8)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var changed = !isText
        var position = 0
        while position < bytes.count {
            let length = escapeLength(bytes, position)
            if length == 6, isSurrogate(bytes, position) {
                let isPair = isHighSurrogate(bytes, position) && isLowSurrogate(bytes, position + 6)
                out += isPair ? Array(bytes[position..<position + 12]) : Array("\\ufffd".utf8)
                changed = changed || !isPair
                position += isPair ? 12 : 6
            } else {
                out += bytes[position..<position + length]
                position += length
            }
        }
        return changed ? out : nil
    }

    private static func escapeLength(_ bytes: [UInt8], _ position: Int) -> Int {
        guard bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count else { return 1 }
        return bytes[position + 1] == UInt8(ascii: "u") && position + 6 <= bytes.count ? 6 : 2
    }

    private static func isSurrogate(_ bytes: [UInt8], _ position: Int) -> Bool {
        isHighSurrogate(bytes, position) || isLowSurrogate(bytes, position)
    }

    private static func isHighSurrogate(_ bytes: [UInt8], _ position: Int) -> Bool {
        surrogate(bytes, position, "89abAB")
    }

    private static func isLowSurrogate(_ bytes: [UInt8], _ position: Int) -> Bool {
        surrogate(bytes, position, "cdefCDEF")
    }

    /// An escape `\uD?..` whose third digit's predecessor is one of these.
    private static func surrogate(_ bytes: [UInt8], _ position: Int, _ second: String) -> Bool {
        position + 6 <= bytes.count && bytes[position] == UInt8(ascii: "\\")
            && bytes[position + 1] == UInt8(ascii: "u") && bytes[position + 2] | 0x20 == UInt8(ascii: "d")
            && second.utf8.contains(bytes[position + 3])
    }
}
