import Foundation
import Synchronization

/// A small HTTP/1.1 server for one request per connection, each answered on a thread of its own.
final class LoopbackServer: Sendable {
    enum Reply: Sendable {
        case text(Int, String)
        /// Never answers; the connection ends with the server.
        case silence
        case close
    }

    private let listener: Int32
    private let port: UInt16
    private let open = OpenConnections()

    struct Failure: Error {}

    init(_ reply: @escaping @Sendable (String) -> Reply) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let ready = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard ready else { throw Failure() }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [open] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { break }
                open.insert(connection)
                Thread.detachNewThread {
                    Self.serve(connection, reply)
                    open.close(connection)
                }
            }
            // Here and not in `deinit`: the number of a closed socket is given to the next one, which is not ours.
            close(listener)
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        open.shutDown()
    }

    func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

    private static func serve(_ connection: Int32, _ reply: @Sendable (String) -> Reply) {
        var request: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while !String(decoding: request, as: UTF8.self).contains("\r\n\r\n") {
            let count = read(connection, &chunk, chunk.count)
            guard count > 0 else { return }
            request += chunk.prefix(count)
        }
        switch reply(String(decoding: request, as: UTF8.self)) {
        case .silence: while read(connection, &chunk, chunk.count) > 0 {}
        case .close: shutdown(connection, Int32(SHUT_RDWR))
        case .text(let status, let body):
            let head = "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
            let bytes = Array((head + body).utf8)
            _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            shutdown(connection, Int32(SHUT_WR))
        }
    }
}

/// The connections that threads serve; each is closed by its own thread.
private final class OpenConnections: Sendable {
    private let sockets = Mutex<Set<Int32>>([])

    func insert(_ socket: Int32) { sockets.withLock { _ = $0.insert(socket) } }

    func close(_ socket: Int32) {
        sockets.withLock { sockets in
            sockets.remove(socket)
            Foundation.close(socket)
        }
    }

    /// Ends what is under way; the threads close.
    func shutDown() { sockets.withLock { for socket in $0 { shutdown(socket, Int32(SHUT_RDWR)) } } }
}
