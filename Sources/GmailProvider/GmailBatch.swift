import HTTPTransport

/// The batch endpoint's `multipart/mixed` bodies
/// (https://developers.google.com/workspace/gmail/api/guides/batch).
enum GmailBatch {
    /// Fixed: the parts hold only paths made here, in which it cannot occur.
    static let boundary = "mailsync-batch-part"

    /// One part per path, numbered in `Content-ID`.
    static func request(paths: [String]) -> [UInt8] {
        var text = ""
        for (index, path) in paths.enumerated() {
            text += "--\(boundary)\r\nContent-Type: application/http\r\nContent-ID: <item-\(index)>\r\n\r\n"
            text += "GET \(path) HTTP/1.1\r\n\r\n\r\n"
        }
        return Array("\(text)--\(boundary)--\r\n".utf8)
    }

    /// The parts of the answer by number, in whatever order they came; a part without its number is left out. Nil
    /// when the answer is no multipart body.
    static func parts(of response: HTTPResponse) -> [Int: HTTPResponse]? {
        guard let boundary = response.header("content-type").flatMap(boundary(in:)) else { return nil }
        var parts: [Int: HTTPResponse] = [:]
        for piece in pieces(of: response.body, delimiter: Array("--\(boundary)".utf8)) {
            guard let (headers, content) = headerBlock(piece),
                let number = headers.first(where: { $0.name == "content-id" }).flatMap({ number(in: $0.value) }),
                let part = httpResponse(content)
            else { continue }
            parts[number] = part
        }
        return parts
    }

    private static func boundary(in contentType: String) -> String? {
        guard contentType.lowercased().hasPrefix("multipart/"),
            let match = contentType.firstMatch(of: /(?i)boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))/)
        else { return nil }
        return String(match.1 ?? match.2 ?? "")
    }

    /// The number at the end of `<response-item-3>`, with or without brackets.
    private static func number(in contentID: String) -> Int? {
        let id = contentID.prefix { $0 != ">" }
        guard let dash = id.lastIndex(of: "-"), id[...dash].hasSuffix("item-") else { return nil }
        return Int(id[id.index(after: dash)...])
    }

    /// What stands between lines that begin with the delimiter.
    private static func pieces(of body: [UInt8], delimiter: [UInt8]) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var start: Int?
        var line = 0
        while line < body.count {
            let end = body[line...].firstIndex(of: 10) ?? body.count
            if body[line..<end].starts(with: delimiter) {
                if let start { pieces.append(body[start..<line]) }
                start = min(end + 1, body.count)
            }
            line = end + 1
        }
        return pieces
    }

    /// Header lines up to the empty one, names in lower case; and what follows it.
    private static func headerBlock(
        _ bytes: ArraySlice<UInt8>
    ) -> (headers: [(name: String, value: String)], rest: ArraySlice<UInt8>)? {
        var headers: [(name: String, value: String)] = []
        var line = bytes.startIndex
        while line < bytes.endIndex {
            let end = bytes[line...].firstIndex(of: 10) ?? bytes.endIndex
            var content = bytes[line..<end]
            if content.last == 13 { content.removeLast() }
            line = min(end + 1, bytes.endIndex)
            if content.isEmpty { return (headers, bytes[line...]) }
            guard let colon = content.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let value = content[(colon + 1)...].drop { $0 == 32 }
            headers.append(
                (
                    String(decoding: content[..<colon], as: UTF8.self).lowercased(),
                    String(decoding: value, as: UTF8.self)
                ))
        }
        return nil
    }

    /// `HTTP/1.1 200 OK`, headers, body.
    private static func httpResponse(_ bytes: ArraySlice<UInt8>) -> HTTPResponse? {
        let lineEnd = bytes.firstIndex(of: 10) ?? bytes.endIndex
        let words = String(decoding: bytes[..<lineEnd], as: UTF8.self).split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/"), let status = Int(words[1].prefix { $0.isNumber }),
            let (headers, body) = headerBlock(bytes[min(lineEnd + 1, bytes.endIndex)...])
        else { return nil }
        return HTTPResponse(status: status, headers: headers, body: Array(body))
    }
}
