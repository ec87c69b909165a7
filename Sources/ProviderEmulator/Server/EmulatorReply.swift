/// A request, read whole.
struct EmulatorRequest: Sendable {
    var method: String
    /// Without the query, percent-decoded segment by segment.
    var path: [String]
    /// In order, decoded; names repeat.
    var query: [(name: String, value: String)]
    /// Path and query as sent.
    var target: String
    /// Names in lower case.
    var headers: [(name: String, value: String)]
    var body: [UInt8]

    init(
        method: String, target: String, headers: [(name: String, value: String)] = [], body: [UInt8] = []
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = (parts.first ?? "").split(separator: "/").map { PercentCoding.decode($0, plusIsSpace: false) }
        query = parts.count > 1 ? PercentCoding.form(parts[1]) : []
    }

    /// The first value of a query parameter.
    func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }

    func parameters(_ name: String) -> [String] { query.filter { $0.name == name }.map(\.value) }

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The token of `Authorization: Bearer …`.
    var bearerToken: String? {
        guard let value = header("authorization"), value.lowercased().hasPrefix("bearer ") else { return nil }
        return String(value.dropFirst(7))
    }
}

/// An answer, and how it is put on the wire.
struct EmulatorReply: Sendable {
    enum Delivery: Sendable, Hashable {
        case whole
        /// Close the connection without a byte.
        case drop
        /// Send so many bytes of the body, then close.
        case truncate(bytes: Int)
        case stall
        case drip(bytes: Int, every: Duration)
    }
    var status: Int
    var contentType: String
    var headers: [(name: String, value: String)] = []
    var body: [UInt8]
    var delivery = Delivery.whole

    init(status: Int, contentType: String, body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    static func json(_ body: [UInt8], status: Int = 200) -> EmulatorReply {
        EmulatorReply(status: status, contentType: "application/json; charset=UTF-8", body: body)
    }

    static func error(_ error: GmailError) -> EmulatorReply {
        var reply = json(error.body, status: error.code)
        if error.code == 401 {
            reply.headers.append(("www-authenticate", "Bearer realm=\"https://accounts.google.com/\""))
        }
        if let seconds = error.retryAfterSeconds { reply.headers.append(("retry-after", String(seconds))) }
        return reply
    }

    static func error(_ error: OAuthError) -> EmulatorReply { json(error.body, status: error.status) }

    static func text(_ text: String, status: Int = 200, contentType: String = "text/plain; charset=UTF-8") -> Self {
        EmulatorReply(status: status, contentType: contentType, body: Array(text.utf8))
    }
}

/// Percent-encoding of URLs and forms (RFC 3986 §2.1, HTML form encoding).
enum PercentCoding {
    static func form(_ text: some StringProtocol) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (decode(parts[0], plusIsSpace: true), parts.count > 1 ? decode(parts[1], plusIsSpace: true) : "")
        }
    }

    static func decode(_ text: some StringProtocol, plusIsSpace: Bool) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(text)
        }
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            {
                out.append(value)
                index += 3
            } else {
                out.append(plusIsSpace && bytes[index] == UInt8(ascii: "+") ? 0x20 : bytes[index])
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
