/// Collects an answer from header lines and pieces of a body, within its limits. A value: no I/O.
struct AnswerBuilder {
    /// The limit that was passed; nothing more is taken then.
    private(set) var exceeded: TransportError?
    private(set) var headers: [(name: String, value: String)] = []
    private(set) var body: [UInt8] = []

    private let headerBytesMax: Int
    private let bodyBytesMax: Int
    private var headerBytes = 0
    /// The empty line after the last answer's header fields has come.
    private(set) var hasAllHeaders = false

    init(headerBytesMax: Int, bodyBytesMax: Int) {
        self.headerBytesMax = max(1, headerBytesMax)
        self.bodyBytesMax = max(0, bodyBytesMax)
    }

    /// One line with its line break: status line, field, continuation (RFC 9112 §5.2) or the empty last one.
    ///
    /// - Returns: whether the transfer may go on.
    mutating func addHeaderLine(_ bytes: UnsafeRawBufferPointer) -> Bool {
        headerBytes += bytes.count
        guard headerBytes <= headerBytesMax else {
            exceeded = .tooLarge(limitBytes: headerBytesMax)
            return false
        }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // Another status line follows an interim answer (1xx): only the last one counts.
            headers = []
            hasAllHeaders = false
        } else if line.first?.isNewline ?? true {
            hasAllHeaders = true
        } else if !hasAllHeaders {
            addField(line)
        }
        return true
    }

    /// A piece of the body, decompressed.
    ///
    /// - Returns: whether the transfer may go on.
    mutating func addBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= bodyBytesMax - body.count else {
            exceeded = .tooLarge(limitBytes: bodyBytesMax)
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    func response(status: Int) -> HTTPResponse { HTTPResponse(status: status, headers: headers, body: body) }

    private mutating func addField(_ line: String) {
        if line.first == " " || line.first == "\t", let last = headers.indices.last {
            headers[last].value += " " + line.trimmed
        } else if let colon = line.firstIndex(of: ":") {
            let name = String(line[..<colon]).trimmed.lowercased()
            headers.append((name, String(line[line.index(after: colon)...]).trimmed))
        }
    }
}

extension String {
    var trimmed: String {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        guard let end = lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(self[start...end])
    }
}
