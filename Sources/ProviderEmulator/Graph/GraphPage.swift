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
        body += ",\"value\":[".utf8
        body += items.joined(separator: ",".utf8)
        body += "]}".utf8
        return EmulatorReply(status: 200, contentType: EmulatorReply.graphType, body: body)
    }
}
