import CCurl

/// The header lines of a request, as libcurl takes them.
final class HeaderList {
    private(set) var first: UnsafeMutablePointer<curl_slist>?

    init(_ request: HTTPRequest) throws {
        for (name, value) in request.headers {
            // libcurl reads "Name:" as "leave this header out" and "Name;" as an empty value.
            try append(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        // What libcurl would add by itself to a request with a body.
        try append("Expect:")
        if !request.headers.contains(where: { $0.name.lowercased() == "content-type" }) { try append("Content-Type:") }
    }

    deinit { curl_slist_free_all(first) }

    private func append(_ line: String) throws {
        guard let list = curl_slist_append(first, line) else {
            throw TransportError.connection("out of memory for a request's headers")
        }
        first = list
    }
}

/// Refuses headers that could end the request early or begin another: names that are no token (RFC 9110 §5.6.2), values
/// with control characters, and what frames the message, which is the transport's.
func checkHeaders(_ headers: [(name: String, value: String)]) throws(TransportError) {
    for (name, value) in headers {
        guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
            throw .refused("the name of a header is not a token")
        }
        guard value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else {
            throw .refused("the value of a header holds a control character")
        }
        guard !["content-length", "transfer-encoding", "connection"].contains(name.lowercased()) else {
            throw .refused("the headers of a request frame its message, which is left to the transport")
        }
    }
}

private func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
    default:
        "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
