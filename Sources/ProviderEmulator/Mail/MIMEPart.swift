import Foundation
import MailModel

/// A message's body structure (RFC 2045, RFC 2046), read tolerantly and within limits.
struct MIMEPart: Sendable {
    private static let depthMax = 8
    /// Most parts of a multipart read from mail.
    static let partsMax = 100

    let fields: [HeaderField]
    /// Lower case; `text/plain` when the header does not say.
    let type: String
    let filename: String
    let parts: [MIMEPart]
    private let encoding: String
    private let charset: String
    private let body: ArraySlice<UInt8>

    init(_ message: RawMessage, partsMax: Int = MIMEPart.partsMax) {
        self.init(message.header, message.body, depth: 0, partsMax: partsMax)
    }

    private init(_ header: ArraySlice<UInt8>, _ body: ArraySlice<UInt8>, depth: Int, partsMax: Int) {
        fields = MIMEHeader.fields(header)
        let contentType = ParameterisedValue(fields.first("content-type") ?? "text/plain")
        let disposition = ParameterisedValue(fields.first("content-disposition") ?? "")
        let type = contentType.value.contains("/") ? contentType.value : "text/plain"
        self.type = type
        filename = disposition.parameters["filename"] ?? contentType.parameters["name"] ?? ""
        charset = contentType.parameters["charset"]?.lowercased() ?? "us-ascii"
        encoding = fields.first("content-transfer-encoding")?.lowercased() ?? "7bit"
        self.body = body
        guard type.hasPrefix("multipart/"), depth < Self.depthMax, let boundary = contentType.parameters["boundary"],
            !boundary.isEmpty
        else {
            parts = []
            return
        }
        parts = Self.split(body, boundary).prefix(partsMax).map { part in
            let end = MIMEHeader.end(part)
            return MIMEPart(part[part.startIndex..<end], part[end...], depth: depth + 1, partsMax: partsMax)
        }
    }

    var isAttachment: Bool {
        parts.isEmpty && !type.hasPrefix("multipart/") && (!type.hasPrefix("text/") || !filename.isEmpty)
    }

    /// The body without its transfer encoding.
    var content: [UInt8] {
        switch encoding {
        case "base64":
            Data(base64Encoded: Data(body), options: .ignoreUnknownCharacters).map { Array($0) } ?? Array(body)
        case "quoted-printable": Self.unquoted(body)
        default: Array(body)
        }
    }

    /// The content as text.
    var text: String {
        let bytes = content
        if charset == "iso-8859-1" || charset == "windows-1252" {
            return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        }
        return HeaderText.text(bytes[...])
    }

    private static func split(_ body: ArraySlice<UInt8>, _ boundary: String) -> [ArraySlice<UInt8>] {
        let marker = Array("--\(boundary)".utf8)
        var parts: [ArraySlice<UInt8>] = []
        var start: Int?
        var index = body.startIndex
        while index < body.endIndex {
            let next = MIMEHeader.lineEnd(body, from: index)
            if body[index..<next].starts(with: marker) {
                if let start { parts.append(body[start..<max(start, index)]) }
                start = next
                if body[(index + marker.count)..<next].starts(with: Array("--".utf8)) { return parts }
            }
            index = next
        }
        if let start, start < body.endIndex { parts.append(body[start...]) }
        return parts
    }

    private static func unquoted(_ body: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        var index = body.startIndex
        while index < body.endIndex {
            guard body[index] == UInt8(ascii: "=") else {
                out.append(body[index])
                index += 1
                continue
            }
            let next = MIMEHeader.lineEnd(body, from: index)
            let isSoftBreak = body[(index + 1)..<next].allSatisfy { $0 == 0x0d || $0 == 0x0a || $0 == 0x20 }
            if isSoftBreak {
                index = next
            } else if index + 2 < body.endIndex,
                let byte = UInt8(String(decoding: body[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            {
                out.append(byte)
                index += 3
            } else {
                out.append(body[index])
                index += 1
            }
        }
        return out
    }
}

/// A header value of the form `value; name=value; name="value"`.
struct ParameterisedValue {
    /// Lower case.
    let value: String
    /// Names in lower case.
    private(set) var parameters: [String: String] = [:]

    init(_ text: String) {
        var pieces = Self.pieces(text.utf8)[...]
        value = String(decoding: MIMEHeader.trimmed(pieces.removeFirst()), as: UTF8.self).lowercased()
        for piece in pieces {
            guard let equals = piece.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: MIMEHeader.trimmed(piece[..<equals]), as: UTF8.self).lowercased()
            var text = MIMEHeader.trimmed(piece[(equals + 1)...])
            if text.first == Self.quote { text = text.dropFirst() }
            if text.last == Self.quote { text = text.dropLast() }
            if parameters[name] == nil { parameters[name] = String(decoding: text, as: UTF8.self) }
        }
    }

    private static let quote = UInt8(ascii: "\"")

    /// Cut at the semicolons outside quotes; at least one.
    private static func pieces(_ text: String.UTF8View) -> [ArraySlice<UInt8>] {
        let bytes = Array(text)
        var pieces: [ArraySlice<UInt8>] = []
        var isQuoted = false
        var start = 0
        for (index, byte) in bytes.enumerated() {
            if byte == quote { isQuoted.toggle() }
            if byte == UInt8(ascii: ";"), !isQuoted {
                pieces.append(bytes[start..<index])
                start = index + 1
            }
        }
        return pieces + [bytes[start...]]
    }
}
