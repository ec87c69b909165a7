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

    struct Watch: Decodable {
        /// Milliseconds since 1970-01-01 UTC.
        var expiration: Number?
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
