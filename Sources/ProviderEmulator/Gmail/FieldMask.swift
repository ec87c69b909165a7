/// What a `fields` parameter selects (partial responses, guides/performance): `a,b(c,d),e/f,*`.
indirect enum FieldMask: Sendable, Hashable {
    case all
    case some([String: FieldMask])

    /// The part of the mask below a field; nil when the field is not selected.
    func child(_ name: String) -> FieldMask? {
        switch self {
        case .all: .all
        case .some(let fields): fields[name] ?? fields["*"]
        }
    }

    /// - Throws: a 400 for text that is no selector or names a field outside the schema.
    static func parse(_ text: String, schema: FieldSchema) throws(GmailError) -> FieldMask {
        var parser = FieldMaskParser(text)
        guard let mask = parser.list(), parser.isAtEnd else { throw invalid(text) }
        if let unknown = mask.firstUnknown(in: schema) { throw invalid(unknown) }
        return mask
    }

    private static func invalid(_ selection: String) -> GmailError {
        var error = GmailError.invalidArgument("Request contains an invalid argument.")
        error.innerMessage = "Invalid field selection \(selection)"
        error.reason = "invalidParameter"
        return error
    }

    func merged(with other: FieldMask) -> FieldMask {
        guard case .some(let mine) = self, case .some(let others) = other else { return .all }
        return .some(mine.merging(others) { $0.merged(with: $1) })
    }

    private func firstUnknown(in schema: FieldSchema) -> String? {
        guard case .some(let fields) = self else { return nil }
        for (name, mask) in fields.sorted(by: { $0.key < $1.key }) where name != "*" {
            guard let child = schema.child(name) else { return name }
            if let unknown = mask.firstUnknown(in: child) { return unknown }
        }
        return nil
    }
}

/// Recursive descent over a selector's bytes.
private struct FieldMaskParser {
    /// Deepest nesting accepted.
    private static let depthMax = 16
    private var rest: Substring.UTF8View
    private var depth = 0

    init(_ text: String) { rest = Substring(text).utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func list() -> FieldMask? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax, var mask = selector() else { return nil }
        while take(",") {
            guard let next = selector() else { return nil }
            mask = mask.merged(with: next)
        }
        return mask
    }

    private mutating func selector() -> FieldMask? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax, let name = name() else { return nil }
        if take("/") { return selector().map { .some([name: $0]) } }
        guard take("(") else { return .some([name: .all]) }
        guard let inner = list(), take(")") else { return nil }
        return .some([name: inner])
    }

    private mutating func name() -> String? {
        let name = rest.prefix { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "*"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard !name.isEmpty else { return nil }
        rest = rest.dropFirst(name.count)
        return String(Substring(name))
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }
}

/// The fields a selector may name, from the schemas of the discovery document.
indirect enum FieldSchema: Sendable {
    case value
    case object([String: FieldSchema])
    /// A MIME part: contains parts.
    case part

    func child(_ name: String) -> FieldSchema? {
        switch self {
        case .value: nil
        case .object(let fields): fields[name]
        case .part:
            switch name {
            case "parts": .part
            case "partId", "mimeType", "filename": .value
            case "headers": .object(["name": .value, "value": .value])
            case "body": .object(["attachmentId": .value, "size": .value, "data": .value])
            default: nil
            }
        }
    }

    static let profile = FieldSchema.object([
        "emailAddress": .value, "messagesTotal": .value, "threadsTotal": .value, "historyId": .value,
    ])
    static let message = FieldSchema.object([
        "id": .value, "threadId": .value, "labelIds": .value, "snippet": .value, "historyId": .value,
        "internalDate": .value, "payload": .part, "sizeEstimate": .value, "raw": .value,
        "classificationLabelValues": .value,
    ])
    static let messageList = FieldSchema.object([
        "messages": message, "nextPageToken": .value, "resultSizeEstimate": .value,
    ])
    static let historyList: FieldSchema = {
        let plain = FieldSchema.object(["message": message])
        let labelled = FieldSchema.object(["message": message, "labelIds": .value])
        let record = FieldSchema.object([
            "id": .value, "messages": message, "messagesAdded": plain, "messagesDeleted": plain,
            "labelsAdded": labelled, "labelsRemoved": labelled,
        ])
        return .object(["history": record, "nextPageToken": .value, "historyId": .value])
    }()
    static let label = FieldSchema.object([
        "id": .value, "name": .value, "messageListVisibility": .value, "labelListVisibility": .value, "type": .value,
        "messagesTotal": .value, "messagesUnread": .value, "threadsTotal": .value, "threadsUnread": .value,
        "color": .object(["textColor": .value, "backgroundColor": .value]),
    ])
    static let labelList = FieldSchema.object(["labels": label])
    static let watch = FieldSchema.object(["historyId": .value, "expiration": .value])
    static let empty = FieldSchema.object([:])
}
