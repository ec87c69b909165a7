import Foundation

/// What the Gmail API sends, as far as it is used. Every field is optional: Google leaves out what is empty, and
/// nothing it sends is taken on trust.
enum GmailWire {
    struct Profile: Decodable {
        var emailAddress: String?
        var messagesTotal: Number?
        var historyId: Number?
    }

    struct Reference: Decodable {
        var id: String?
        var labelIds: [String]?
    }

    struct MessageList: Decodable {
        var messages: [Reference]?
        var nextPageToken: String?
    }

    struct HistoryPage: Decodable {
        var history: [HistoryRecord]?
        var nextPageToken: String?
        var historyId: Number?
    }

    struct HistoryRecord: Decodable {
        struct Change: Decodable {
            var message: Reference?
            /// The labels added or removed.
            var labelIds: [String]?
        }
        var id: Number?
        var messagesAdded: [Change]?
        var messagesDeleted: [Change]?
        var labelsAdded: [Change]?
        var labelsRemoved: [Change]?
    }

    struct Header: Decodable {
        var name: String?
        var value: String?
    }

    struct Message: Decodable {
        struct Payload: Decodable {
            var headers: [Header]?
        }
        var id: String?
        var threadId: String?
        var labelIds: [String]?
        var snippet: String?
        var historyId: Number?
        /// Milliseconds since 1970-01-01 UTC.
        var internalDate: Number?
        var payload: Payload?
    }

    struct LabelList: Decodable {
        struct Label: Decodable {
            var id: String?
            var name: String?
            var type: String?
        }
        var labels: [Label]?
    }

    struct Failure: Decodable {
        struct Body: Decodable {
            struct Entry: Decodable {
                var reason: String?
                var domain: String?
                var message: String?
            }
            struct Detail: Decodable {
                var reason: String?
                /// `google.rpc.RetryInfo`: `"30s"`.
                var retryDelay: String?
            }
            var message: String?
            var status: String?
            var errors: [Entry]?
            var details: [Detail]?
        }
        var error: Body?
    }

    /// A whole number that travels as a string or as a number. Anything else is no number, not an error.
    struct Number: Decodable, Sendable, Hashable {
        var value: Int64?

        init(_ value: Int64?) { self.value = value }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {  // throws when it is no string
                value = Int64(text)
            } else {
                value = try? container.decode(Int64.self)  // throws when it is no whole number
            }
        }

        /// The number as a history id or a version.
        var unsigned: UInt64? { value.flatMap { UInt64(exactly: $0) } }
    }

    /// - Throws: `DecodingError` when it is no JSON of this shape.
    static func decode<Value: Decodable>(_ type: Value.Type, from body: [UInt8]) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            guard let repaired = GmailWire.repaired(body) else { throw error }
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

/// Message and thread ids as Gmail makes them.
enum GmailID {
    /// Letters, digits, `_` and `-`, 64 at most: safe in a path.
    static func isValid(_ id: String) -> Bool {
        (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
