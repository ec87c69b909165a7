import MailModel

/// One page of a collection, its items written already.
struct GraphPage: Sendable {
    var context: String
    var count: Int?
    var items: [[UInt8]] = []
    var nextLink: String?
    var deltaLink: String?

    var reply: EmulatorReply {
        var json = JSONText()
        json.object { json in
            json.field("@odata.context", context)
            if let count { json.field("@odata.count", Int64(count)) }
            if let nextLink { json.field("@odata.nextLink", nextLink) }
            if let deltaLink { json.field("@odata.deltaLink", deltaLink) }
        }
        var body = json.bytes
        body.removeLast()
        body += ",\"value\":".utf8
        body.append(array: items)
        body += "}".utf8
        return EmulatorReply(status: 200, contentType: EmulatorReply.graphType, body: body)
    }
}

extension [UInt8] {
    /// Appends a JSON array of elements that are written already.
    mutating func append(array elements: [[UInt8]]) {
        append(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { append(UInt8(ascii: ",")) }
            append(contentsOf: element)
        }
        append(UInt8(ascii: "]"))
    }
}
