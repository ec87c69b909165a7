import Hummingbird
import MailModel

/// An error as the client gets it: `application/problem+json` (RFC 9457). Nothing in it is secret.
struct APIProblem: Error, Sendable, Hashable {
    var status: HTTPResponse.Status
    /// Says what kind of problem it is, for programs: the last part of `type`.
    var kind: String
    var title: String
    /// What happened, to what, and what to do.
    var detail: String
    /// The field of the request's body that is wrong.
    var field: String?
    /// What the field may be.
    var accepted: [String]?
    var retryAfterSeconds: Int64?
    var headers: HTTPFields = [:]
    /// The request was not read to its end: nothing more can be understood on this connection.
    var closesConnection = false

    init(_ status: HTTPResponse.Status, _ kind: String, _ title: String, _ detail: String) {
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
    }

    static func field(_ name: String, _ reason: String, accepted: [String]? = nil) -> APIProblem {
        var problem = APIProblem(
            .unprocessableContent, "invalid-field", "A field is missing or invalid", "'\(name)' \(reason)")
        problem.field = name
        problem.accepted = accepted
        return problem
    }

    static func malformed(_ detail: String) -> APIProblem {
        APIProblem(.badRequest, "malformed-request", "The request cannot be read", detail)
    }

    /// RFC 6750 §3: `invalid_token` only when there was one.
    static func unauthorized(_ detail: String, realm: String, hadToken: Bool) -> APIProblem {
        var problem = APIProblem(.unauthorized, "unauthorized", "A valid bearer token is needed", detail)
        let error = hadToken ? #", error="invalid_token", error_description="\#(quotable(detail))""# : ""
        problem.headers = [.wwwAuthenticate: #"Bearer realm="\#(realm)"\#(error)"#]
        return problem
    }

    static func notFound(_ detail: String) -> APIProblem {
        APIProblem(.notFound, "not-found", "There is no such thing", detail)
    }

    static func unavailable(_ kind: String, _ detail: String, retryAfterSeconds: Int64?) -> APIProblem {
        var problem = APIProblem(.serviceUnavailable, kind, "The service cannot do this now", detail)
        problem.retryAfterSeconds = retryAfterSeconds
        return problem
    }

    static func contentTooLarge(limit: Int) -> APIProblem {
        var problem = APIProblem(
            .contentTooLarge, "body-too-large", "The request's body is too large", "at most \(limit) bytes are accepted"
        )
        problem.closesConnection = true
        return problem
    }

    static let tooSlow: APIProblem = {
        var problem = APIProblem(
            .requestTimeout, "request-timeout", "The request took too long to arrive",
            "the body did not arrive in time; send the request again")
        problem.closesConnection = true
        problem.retryAfterSeconds = 1
        return problem
    }()

    static let internalError = APIProblem(
        .internalServerError, "internal-error", "Something went wrong here",
        "the error was logged under the request_id; try again, and report it if it stays")

    func document(requestID: String) -> [UInt8] {
        var json = JSONText(reserving: 512)
        json.object { json in
            json.field("type", "urn:mailsync:problem:\(kind)")
            json.field("title", title)
            json.field("status", Int64(status.code))
            json.field("detail", detail)
            if let field { json.field("field", field) }
            if let accepted { json.field("accepted", accepted) }
            json.field("request_id", requestID)
        }
        return json.bytes
    }

    func response(requestID: String) -> Response {
        var response = Response.json(document(requestID: requestID), status: status)
        response.headers[.contentType] = "application/problem+json"
        if let retryAfterSeconds { response.headers[.retryAfter] = String(retryAfterSeconds) }
        response.headers.append(contentsOf: headers)
        return response
    }

    /// The characters of RFC 6750 §3's `error_description`.
    private static func quotable(_ text: String) -> String {
        String(
            text.unicodeScalars.map {
                (0x20...0x7e).contains($0.value) && $0 != "\"" && $0 != "\\" ? Character($0) : "'"
            })
    }
}

extension Response {
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func json(status: HTTPResponse.Status = .ok, _ body: (inout JSONText) -> Void) -> Response {
        var json = JSONText()
        json.object(body)
        return .json(json.bytes, status: status)
    }
}
