import Foundation

/// An HTTP/1.1 client over a plain socket, for sending exactly what a test wants sent.
public final class RawClient: Sendable {
    /// What the server answered.
    public struct Answer: Sendable {
        public var status: Int
        /// Names in lower case.
        public var headers: [String: String]
        public var body: [UInt8]

        /// The body as text.
        public var text: String { String(decoding: body, as: UTF8.self) }
        /// The body as a JSON object; empty when it is none.
        public var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
        }
        /// A text of the JSON object.
        public func string(_ name: String) -> String? { json[name] as? String }
    }

    /// Why there is no answer.
    public enum Failure: Error {
        case cannotConnect
        /// The server closed, or said nothing for 30 seconds, before the answer was whole.
        case noAnswer(received: String)
    }

    private static let receiveTimeoutSeconds = 30
    private let descriptor: Int32

    /// Connects to loopback.
    ///
    /// - Parameter receiveBufferBytes: what the kernel keeps for a client that does not read; nil: as it likes.
    /// - Throws: ``Failure/cannotConnect``.
    public init(port: Int, receiveBufferBytes: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var bytes = receiveBufferBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var timeout = timeval(tv_sec: Self.receiveTimeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let descriptor = descriptor
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else {
            close(descriptor)
            throw Failure.cannotConnect
        }
    }

    deinit { close(descriptor) }

    /// Sends as much as the server takes.
    public func send(_ text: String) async { await send(Array(text.utf8)) }

    /// Sends as much as the server takes.
    public func send(_ bytes: [UInt8]) async {
        await blocking { [descriptor] in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// The next answer on the connection.
    public func receive(hasBody: Bool = true) async throws -> Answer {
        try await blocking { [self] in
            var bytes: [UInt8] = []
            var end = Self.headEnd(bytes)
            while end == nil {
                guard let part = read(1) else {
                    throw Failure.noAnswer(received: String(decoding: bytes, as: UTF8.self))
                }
                bytes += part
                end = Self.headEnd(bytes)
            }
            var answer = Self.head(String(decoding: bytes, as: UTF8.self))
            let length = hasBody ? Int(answer.headers["content-length"] ?? "") ?? 0 : 0
            while answer.body.count < length {
                guard let part = read(length - answer.body.count) else {
                    throw Failure.noAnswer(received: String(decoding: bytes + answer.body, as: UTF8.self))
                }
                answer.body += part
            }
            return answer
        }
    }

    /// True when the server closes the connection within 10 seconds, whatever it still sends.
    public func isClosedByServer() async throws -> Bool {
        try await blocking { [self] in
            while read(4096) != nil {}
            var byte: UInt8 = 0
            let count = recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT))
            return count == 0 || (count < 0 && errno != EAGAIN)
        }
    }

    /// What comes next, at most so many bytes; nil when the server closed, or said nothing for 30 seconds.
    public func receive(atMost count: Int) async throws -> [UInt8]? { try await blocking { [self] in read(count) } }

    /// Closes this side only: nothing more will be sent.
    public func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    private func read(_ count: Int) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: count)
        let received = recv(descriptor, &buffer, count, 0)
        return received > 0 ? Array(buffer.prefix(received)) : nil
    }

    /// Blocking calls get a thread: the global dispatch queues are the cooperative pool's own threads on Linux.
    private func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
        }
    }

    private func blocking(_ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                body()
                continuation.resume()
            }
        }
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        bytes.suffix(4) == Array("\r\n\r\n".utf8)[...] ? bytes.count : nil
    }

    private static func head(_ text: String) -> Answer {
        let lines = text.components(separatedBy: "\r\n")
        var answer = Answer(
            status: Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0, headers: [:], body: [])
        for line in lines.dropFirst() where line.contains(":") {
            let parts = line.split(separator: ":", maxSplits: 1)
            answer.headers[parts[0].lowercased()] = parts.dropFirst().joined().trimmingCharacters(in: .whitespaces)
        }
        return answer
    }
}
