import Foundation
import MailModel
import Synchronization

/// Where Graph posts notifications: an HTTP server on 127.0.0.1 that remembers what came. By itself it sends validation
/// tokens back and takes everything else.
///
/// Every connection has a thread of its own, because reading from it blocks.
public final class GraphEndpoint: Sendable {
    /// What came.
    public struct Post: Sendable {
        /// Path and query.
        public let target: String
        /// Names in lower case.
        public let headers: [String: String]
        public let body: [UInt8]

        /// The token to send back, decoded; nil for notifications.
        public var validationToken: String? {
            let query = target.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
            let value = query.split(separator: "&").first { $0.hasPrefix("validationToken=") }
            return value?.dropFirst("validationToken=".count).replacingOccurrences(of: "+", with: " ")
                .removingPercentEncoding
        }

        /// The notifications.
        public var entries: [[String: Any]] {
            let object = try? JSONSerialization.jsonObject(with: Data(body))  // garbage has none
            return (object as? [String: Any])?["value"] as? [[String: Any]] ?? []
        }
    }

    /// What is answered.
    public enum Reply: Sendable {
        case status(Int)
        case text(String, type: String = "text/plain")
        /// Nothing, for as long as the client waits.
        case silence
    }

    /// The first post has number 1.
    public typealias Answer = @Sendable (_ number: Int, _ post: Post) -> Reply

    private struct State {
        var posts: [Post] = []
        var waiters: [(count: Int, resume: CheckedContinuation<Void, Never>)] = []
    }
    private let state = Mutex(State())
    private let listener: Int32
    private let answer: Answer
    /// `http://127.0.0.1:PORT/webhooks/microsoft`
    public let url: String

    /// - Throws: ``NotInTime`` when there is no free port.
    public init(answer: @escaping Answer = GraphEndpoint.standard) throws {
        self.answer = answer
        let (listener, port) = try Self.listen()
        self.listener = listener
        url = "http://127.0.0.1:\(port)/webhooks/microsoft"
        Thread.detachNewThread { [weak self] in
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0 else { break }
                Thread.detachNewThread { [weak self] in
                    PostReader(socket: socket).serve { self?.take($0) ?? .silence }
                }
            }
            close(listener)
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    /// Sends tokens back and takes everything else.
    public static let standard: Answer = { _, post in post.validationToken.map { .text($0) } ?? .status(202) }

    /// Everything that came, handshakes too.
    public var posts: [Post] { state.withLock { $0.posts } }
    /// What came but handshakes.
    public var notifications: [Post] { posts.filter { $0.validationToken == nil } }

    /// Returns when so many posts have come, in all; the test's time limit is the limit.
    public func received(_ count: Int) async {
        await withCheckedContinuation { (resume: CheckedContinuation<Void, Never>) in
            let isThere = state.withLock { state in
                if state.posts.count < count { state.waiters.append((count, resume)) }
                return state.posts.count >= count
            }
            if isThere { resume.resume() }
        }
    }

    private func take(_ post: Post) -> Reply {
        let (number, ready) = state.withLock { state in
            state.posts.append(post)
            let number = state.posts.count
            let ready = state.waiters.filter { $0.count <= number }.map(\.resume)
            state.waiters.removeAll { $0.count <= number }
            return (number, ready)
        }
        for waiter in ready { waiter.resume() }
        return answer(number, post)
    }

    private static func listen() throws -> (socket: Int32, port: Int) {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) == 0 && Glibc.listen(socket, 256) == 0 && getsockname(socket, $0, &size) == 0
            }
        }
        guard isBound else { throw NotInTime("no port on loopback for Graph's posts: errno \(errno)") }
        return (socket, Int(UInt16(bigEndian: address.sin_port)))
    }
}

/// Reads posts from one connection. Used by one thread.
private final class PostReader {
    private let socket: Int32
    private var buffer: [UInt8] = []

    init(socket: Int32) { self.socket = socket }

    deinit { close(socket) }

    func serve(_ answer: (GraphEndpoint.Post) -> GraphEndpoint.Reply) {
        while let post = next() {
            switch answer(post) {
            case .status(let status): write("HTTP/1.1 \(status) X\r\nContent-Length: 0\r\n\r\n")
            case .text(let text, let type):
                write("HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
            case .silence:
                while fill() {}
                return
            }
        }
    }

    private func next() -> GraphEndpoint.Post? {
        let end = Array("\r\n\r\n".utf8)
        var head = buffer.firstRange(of: end)
        while head == nil {
            guard fill() else { return nil }
            head = buffer.firstRange(of: end)
        }
        guard let head else { return nil }
        let lines = String(decoding: buffer[..<head.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        buffer.removeSubrange(..<head.upperBound)
        let length = Int(headers["content-length"] ?? "") ?? 0
        while buffer.count < length { guard fill() else { return nil } }
        defer { buffer.removeFirst(length) }
        let target = lines[0].split(separator: " ").dropFirst().first ?? ""
        return GraphEndpoint.Post(target: String(target), headers: headers, body: Array(buffer.prefix(length)))
    }

    private func fill() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &bytes, bytes.count, 0)
        guard count > 0 else { return false }
        buffer += bytes.prefix(count)
        return true
    }

    private func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
