import ProviderClient

/// What Graph sends, as far as it is used. Nothing is taken on trust: an entry of a page that cannot be read does not spoil
/// the page, and which keys were there is remembered, because an update may carry only what changed.
enum OutlookWire {
    struct AnyKey: CodingKey, Hashable {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
        init(_ name: String) { stringValue = name }
    }

    /// A page of a listing or of a round of changes: more follow at `nextLink`, or the round ends and the next begins at
    /// `deltaLink`.
    struct Page<Value: Decodable & Sendable>: Decodable, Sendable {
        var items: [Entry<Value>]
        var nextLink: String?
        var deltaLink: String?

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: AnyKey.self)
            items = try container.decodeIfPresent([Entry<Value>].self, forKey: AnyKey("value")) ?? []
            nextLink = try container.decodeIfPresent(String.self, forKey: AnyKey("@odata.nextLink"))
            deltaLink = try container.decodeIfPresent(String.self, forKey: AnyKey("@odata.deltaLink"))
            // There should be one of them. An empty page that names both is the last.
            if items.isEmpty, deltaLink != nil { nextLink = nil }
        }
    }

    /// One entry of a page.
    enum Entry<Value: Decodable & Sendable>: Decodable, Sendable {
        case content(id: String, Value)
        case removed(id: String)
        /// Nil when not even its id can be read.
        case unreadable(id: String?)

        init(from decoder: any Decoder) throws {
            guard let container = try? decoder.container(keyedBy: AnyKey.self),  // throws when it is no object
                let id = try? container.decode(String.self, forKey: AnyKey("id")),  // throws when it is no text
                OutlookID.isValid(id)
            else {
                self = .unreadable(id: nil)
                return
            }
            if container.contains(AnyKey("@removed")) {
                self = .removed(id: id)
            } else if let value = try? Value(from: decoder) {  // throws when it has another shape than documented
                self = .content(id: id, value)
            } else {
                self = .unreadable(id: id)
            }
        }
    }

    struct Folder: Decodable, Sendable {
        var id: String?
        var displayName: String?
        var parentFolderId: String?
        var isHidden: Bool?
        var totalItemCount: Int64?
        var childFolderCount: Int64?
        var type: String?

        enum CodingKeys: String, CodingKey {
            case id, displayName, parentFolderId, isHidden, totalItemCount, childFolderCount
            case type = "@odata.type"
        }

        var isSearch: Bool { type?.lowercased().hasSuffix("mailsearchfolder") ?? false }
    }

    struct Recipient: Decodable, Sendable {
        struct Address: Decodable, Sendable {
            var name: String?
            var address: String?
        }
        var emailAddress: Address?
    }

    struct Header: Decodable, Sendable {
        var name: String?
        var value: String?
    }

    struct Flag: Decodable, Sendable {
        var flagStatus: String?
    }

    struct Message: Decodable, Sendable {
        var id: String?
        var conversationId: String?
        var internetMessageId: String?
        var subject: String?
        var bodyPreview: String?
        var from: Recipient?
        var sender: Recipient?
        var toRecipients: [Recipient]?
        var ccRecipients: [Recipient]?
        var bccRecipients: [Recipient]?
        var replyTo: [Recipient]?
        /// ISO 8601, in UTC.
        var receivedDateTime: String?
        var sentDateTime: String?
        var createdDateTime: String?
        var parentFolderId: String?
        var isRead: Bool?
        var isDraft: Bool?
        var importance: String?
        var flag: Flag?
        var categories: [String]?
        var internetMessageHeaders: [Header]?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case id, conversationId, internetMessageId, subject, bodyPreview, from, sender, toRecipients, ccRecipients
            case bccRecipients, replyTo, receivedDateTime, sentDateTime, createdDateTime, parentFolderId, isRead
            case isDraft, importance, flag, categories, internetMessageHeaders
        }
    }

    /// A message of a page, with the keys it came with.
    struct ListedMessage: Decodable, Sendable {
        var message: Message
        private var keys: Set<Message.CodingKeys>

        init(from decoder: any Decoder) throws {
            message = try Message(from: decoder)
            keys = Set(try decoder.container(keyedBy: Message.CodingKeys.self).allKeys)
        }

        /// All that labels are made of.
        var hasLabels: Bool { keys.isSuperset(of: [.isRead, .isDraft, .importance, .flag, .categories]) }
        /// All that an event is made of. Headers may be missing: Graph has none for mail that was sent.
        var isComplete: Bool { hasLabels && keys.isSuperset(of: [.receivedDateTime, .subject, .toRecipients]) }
    }

    struct Subscription: Decodable, Sendable {
        var id: String?
        /// ISO 8601, in UTC.
        var expirationDateTime: String?
        var notificationUrl: String?
        var clientState: String?
    }

    struct Profile: Decodable, Sendable {
        var id: String?
    }

    /// `{"error":{"code":…,"innerError":{"code":…}}}`, nested as deep as Graph likes.
    struct Failure: Decodable, Sendable {
        private static let depthMax = 5
        /// In lower case, the outermost first.
        var codes: [String] = []
        var message = ""

        init(from decoder: any Decoder) throws {
            var next: KeyedDecodingContainer<AnyKey>? = try decoder.container(keyedBy: AnyKey.self)
                .nestedContainer(keyedBy: AnyKey.self, forKey: AnyKey("error"))
            for _ in 0..<Self.depthMax {
                guard let error = next else { break }
                // What is missing or of another type says nothing.
                if let code = try? error.decode(String.self, forKey: AnyKey("code")) { codes.append(code.lowercased()) }
                if message.isEmpty {
                    message = (try? error.decode(String.self, forKey: AnyKey("message"))) ?? ""
                }
                next = error.allKeys.first { $0.stringValue.lowercased() == "innererror" }.flatMap {
                    try? error.nestedContainer(keyedBy: AnyKey.self, forKey: $0)
                }
            }
        }
    }
}

