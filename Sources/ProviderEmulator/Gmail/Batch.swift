/// The batch endpoint (guides/batch): up to 100 calls in one multipart/mixed request.
struct BatchService: Sendable {
    private static let partsMax = 100
    let gmail: GmailService

    private struct Part {
        var contentID: String?
        var request: EmulatorRequest
    }

    /// Answers the whole batch. A fault aimed at `.batch` strikes the envelope; a part's fault that breaks the
    /// connection breaks the one they share.
    func respond(to request: EmulatorRequest) async -> EmulatorReply {
        let google = gmail.google
        let fault = google.faults.strike(.batch, target: request.target, mailbox: nil)
        if let reply = fault?.replacement { return counted(reply) }
        if fault == .expireAccessToken, let token = request.bearerToken { google.tokens.expire(accessToken: token) }
        do throws(GmailError) {
            let parts = try Self.parts(request)
            google.log.batch(parts: parts.count)
            let replies = await gmail.respond(toParts: parts.map(\.request))
            let reply = envelope(zip(parts, replies).map { ($0.contentID, $1) })
            return counted(fault?.altered(reply) ?? reply)
        } catch {
            return counted(.error(error))
        }
    }

    private func counted(_ reply: EmulatorReply) -> EmulatorReply {
        gmail.google.log.count("batch", status: reply.status)
        return reply
    }

    private func envelope(_ answers: [(contentID: String?, reply: EmulatorReply)]) -> EmulatorReply {
        var random = SeededRandom(
            seed: gmail.google.configuration.seed, stream: TextHash.of(answers.compactMap(\.contentID).joined().utf8))
        let boundary = "batch_\(random.token(12))"
        let ordered =
            gmail.google.configuration.shufflesBatchAnswers ? answers.shuffled(using: &random) : answers
        var body: [UInt8] = []
        for answer in ordered {
            body += "--\(boundary)\r\nContent-Type: application/http\r\n".utf8
            if let id = answer.contentID { body += "Content-ID: <response-\(id)>\r\n".utf8 }
            body += "\r\n".utf8
            Self.write(answer.reply, to: &body)
            body += "\r\n".utf8
        }
        body += "--\(boundary)--\r\n".utf8
        var reply = EmulatorReply(status: 200, contentType: "multipart/mixed; boundary=\(boundary)", body: body)
        reply.headers.append(("vary", "Origin"))
        reply.delivery = answers.first { $0.reply.delivery != .whole }?.reply.delivery ?? .whole
        return reply
    }

    private static func write(_ reply: EmulatorReply, to body: inout [UInt8]) {
        body += "HTTP/1.1 \(reply.status) \(reasons[reply.status] ?? "Status")\r\n".utf8
        body += "Content-Type: \(reply.contentType)\r\nVary: Origin\r\nVary: X-Origin\r\nVary: Referer\r\n".utf8
        for (name, value) in reply.headers { body += "\(name): \(value)\r\n".utf8 }
        body += "Content-Length: \(reply.body.count)\r\n\r\n".utf8
        body += reply.body
    }

    private static let reasons = [
        200: "OK", 204: "No Content", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
        404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
        503: "Service Unavailable",
    ]

    private static func parts(_ request: EmulatorRequest) throws(GmailError) -> [Part] {
        let type = ParameterisedValue(request.header("content-type") ?? "")
        guard type.value == "multipart/mixed", let boundary = type.parameters["boundary"] else {
            throw GmailError(400, "badRequest", "Failed to parse batch request: no multipart boundary")
        }
        let header = Array("Content-Type: multipart/mixed; boundary=\"\(boundary)\"\r\n\r\n".utf8)
        let pieces = MIMEPart(RawMessage(header + request.body), partsMax: partsMax + 1).parts
        guard !pieces.isEmpty else {
            throw GmailError(400, "badRequest", "Failed to parse batch request: no parts")
        }
        guard pieces.count <= partsMax else {
            throw GmailError(400, "badRequest", "The batch has too many parts, limit: \(partsMax)")
        }
        return try pieces.map { piece throws(GmailError) in try part(piece, outer: request) }
    }

    private static func part(_ piece: MIMEPart, outer: EmulatorRequest) throws(GmailError) -> Part {
        let bytes = piece.content
        let line = MIMEHeader.lineEnd(bytes[...], from: 0)
        // By bytes: a part's target is long, and the properties of a character are slow to ask for.
        let words = bytes[..<line].split { $0 <= 0x20 }.map { String(decoding: $0, as: UTF8.self) }
        guard piece.type == "application/http", words.count >= 2, words[1].hasPrefix("/") else {
            throw GmailError(400, "badRequest", "Failed to parse batch request: a part holds no HTTP request")
        }
        let end = MIMEHeader.end(bytes[line...])
        var headers = MIMEHeader.fields(bytes[line..<end]).map { ($0.name.lowercased(), $0.value) }
        let names = Set(headers.map(\.0))
        headers += outer.headers.filter { !$0.name.hasPrefix("content-") && !names.contains($0.name) }
        let id = piece.fields.first("content-id")
        return Part(
            contentID: id.map { $0.hasPrefix("<") && $0.hasSuffix(">") ? String($0.dropFirst().dropLast()) : $0 },
            request: EmulatorRequest(
                method: words[0], target: words[1], headers: headers, body: Array(bytes[end...])))
    }
}
