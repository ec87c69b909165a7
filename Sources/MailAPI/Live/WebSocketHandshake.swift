import Crypto
import Foundation
import Hummingbird

/// A client's wish to go on as a WebSocket (RFC 6455 §4.2).
struct WebSocketHandshake: Sendable, Hashable {
    /// Browsers cannot set headers: they offer two subprotocols, this one and the token.
    static let bearerProtocol = "bearer"
    private static let version = "13"
    /// RFC 6455 §1.3.
    private static let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    private static let keyBytes = 16

    private let key: String
    private let offersBearer: Bool

    /// nil for a plain request.
    ///
    /// - Throws: ``APIProblem`` 400, 426 for one that asks for it wrongly.
    init?(_ headers: HTTPFields) throws(APIProblem) {
        guard Self.isAskedFor(headers) else { return nil }
        guard HTTPFields.webSocketVersion.flatMap({ headers[$0] }) == Self.version else {
            var problem = APIProblem(
                .upgradeRequired, "websocket-version", "The WebSocket's version is not supported",
                "send 'Sec-WebSocket-Version: \(Self.version)'")
            if let name = HTTPFields.webSocketVersion { problem.headers[name] = Self.version }
            throw problem
        }
        guard let key = HTTPFields.webSocketKey.flatMap({ headers[$0] }),
            Data(base64Encoded: key)?.count == Self.keyBytes
        else { throw .malformed("'Sec-WebSocket-Key' must be \(Self.keyBytes) bytes in base64") }
        self.key = key
        offersBearer = Self.protocols(headers).first == Self.bearerProtocol
    }

    /// `Upgrade: websocket` and `Connection: upgrade`.
    static func isAskedFor(_ headers: HTTPFields) -> Bool {
        guard let upgrade = headers[.upgrade], let connection = headers[.connection] else { return false }
        return tokens(upgrade).contains { $0.lowercased() == "websocket" }
            && tokens(connection).contains { $0.lowercased() == "upgrade" }
    }

    /// The request's fields, with the token among the subprotocols as the `Authorization` when there is no other. Only a
    /// `GET` can ask for a WebSocket (RFC 6455 §4.1).
    static func fields(of request: Request) -> HTTPFields {
        var headers = request.headers
        if request.method != .get { headers[.upgrade] = nil }
        guard headers[.authorization] == nil, isAskedFor(headers) else { return headers }
        let offered = protocols(headers)
        guard offered.count == 2, offered[0] == bearerProtocol else { return headers }
        headers[.authorization] = "Bearer \(offered[1])"
        return headers
    }

    /// The fields of the answer 101. The token is never repeated.
    var answer: HTTPFields {
        var fields: HTTPFields = [.upgrade: "websocket", .connection: "Upgrade"]
        let digest = Insecure.SHA1.hash(data: Data((key + Self.guid).utf8))
        if let name = HTTPFields.webSocketAccept { fields[name] = Data(digest).base64EncodedString() }
        if offersBearer, let name = HTTPFields.webSocketProtocol { fields[name] = Self.bearerProtocol }
        return fields
    }

    private static func protocols(_ headers: HTTPFields) -> [String] {
        HTTPFields.webSocketProtocol.flatMap { headers[$0] }.map(tokens) ?? []
    }

    private static func tokens(_ list: String) -> [String] {
        list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }
}

extension HTTPFields {
    fileprivate static let webSocketVersion = Element.Name("Sec-WebSocket-Version")
    fileprivate static let webSocketKey = Element.Name("Sec-WebSocket-Key")
    fileprivate static let webSocketAccept = Element.Name("Sec-WebSocket-Accept")
    fileprivate static let webSocketProtocol = Element.Name("Sec-WebSocket-Protocol")
}

extension CORSPolicy {
    /// A WebSocket is not held back by CORS, so its origin is checked here; clients that are no browsers send none.
    ///
    /// - Throws: ``APIProblem`` 403.
    func checkOrigin(_ headers: HTTPFields) throws(APIProblem) {
        guard let origin = headers[.origin], !allows(origin) else { return }
        throw APIProblem(
            .forbidden, "origin-not-allowed", "Pages of this origin may not connect",
            "the operator must add the origin to HTTP_CORS_ORIGINS")
    }
}