/// A batch of requests in one
/// (https://learn.microsoft.com/graph/json-batching).
extension OutlookWire {
    struct BatchAnswer<Body: Decodable & Sendable>: Decodable, Sendable {
        var responses: [BatchPart<Body>]
    }

    /// One answer of a batch.
    struct BatchPart<Body: Decodable & Sendable>: Decodable, Sendable {
        var id: String?
        var status: Int
        var retryAfter: String?
        /// Nil when the status is no success or the body has another shape than documented.
        var body: Body?
        var failure: Failure?

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: AnyKey.self)
            // What is missing or of another type says nothing.
            id = try? container.decode(String.self, forKey: AnyKey("id"))
            status = (try? container.decode(Int.self, forKey: AnyKey("status"))) ?? 0
            let headers = try? container.nestedContainer(keyedBy: AnyKey.self, forKey: AnyKey("headers"))
            let key = headers?.allKeys.first { $0.stringValue.lowercased() == "retry-after" }
            if let headers, let key { retryAfter = Self.text(headers, key) }
            if (200...299).contains(status) {
                body = try? container.decode(Body.self, forKey: AnyKey("body"))
            } else {
                failure = try? container.decode(Failure.self, forKey: AnyKey("body"))
            }
        }

        private static func text(_ headers: KeyedDecodingContainer<AnyKey>, _ key: AnyKey) -> String? {
            if let text = try? headers.decode(String.self, forKey: key) { return text }  // throws when it is no text
            return (try? headers.decode(Int.self, forKey: key)).map(String.init)  // throws when it is no number
        }
    }
}

/// Ids as Graph makes them: compared byte for byte, opaque.
enum OutlookID {
    /// Printable ASCII without spaces, 1,024 bytes at most.
    static func isValid(_ id: String) -> Bool {
        (1...1024).contains(id.utf8.count) && id.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
