import Foundation

/// A client of server-sent events over HTTP/1.1, by the book:
/// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
public actor EventStreamClient {
    /// What a browser would fire, and what only shows in the stream.
    public struct Block: Sendable, Hashable {
        public var event = "message"
        public var data: String?
        /// The last event id after this block.
        public var lastEventID = ""
        public var comments: [String] = []

        /// The data as a JSON object; empty when it is none.
        public var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data((data ?? "").utf8))) as? [String: Any] ?? [:]
        }
        /// Of a `status`.
        public var accounts: [[String: Any]] { json["accounts"] as? [[String: Any]] ?? [] }
    }

    /// The connection.
    public nonisolated let client: RawClient
    public nonisolated let head: RawClient.Answer
    public private(set) var lastEventID = ""
    private var chunked: [UInt8] = []
    private var text: [UInt8] = []

    /// Sends the request, and reads the head of the answer; the whole of it where it is a problem.
    public init(port: Int, request: [UInt8], receiveBufferBytes: Int32? = nil) async throws {
        client = try RawClient(port: port, receiveBufferBytes: receiveBufferBytes)
        await client.send(request)
        head = try await client.receive()
    }

    /// The next block; nil at the end of the stream.
    public func next() async throws -> Block? {
        while true {
            if let end = text.firstRange(of: Array("\n\n".utf8)) {
                let block = parse(String(decoding: text[..<end.lowerBound], as: UTF8.self))
                text.removeSubrange(..<end.upperBound)
                return block
            }
            guard let part = try await client.receive(atMost: 65_536) else { return nil }
            chunked += part
            takeChunks()
        }
    }

    /// The next block that a browser fires as one of these events.
    public func next(_ events: String...) async throws -> Block {
        while let block = try await next() {
            if block.data != nil, events.contains(block.event) { return block }
        }
        throw NotInTime("the stream ended without \(events)")
    }

    /// The data of so many events of the log.
    public func events(_ count: Int) async throws -> [String] {
        var data: [String] = []
        while data.count < count {
            guard let block = try await next() else { throw NotInTime("\(data.count) of \(count) events came") }
            if block.isOfLog { data.append(block.data ?? "") }
        }
        return data
    }

    /// Everything to the end of the stream.
    public func rest() async throws -> [Block] {
        var blocks: [Block] = []
        while let block = try await next() { blocks.append(block) }
        return blocks
    }

    private func parse(_ lines: String) -> Block {
        var block = Block()
        var data: [String] = []
        for line in lines.split(separator: "\n") {
            if line.hasPrefix(":") { block.comments.append(String(line.dropFirst())) }
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            let value = parts.count > 1 ? String(parts[1].trimmingPrefix(" ")) : ""
            switch parts[0] {
            case "event": block.event = value
            case "data": data.append(value)
            case "id": lastEventID = value
            default: break
            }
        }
        block.data = data.isEmpty ? nil : data.joined(separator: "\n")
        block.lastEventID = lastEventID
        return block
    }

    /// RFC 9112 §7.1.
    private func takeChunks() {
        while let line = chunked.firstRange(of: Array("\r\n".utf8)),
            let size = Int(String(decoding: chunked[..<line.lowerBound], as: UTF8.self), radix: 16),
            chunked.count >= line.upperBound + size + 2
        {
            text += chunked[line.upperBound..<line.upperBound + size]
            chunked.removeSubrange(..<(line.upperBound + size + 2))
        }
    }
}

extension EventStreamClient.Block {
    /// Whether it is an event of the log, rather than progress or a status.
    public var isOfLog: Bool { data != nil && (event.hasPrefix("email.") || event.hasPrefix("account.")) }
}
