import Foundation
import Synchronization

/// A socket server on 127.0.0.1 whose connections are scripts: the test writes the very bytes of an answer.
///
/// Every connection has a thread of its own, so scripts may block.
final class LoopbackServer: Sendable {
    /// What a script does with one request; returns whether the connection goes on.
    typealias Script = @Sendable (Connection, ReceivedRequest) throws -> Bool

    let port: Int
    private let listener: Int32
    private let accepted = Mutex(0)

    var url: String { "http://127.0.0.1:\(port)" }
    var connectionsAccepted: Int { accepted.withLock { $0 } }

    /// Serves HTTP/1.1 requests one after the other on each connection.
    convenience init(_ script: @escaping Script) throws {
        try self.init(onConnection: { connection in
            while let request = try connection.readRequest() {
                guard try script(connection, request) else { return }
            }
        })
    }

    /// Hands each connection over as it is.
    init(onConnection serve: @escaping @Sendable (Connection) throws -> Void) throws {
        (listener, port) = try listenOnLoopback()
        Thread.detachNewThread { [listener, weak self] in
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0 else { break }
                _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
                self?.accepted.withLock { $0 += 1 }
                Thread.detachNewThread {
                    let connection = Connection(socket)
                    // The client has gone, as many of these tests want it to.
                    try? serve(connection)
                }
            }
            // Here and not in `deinit`: the number of a closed socket is given to the next one, which is not ours.
            close(listener)
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }
}

struct SocketError: Error { let call: String, number: Int32 }

/// A listening socket on a free port.
func listenOnLoopback() throws -> (socket: Int32, port: Int) {
    // Closed in child processes: one started at this moment would keep the port, or a connection, open.
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw SocketError(call: "socket", number: errno) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(socket, $0, size) == 0 && listen(socket, 512) == 0 && getsockname(socket, $0, &size) == 0
        }
    }
    guard bound else { throw SocketError(call: "bind", number: errno) }
    return (socket, Int(UInt16(bigEndian: address.sin_port)))
}

struct ReceivedRequest: Sendable {
    let method: String
    let target: String
    /// Names in lower case.
    let headers: [String: String]
    let body: [UInt8]
}

/// The server's end of a connection. Used by one thread.
final class Connection {
    private let socket: Int32
    private var buffer: [UInt8] = []

    init(_ socket: Int32) { self.socket = socket }

    deinit { close(socket) }

    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw SocketError(call: "send", number: errno) }
            sent += count
        }
    }

    func write(_ text: String) throws { try write(Array(text.utf8)) }

    func answer(_ status: Int = 200, headers: [String] = [], _ body: [UInt8] = []) throws {
        let lines = ["HTTP/1.1 \(status) Status", "Content-Length: \(body.count)"] + headers
        try write(lines.joined(separator: "\r\n") + "\r\n\r\n")
        try write(body)
    }

    /// Next bytes; empty at the end of the stream.
    func read() throws -> [UInt8] {
        if !buffer.isEmpty {
            defer { buffer = [] }
            return buffer
        }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &bytes, bytes.count, 0)
        guard count >= 0 else { throw SocketError(call: "recv", number: errno) }
        return Array(bytes.prefix(count))
    }

    /// Exactly so many bytes.
    func read(count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try read()
            guard !more.isEmpty else { throw SocketError(call: "recv", number: 0) }
            bytes += more
        }
        buffer = Array(bytes[count...])
        return Array(bytes[..<count])
    }

    /// Returns when the client has closed its end, or reset the connection.
    func waitForClose() {
        while let bytes = try? read(), !bytes.isEmpty {}
    }

    /// Whether the client closes its end within the time.
    func isClosed(withinMilliseconds limit: Int32) -> Bool {
        var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&descriptor, 1, limit) != 0
    }

    /// Nil at the end of the stream.
    func readRequest() throws -> ReceivedRequest? {
        var head: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        while head.suffix(4) != end[...] {
            let more = try read()
            guard let first = more.first else { return nil }
            head.append(first)
            buffer = Array(more.dropFirst())
        }
        var lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        let start = lines.removeFirst().split(separator: " ")
        guard start.count == 3 else { throw SocketError(call: "request line", number: 0) }
        var headers: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            headers[line[..<colon].lowercased()] = value
        }
        let body = try read(count: Int(headers["content-length"] ?? "0") ?? 0)
        return ReceivedRequest(method: String(start[0]), target: String(start[1]), headers: headers, body: body)
    }
}
