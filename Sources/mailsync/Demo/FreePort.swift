import Foundation

/// A loopback port that nobody listens on at this moment: providers have to be told where pushes go before the service
/// listens there.
enum FreePort {
    /// - Throws: ``DemoFailure``.
    static func find() throws(DemoFailure) -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw DemoFailure("no socket can be made") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        guard isBound else { throw DemoFailure("no port is free on the loopback address") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
