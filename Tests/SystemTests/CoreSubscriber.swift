import Foundation
import MailModel
import MailTestSupport
import Synchronization

/// A subscriber without JetStream: NATS's own text protocol over a plain connection.
final class CoreSubscriber: Sendable {
    private let descriptor: Int32
    private let received = Mutex<[UInt8]>([])

    /// Connects and subscribes; what is published from now on arrives.
    init(port: Int, subject: String) async throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { throw NotInTime("no connection to the nats-server on port \(port)") }
        let hello = Array("CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB \(subject) 1\r\nPING\r\n".utf8)
        guard write(descriptor, hello, hello.count) == hello.count else { throw NotInTime("the subscription") }
        let thread = Thread { [self] in readAll() }
        thread.start()
        try await eventually("the subscription is known to the server") { holds(Array("PONG".utf8)) }
    }

    /// Ends the reading.
    func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// True when these bytes arrived.
    func holds(_ bytes: [UInt8]) -> Bool { received.withLock { $0.firstRange(of: bytes) != nil } }

    private func readAll() {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            received.withLock { $0 += buffer.prefix(count) }
        }
        Foundation.close(descriptor)
    }
}
