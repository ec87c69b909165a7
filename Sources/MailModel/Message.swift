/// One header field, decoded to text.
public struct HeaderField: Sendable, Hashable, Codable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// The headers an event carries: one value per name, and the further values of repeated ones.
public struct MessageHeaders: Sendable, Hashable {
    /// A repeated header: its name and every value after the first, in order.
    public struct Repeated: Sendable, Hashable {
        public var name: String
        public var values: [String]

        public init(name: String, values: [String]) {
            self.name = name
            self.values = values
        }
    }

    /// The first value of each name, in the order of first appearance (or of the selection).
    public var first: [HeaderField]
    /// Further values of repeated names.
    public var repeated: [Repeated]

    public init(first: [HeaderField] = [], repeated: [Repeated] = []) {
        self.first = first
        self.repeated = repeated
    }
}

/// Which headers events carry (`EVENT_HEADERS`).
public enum HeaderSelection: Sendable, Hashable {
    /// Every header, under the sender's spelling of its first appearance.
    case all
    /// These headers, under this spelling and in this order; names match case-insensitively.
    case named([String])

    /// The default of `EVENT_HEADERS`.
    public static let standard = HeaderSelection.named([
        "From", "To", "Cc", "Bcc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
        "List-Id", "List-Unsubscribe", "Auto-Submitted", "Delivered-To",
    ])

    /// Folds a message's fields into what events carry.
    public func select(_ fields: [HeaderField]) -> MessageHeaders {
        switch self {
        case .all:
            return fold(fields) { $0 }
        case .named(let names):
            var spelling: [String: (order: Int, name: String)] = [:]
            for (order, name) in names.enumerated() where spelling[name.lowercased()] == nil {
                spelling[name.lowercased()] = (order, name)
            }
            var folded = fold(fields) { spelling[$0.lowercased()]?.name }
            let rank = { (name: String) in spelling[name.lowercased()]?.order ?? .max }
            folded.first.sort { rank($0.name) < rank($1.name) }
            folded.repeated.sort { rank($0.name) < rank($1.name) }
            return folded
        }
    }

    private func fold(_ fields: [HeaderField], spelling: (String) -> String?) -> MessageHeaders {
        var headers = MessageHeaders()
        var firstIndex: [String: String] = [:]
        var repeatedIndex: [String: Int] = [:]
        for field in fields {
            guard let name = spelling(field.name) else { continue }
            let key = name.lowercased()
            guard let shown = firstIndex[key] else {
                firstIndex[key] = name
                headers.first.append(HeaderField(name: name, value: field.value))
                continue
            }
            if let index = repeatedIndex[key] {
                headers.repeated[index].values.append(field.value)
            } else {
                repeatedIndex[key] = headers.repeated.count
                headers.repeated.append(.init(name: shown, values: [field.value]))
            }
        }
        return headers
    }
}

/// A message's metadata in the one shape all providers are normalised to.
public struct MessageMeta: Sendable, Hashable {
    /// The provider's id of the message; unique within (provider, inbox).
    public var id: String
    public var threadID: String
    /// The provider's date, in Unix seconds.
    public var date: UnixSeconds
    public var subject: String
    /// The bare address of the first author; empty when the message names none.
    public var sender: String
    /// Bare addresses.
    public var to: [String]
    public var cc: [String]
    public var bcc: [String]
    /// The provider's preview, as plain text.
    public var snippet: String
    public var headers: MessageHeaders
    /// Label ids, sorted, without repeats.
    public var labels: [String]
    /// The provider's version of the message at which this was read; grows with every change. Change records at
    /// or below it are already contained in this value.
    public var version: UInt64
    /// The provider's id of the folder the message lies in; nil where mailboxes have labels and no folders. Kept with
    /// the message's state, not part of events.
    public var folder: String?

    public init(
        id: String, threadID: String, date: UnixSeconds, subject: String = "", sender: String = "", to: [String] = [],
        cc: [String] = [], bcc: [String] = [], snippet: String = "", headers: MessageHeaders = .init(),
        labels: [String] = [], version: UInt64 = 0, folder: String? = nil
    ) {
        self.id = id
        self.threadID = threadID
        self.date = date
        self.subject = subject
        self.sender = sender
        self.to = to
        self.cc = cc
        self.bcc = bcc
        self.snippet = snippet
        self.headers = headers
        self.labels = labels
        self.version = version
        self.folder = folder
    }
}
