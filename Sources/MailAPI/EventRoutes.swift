import Hummingbird
import MailModel
import ServiceLifecycle

/// `GET /mail/events`: a user's own events, a page at a time.
struct EventRoutes: Sendable {
    static let limitStandard = 100
    static let limitMax = 1000
    static let waitSecondsMax = 60

    let feed: EventFeed

    var all: [Route] { [.user(.get, "/mail/events", events)] }

    @Sendable private func events(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let query = try EventQuery(call.query)
        // A request that waits is answered at once when the service ends or the client has left.
        let page = try await cancelWhenGracefulShutdown { [feed] in
            try await call.connection.untilDeparture { try await feed.page(of: user, query) }
        }
        var lines = ByteBuffer()
        lines.reserveCapacity(page.entries.reduce(0) { $0 + $1.payload.count + 1 })
        for entry in page.entries {
            lines.writeBytes(entry.payload)
            lines.writeString("\n")
        }
        var headers: HTTPFields = [.contentType: "application/x-ndjson"]
        if let name = HTTPFields.nextAfter { headers[name] = String(page.next) }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: lines))
    }
}

extension HTTPFields {
    fileprivate static let nextAfter = Element.Name("X-Next-After")
}

extension EventQuery {
    /// - Throws: ``APIProblem`` 422 naming the parameter.
    init(_ parameters: [(name: String, value: String)]) throws(APIProblem) {
        self.init(after: 0, limit: EventRoutes.limitStandard)
        var seen: Set<String> = []
        for (name, value) in parameters {
            guard seen.insert(name).inserted else { throw .field(name, "is given more than once") }
            try take(name, value)
        }
    }

    mutating func take(_ name: String, _ value: String) throws(APIProblem) {
        switch name {
        case "after": after = try Self.number(name, value, in: 0...Int64.max)
        case "limit": limit = Int(try Self.number(name, value, in: 1...Int64(EventRoutes.limitMax)))
        case "wait": wait = .seconds(try Self.number(name, value, in: 0...Int64(EventRoutes.waitSecondsMax)))
        case "inbox_id":
            do { inbox = try InboxID(value) } catch { throw .field(name, "cannot be used: \(error)") }
        case "provider":
            provider = ProviderKind(apiName: value)
            let accepted = ProviderKind.allCases.map(\.apiName)
            if provider == nil {
                throw .field(name, "must be one of: \(accepted.joined(separator: ", "))", accepted: accepted)
            }
        default: throw .field(name, "is not a parameter of this operation")
        }
    }

    private static func number(
        _ name: String, _ value: String, in range: ClosedRange<Int64>
    ) throws(APIProblem) -> Int64 {
        let isPlain = value.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isPlain, let number = Int64(value), range.contains(number) else {
            throw .field(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
