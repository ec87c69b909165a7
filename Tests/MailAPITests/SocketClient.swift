import Crypto
import Foundation
import MailTestSupport

/// A WebSocket client (RFC 6455) that sends exactly what a test wants sent.
actor SocketClient {
    struct Frame: Sendable, Hashable {
        enum Opcode: UInt8, Sendable { case continuation, text, binary, close = 8, ping, pong }

        var opcode: Opcode
        var payload: [UInt8] = []
        var isFinal = true
        var isMasked = true

        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(payload))) as? [String: Any] ?? [:]
        }
        /// What is before the data, which may be long.
        private var opening: [String: Any] {
            let text = String(decoding: payload.prefix(100), as: UTF8.self)
            let end = text.range(of: #","data":"#)?.lowerBound ?? text.endIndex
            return (try? JSONSerialization.jsonObject(with: Data((text[..<end] + "}").utf8))) as? [String: Any] ?? [:]
        }
        var event: String? { opening["event"] as? String }
        /// Whether it is an event of the log, rather than progress or a status.
        var isEvent: Bool { event?.hasPrefix("email.") == true || event?.hasPrefix("account.") == true }
        var id: Int? { opening["id"] as? Int }
        /// The code of a close (§5.5.1).
        var closeCode: Int? { payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil }
    }

    /// §1.3: the key and the answer of the specification's own example.
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    nonisolated let client: RawClient
    nonisolated let head: RawClient.Answer
    private var bytes: [UInt8] = []

    private init(_ client: RawClient, _ head: RawClient.Answer) { (self.client, self.head) = (client, head) }

    /// - Parameter headers: in place of the standard ones; an empty value leaves a header out.
    static func open(
        _ api: API, _ user: String? = nil, _ query: String = "", headers changes: [String: String] = [:],
        receiveBufferBytes: Int32? = nil
    ) async throws -> SocketClient {
        var headers = [
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
        ]
        headers.merge(changes) { $1 }
        let client = try RawClient(port: api.port, receiveBufferBytes: receiveBufferBytes)
        let path = "/mail/live" + (query.isEmpty ? "" : "?\(query)")
        await client.send(try api.request("GET", path, user: user, headers: headers.filter { !$0.value.isEmpty }))
        return SocketClient(client, try await client.receive())
    }

    func send(_ frame: Frame) async {
        var bytes: [UInt8] = [frame.opcode.rawValue | (frame.isFinal ? 0x80 : 0)]
        let mask: UInt8 = frame.isMasked ? 0x80 : 0
        switch frame.payload.count {
        case ..<126: bytes.append(UInt8(frame.payload.count) | mask)
        case ..<65_536: bytes += [126 | mask, UInt8(frame.payload.count >> 8), UInt8(frame.payload.count & 255)]
        default: bytes += [127 | mask] + (0..<8).map { UInt8(truncatingIfNeeded: frame.payload.count >> (56 - $0 * 8)) }
        }
        let key: [UInt8] = [1, 2, 3, 4]
        if frame.isMasked { bytes += key }
        bytes += frame.isMasked ? frame.payload.enumerated().map { $1 ^ key[$0 % 4] } : frame.payload
        await client.send(bytes)
    }

    /// nil when the connection has ended.
    func next() async throws -> Frame? {
        while true {
            if let frame = takeFrame() { return frame }
            guard let part = try await client.receive(atMost: 65_536) else { return nil }
            bytes += part
        }
    }

    /// The next text of one of these events.
    func next(_ events: String...) async throws -> Frame {
        while let frame = try await next() {
            if frame.opcode == .text, let event = frame.event, events.contains(event) { return frame }
        }
        throw NotInTime("the connection ended without \(events)")
    }

    /// The code of the close that the server ends the connection with.
    func closeCode() async throws -> Int? {
        while let frame = try await next() {
            if frame.opcode == .close { return frame.closeCode }
        }
        return nil
    }

    /// The data of so many events of the log, and the id of the last one.
    func events(_ count: Int) async throws -> (data: [String], last: Int) {
        var (data, last): ([String], Int) = ([], 0)
        while data.count < count {
            guard let frame = try await next() else { throw NotInTime("\(data.count) of \(count) events came") }
            guard frame.isEvent else { continue }
            let text = String(decoding: frame.payload, as: UTF8.self)
            if let start = text.firstRange(of: #""data":"#) {
                data.append(String(text[start.upperBound...].dropLast()))
            }
            last = frame.id ?? 0
        }
        return (data, last)
    }

    private func takeFrame() -> Frame? {
        guard bytes.count >= 2 else { return nil }
        var (length, start) = (Int(bytes[1] & 0x7f), 2)
        let extended = length == 126 ? 2 : length == 127 ? 8 : 0
        guard bytes.count >= 2 + extended else { return nil }
        if extended > 0 { length = bytes[2..<2 + extended].reduce(0) { $0 << 8 | Int($1) } }
        start += extended
        guard bytes.count >= start + length, let opcode = Frame.Opcode(rawValue: bytes[0] & 15) else { return nil }
        let frame = Frame(
            opcode: opcode, payload: Array(bytes[start..<start + length]), isFinal: bytes[0] & 0x80 != 0,
            isMasked: bytes[1] & 0x80 != 0)
        bytes.removeSubrange(..<(start + length))
        return frame
    }
}
