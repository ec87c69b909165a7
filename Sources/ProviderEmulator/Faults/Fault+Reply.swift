extension EmulatorReply {
    /// The page Google's front end sends for a path it does not know.
    static let unknownPath = html(404, "Error 404 (Not Found)!!1")

    static func html(_ status: Int, _ title: String) -> EmulatorReply {
        .text(
            "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>\(title)</title><p><b>\(status).</b></html>\n",
            status: status, contentType: "text/html; charset=UTF-8")
    }
}

extension FaultResponse {
    /// The answer given instead of doing what was asked; nil when it is done all the same.
    var replacement: EmulatorReply? {
        switch self {
        case .status(let status): return .text("", status: status)
        case .error(let error): return .error(error)
        case .oauthError(let error): return .error(error)
        case .graphError(let error): return error.reply
        case .microsoftError(let error): return error.reply(at: 0)
        case .html502: return .html(502, "Error 502 (Server Error)!!1")
        case .garbage: return .json(Array("{\"messages\": [{\"id\": \u{0}".utf8) + [0xff, 0xfe, 0x00])
        case .oversized(let bytes):
            return .json(Array("\"".utf8) + [UInt8](repeating: 0x61, count: max(0, bytes - 2)) + Array("\"".utf8))
        case .redirect(let url):
            var reply = EmulatorReply.text("", status: 302)
            reply.headers.append(("location", url))
            return reply
        case .drop, .stall:
            var reply = EmulatorReply.text("", status: 503)
            reply.delivery = self == .drop ? .drop : .stall
            return reply
        default: return nil
        }
    }

    /// What becomes of the right answer.
    func altered(_ reply: EmulatorReply, _ call: GmailCall? = nil) -> EmulatorReply {
        var reply = reply
        switch self {
        case .loseAnswer: reply.delivery = .drop
        case .cut(let bytes): reply.body = Array(reply.body.prefix(bytes))
        case .truncate(let bytes): reply.delivery = .truncate(bytes: bytes)
        case .drip(let bytes, let pause): reply.delivery = .drip(bytes: bytes, every: pause)
        case .emptyPage: if let page = call?.emptyPage() { reply.body = page }
        default: break
        }
        return reply
    }
}
