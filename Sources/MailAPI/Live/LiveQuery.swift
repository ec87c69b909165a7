import Hummingbird
import MailModel

/// What a client wants of a live stream.
struct LiveQuery: Sendable, Hashable {
    /// Events with a higher number than this; nil: from now on.
    var after: Int64?
    /// nil: all of them.
    var inbox: InboxID?
    /// nil: all of them.
    var provider: ProviderKind?

    /// - Parameter lastEventID: the header of a client that reconnects; it knows better than the URL, which stays the same.
    /// - Throws: ``APIProblem`` 422 naming the parameter.
    init(_ parameters: [(name: String, value: String)], lastEventID: String?) throws(APIProblem) {
        guard let unknown = parameters.first(where: { !Self.names.contains($0.name) }) else {
            let events = try EventQuery(parameters)
            after = parameters.contains { $0.name == "after" } ? events.after : nil
            (inbox, provider) = (events.inbox, events.provider)
            if let lastEventID { after = try Self.position(lastEventID) }
            return
        }
        throw .field(unknown.name, "is not a parameter of this operation")
    }

    private static let names: Set = ["after", "inbox_id", "provider"]

    private static func position(_ text: String) throws(APIProblem) -> Int64 {
        let isPlain = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isPlain, let seq = Int64(text) else {
            throw .field("Last-Event-ID", "must be the id of an event of this stream")
        }
        return seq
    }

    /// The events after one of them.
    func events(after seq: Int64, limit: Int) -> EventQuery {
        EventQuery(after: seq, limit: limit, inbox: inbox, provider: provider)
    }

    func wants(_ key: AccountKey) -> Bool {
        (inbox == nil || key.inbox == inbox) && (provider == nil || key.provider == provider)
    }
}

extension HTTPFields {
    static let lastEventID = Element.Name("Last-Event-ID")
}
