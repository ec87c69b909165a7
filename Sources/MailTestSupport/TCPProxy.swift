import Foundation
import Synchronization

/// A TCP proxy on loopback that can lose what the server says: how an acknowledgement gets lost on a network.
public final class TCPProxy: Sendable {
    /// What happens to the traffic.
    public enum Mode: Sendable {
        /// Everything passes.
        case open
        /// What the client sends arrives; what the server answers does not.
        case losesAnswers
        /// Connections are cut, new ones are closed at once.
        case away
    }

    /// Why there is no proxy.
    public struct NotStarted: Error, CustomStringConvertible {
        public let description: String
    }

    /// Where clients connect to, on 127.0.0.1.
    public let port: Int
    private let listener: Int32
    private let traffic: ProxyTraffic

    /// Starts listening.
    ///
    /// - Parameter target: the server's port on 127.0.0.1.
    public init(to target: Int) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = LoopbackSocket.address(port: 0)
        guard listener >= 0, LoopbackSocket.bind(listener, &address), listen(listener, 64) == 0 else {
            throw NotStarted(description: "no socket to listen on: \(String(cString: strerror(errno)))")
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        traffic = ProxyTraffic()
        let (listener, traffic) = (listener, traffic)
        // Ends when the listener is shut down, at the release of the proxy.
        Thread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { break }
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                traffic.admit(client, target: target)
            }
            close(listener)
        }.start()
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        traffic.mode = .away
    }

    /// What happens to the traffic from now on.
    public var mode: Mode {
        get { traffic.mode }
        set { traffic.mode = newValue }
    }

    /// How many bytes of answers were lost.
    public var bytesLost: Int { traffic.bytesLost }
}

/// The connections that pass through, each with two threads.
private final class ProxyTraffic: Sendable {
    private struct State {
        var mode = TCPProxy.Mode.open
        var bytesLost = 0
        var links: [Int: ProxyLink] = [:]
        var nextLink = 0
    }

    private let state = Mutex(State())

    var bytesLost: Int { state.withLock { $0.bytesLost } }

    var mode: TCPProxy.Mode {
        get { state.withLock { $0.mode } }
        set {
            let cut = state.withLock { state -> [ProxyLink] in
                state.mode = newValue
                guard newValue == .away else { return [] }
                defer { state.links = [:] }
                return Array(state.links.values)
            }
            for link in cut { link.cut() }
        }
    }

    func admit(_ client: Int32, target: Int) {
        guard mode != .away, let server = LoopbackSocket.connect(port: target) else {
            close(client)
            return
        }
        let link = ProxyLink(client: client, server: server)
        let id = state.withLock { state -> Int? in
            guard state.mode != .away else { return nil }
            state.nextLink += 1
            state.links[state.nextLink] = link
            return state.nextLink
        }
        guard let id else { return }
        Thread { self.pump(link, from: client, to: server, id) { _ in true } }.start()
        Thread { self.pump(link, from: server, to: client, id) { self.lets(through: $0) } }.start()
    }

    private func pump(
        _ link: ProxyLink, from source: Int32, to sink: Int32, _ id: Int, passes: (_ bytes: Int) -> Bool
    ) {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            if passes(count), !LoopbackSocket.send(sink, buffer[..<count]) { break }
        }
        link.cut()
        state.withLock { _ = $0.links.removeValue(forKey: id) }
    }

    private func lets(through answerBytes: Int) -> Bool {
        state.withLock { state in
            guard state.mode == .losesAnswers else { return true }
            state.bytesLost += answerBytes
            return false
        }
    }
}

/// Both sockets of one connection; closed when nobody reads them any more.
private final class ProxyLink: Sendable {
    private let client: Int32
    private let server: Int32

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
    }

    deinit {
        close(client)
        close(server)
    }

    func cut() {
        shutdown(client, Int32(SHUT_RDWR))
        shutdown(server, Int32(SHUT_RDWR))
    }
}

/// The few socket calls that the proxy needs.
private enum LoopbackSocket {
    static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = UInt16(port).bigEndian
        return address
    }

    /// Binds, and writes back the port that was given.
    static func bind(_ handle: Int32, _ address: inout sockaddr_in) -> Bool {
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.bind(handle, $0, size) == 0 && getsockname(handle, $0, &size) == 0
            }
        }
    }

    static func connect(port: Int) -> Int32? {
        let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard handle >= 0 else { return nil }
        var address = address(port: port)
        let connected = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(handle, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if !connected { close(handle) }
        return connected ? handle : nil
    }

    static func send(_ handle: Int32, _ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Foundation.send(handle, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }
}
