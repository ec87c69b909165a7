/// A request to a provider.
public struct HTTPRequest: Sendable {
    /// The methods that providers' APIs use (RFC 9110 §9, RFC 5789).
    public enum Method: String, Sendable { case get = "GET", post = "POST", patch = "PATCH", delete = "DELETE" }

    public var method: Method
    /// Absolute URL; `https`, or `http` to a loopback address.
    public var url: String
    /// Sent as given, in order. Values may hold credentials: never log them.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]?
    /// From start to last byte.
    public var timeout: Duration
    /// A longer body ends the request with ``TransportError/tooLarge(limitBytes:)``.
    public var responseBytesMax: Int
    /// Never sent over a connection used before: libcurl repeats a request when a reused connection turns out to be dead,
    /// which must not happen to one that counts twice when it arrives twice.
    public var onFreshConnection: Bool
    /// Connects to this Unix-domain socket (a path of at most 107 bytes); the URL's host is then only a name.
    public var unixSocket: String?
    /// Takes the answer's body piece by piece as it arrives; the answer then has none, pauses may be of any length, and
    /// ``responseBytesMax`` does not count. Called on the transport's thread: it hands over and never blocks.
    public var onBody: (@Sendable ([UInt8]) -> Void)?

    public init(
        _ method: Method, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8]? = nil,
        timeout: Duration = .seconds(60), responseBytesMax: Int = 32 * 1024 * 1024, onFreshConnection: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.responseBytesMax = responseBytesMax
        self.onFreshConnection = onFreshConnection
    }
}

/// An answer, whatever its status.
public struct HTTPResponse: Sendable {
    public var status: Int
    /// In the order received, names in lower case.
    public var headers: [(name: String, value: String)]
    /// Decompressed.
    public var body: [UInt8]

    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of a header; `name` in lower case.
    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// Why there is no answer. Safe to print: holds no URL query, no header and no body.
public enum TransportError: Error, Sendable, Hashable {
    /// Name resolution, connect, TLS, reset …: nothing is known about what the server did.
    case connection(String)
    case timeout(String)
    case tooLarge(limitBytes: Int)
    /// The URL or a header is not allowed (scheme, host, malformed): never sent.
    case refused(String)
    case shutDown
}
