import MailModel

/// One thing that a live stream says.
struct LiveMessage: Sendable, Hashable {
    /// `email.received` …, `status`, `progress`, `position`.
    var event: String
    /// Where a client that has this message goes on; nil: where it was.
    var id: Int64?
    /// A JSON object.
    var data: [UInt8]

    /// An event of the log.
    init(_ entry: EventPage.Entry) { self.init(event: entry.type, id: entry.seq, data: entry.payload) }

    init(event: String, id: Int64? = nil, data: [UInt8]) {
        self.event = event
        self.id = id
        self.data = data
    }

    init(event: String, _ body: (inout JSONText) -> Void) {
        var json = JSONText()
        json.object(body)
        self.init(event: event, data: json.bytes)
    }

    /// Moves the client on without an event: up to here nothing was wanted.
    static func position(_ seq: Int64) -> LiveMessage {
        LiveMessage(event: positionEvent, id: seq, data: Array("{}".utf8))
    }

    private static let positionEvent = "position"
}

extension LiveMessage {
    /// How long a browser waits before it reconnects, in milliseconds.
    private static let retryMilliseconds = 2000
    /// Said once, at the beginning of a stream of server-sent events.
    static let opening = Array("retry: \(retryMilliseconds)\n\n".utf8)
    /// A comment: what shows that the stream is alive.
    static let heartbeat = Array(": alive\n\n".utf8)

    /// As a server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
    /// A block with an id alone moves the client's last event id and fires nothing. JSON as we write it has no line
    /// breaks, so the data is one line.
    func serverSentEvent(into bytes: inout [UInt8]) {
        if let id { bytes += "id: \(id)\n".utf8 }
        if event != Self.positionEvent {
            bytes += "event: \(event)\ndata: ".utf8
            bytes += data
            bytes.append(UInt8(ascii: "\n"))
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    /// As a WebSocket's text: `{"event":…,"id":…,"data":…}`.
    var text: [UInt8] {
        var json = JSONText(reserving: 64)
        json.object { json in
            json.field("event", event)
            json.field("id", id)
        }
        return json.bytes.dropLast() + Array(#","data":"#.utf8) + data + [UInt8(ascii: "}")]
    }
}
