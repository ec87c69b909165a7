/// The query options of a Graph request, read and checked.
struct GraphQuery: Sendable, Hashable, Codable {
    /// Names of properties; nil is all that come by themselves.
    var select: Set<String>?
    var top: Int?
    var skip = 0
    var wantsCount = false
    var includesHidden = false
    /// Bounds of `receivedDateTime`, Unix seconds: from, and up to but not including.
    var receivedFrom: Int64?
    var receivedBefore: Int64?
    /// Nil without `$orderby`.
    var isNewestFirst: Bool?
    /// `created`, `updated` or `deleted`; nil is all.
    var changeType: String?

    init(_ request: EmulatorRequest, properties: Set<String>, allowed: Set<String>) throws(GraphError) {
        for (name, value) in request.query {
            guard allowed.contains(name) else { throw Self.unsupported(name) }
            switch name {
            case "$select": select = try Self.select(value, properties)
            case "$top": top = try Self.number(value, name, 1...1000)
            case "$skip": skip = try Self.number(value, name, 0...10_000_000)
            case "$count": wantsCount = value == "true"
            case "$filter": try readFilter(value)
            case "$orderby": isNewestFirst = try Self.order(value)
            case "includeHiddenFolders": includesHidden = value.lowercased() == "true"
            case "changeType": changeType = try Self.changeType(value)
            default: break
            }
        }
    }

    func includes(_ message: OutlookMessage) -> Bool {
        if let receivedFrom, message.receivedAt < receivedFrom { return false }
        if let receivedBefore, message.receivedAt >= receivedBefore { return false }
        return true
    }

    func wants(_ property: String) -> Bool { select?.contains(property) ?? true }

    private mutating func readFilter(_ text: String) throws(GraphError) {
        for clause in text.replacing(" and ", with: "&").split(separator: "&") {
            let words = clause.split(separator: " ").map(String.init)
            guard words.count == 3, words[0] == "receivedDateTime", let time = MailDate.parseTimestamp(words[2]) else {
                throw .badRequest("Invalid filter clause: \(clause)")
            }
            switch words[1] {
            case "ge": receivedFrom = time
            case "gt": receivedFrom = time + 1
            case "lt": receivedBefore = time
            case "le": receivedBefore = time + 1
            default: throw .badRequest("Invalid filter clause: \(clause)")
            }
        }
    }

    private static func order(_ text: String) throws(GraphError) -> Bool {
        switch text.lowercased() {
        case "receiveddatetime desc": true
        case "receiveddatetime", "receiveddatetime asc": false
        default: throw .inefficientFilter
        }
    }

    private static func select(_ text: String, _ properties: Set<String>) throws(GraphError) -> Set<String> {
        let names = Set(text.split(separator: ",").map { String($0.drop { $0 == " " }) })
        for name in names where !properties.contains(name) {
            throw .badRequest("Could not find a property named '\(name)'.", code: "RequestBroker--ParseUri")
        }
        return names
    }

    private static func number(_ text: String, _ name: String, _ range: ClosedRange<Int>) throws(GraphError) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw .badRequest("Invalid value '\(text)' for \(name).", code: "RequestBroker--ParseUri")
        }
        return number
    }

    private static func changeType(_ text: String) throws(GraphError) -> String {
        guard ["created", "updated", "deleted"].contains(text) else {
            throw .badRequest("Invalid value '\(text)' for changeType.")
        }
        return text
    }

    private static func unsupported(_ name: String) -> GraphError {
        .badRequest("The query option '\(name)' is not supported here.", code: "RequestBroker--ParseUri")
    }
}

/// What a request asks for in `Prefer` headers.
struct GraphPreference: Sendable, Hashable {
    var usesImmutableIDs = false
    var pageSize: Int?
    /// `text` or `html`.
    var bodyType: String?

    init(_ request: EmulatorRequest) {
        let wishes = request.headers.filter { $0.name == "prefer" }.flatMap { $0.value.split(separator: ",") }
        for wish in wishes {
            let parts = wish.split(separator: "=", maxSplits: 1).map { part in
                String(part).replacing("\"", with: "").replacing(" ", with: "")
            }
            guard parts.count == 2 else { continue }
            switch parts[0].lowercased() {
            case "idtype": usesImmutableIDs = parts[1].lowercased() == "immutableid"
            case "odata.maxpagesize": pageSize = Int(parts[1]).flatMap { $0 > 0 ? $0 : nil }
            case "outlook.body-content-type": bodyType = parts[1].lowercased()
            default: break
            }
        }
    }

    /// The value of `Preference-Applied`; nil when nothing was asked for.
    var applied: String? {
        var parts: [String] = []
        if usesImmutableIDs { parts.append("IdType=\"ImmutableId\"") }
        if let pageSize { parts.append("odata.maxpagesize=\(pageSize)") }
        if let bodyType { parts.append("outlook.body-content-type=\"\(bodyType)\"") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}
