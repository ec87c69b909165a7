import Foundation

/// The first line a nats-server sends on a new connection: `INFO {…}`, before any login. It is the only place where
/// every version tells its number.
package struct ServerGreeting: Sendable, Hashable {
    package var version: String
    /// `server_name` of its configuration.
    package var name: String?

    init?(line: [UInt8]) {
        guard line.starts(with: Array("INFO ".utf8)), let info = JSONValue(json: Array(line.dropFirst(5))),
            let version = info["version"]?.text
        else { return nil }
        self.version = version
        name = info["server_name"]?.text
    }

    /// Connects, reads the line and hangs up; blocks up to the time-out. Nil when nothing answers like a nats-server.
    package static func read(host: String, port: Int, timeoutMilliseconds: Int = 1_000) -> ServerGreeting? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var next = list
        while let address = next?.pointee {
            if let line = firstLine(from: address, timeoutMilliseconds: timeoutMilliseconds) {
                return ServerGreeting(line: line)
            }
            next = address.ai_next
        }
        return nil
    }

    /// The same for a `nats://host:port` URL.
    static func read(url: String) -> ServerGreeting? {
        guard let parts = URLComponents(string: url), let host = parts.host else { return nil }
        return read(host: host, port: parts.port ?? 4222)
    }

    private static let lineBytesMax = 32 * 1024

    private static func firstLine(from address: addrinfo, timeoutMilliseconds: Int) -> [UInt8]? {
        let handle = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
        guard handle >= 0 else { return nil }
        defer { close(handle) }
        var limit = timeval(tv_sec: timeoutMilliseconds / 1000, tv_usec: (timeoutMilliseconds % 1000) * 1000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(handle, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        guard connect(handle, address.ai_addr, address.ai_addrlen) == 0 else { return nil }
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while line.count < lineBytesMax {
            let count = recv(handle, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            line.append(contentsOf: buffer[..<count])
            if let end = line.firstIndex(of: UInt8(ascii: "\n")) { return Array(line[..<end]) }
        }
        return nil
    }
}

/// A version number such as `2.9.10`; compares by its parts.
public struct ServerVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var major: Int
    public var minor: Int
    public var patch: Int

    public init(_ major: Int, _ minor: Int, _ patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads `2.9.10`, `v2.9.10` or `2.9.10-beta.1` (whose suffix is dropped).
    public init?(_ text: some StringProtocol) {
        let digits = text.hasPrefix("v") ? text.dropFirst() : text[...]
        let parts = digits.prefix { $0.isNumber || $0 == "." }.split(separator: ".").map { Int($0) }
        guard parts.count >= 2, let major = parts[0], let minor = parts[1] else { return nil }
        self.init(major, minor, parts.count > 2 ? parts[2] ?? 0 : 0)
    }

    public var description: String { "\(major).\(minor).\(patch)" }

    public static func < (a: Self, b: Self) -> Bool {
        (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
    }

    /// The first version that can be told to write to disk before it acknowledges (`sync_interval: always`).
    public static let durableAcknowledgements = ServerVersion(2, 10, 0)
}
