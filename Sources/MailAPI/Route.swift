import Hummingbird
import MailModel

/// One operation of the API.
struct Route: Sendable {
    /// Who may call it.
    enum Access: Sendable {
        case anyone
        /// A user, with the issuer's token.
        case user
        case `operator`
        /// Either of them.
        case userOrOperator
        /// Who drives syncing from outside, with `CRON_SECRET`.
        case cron
    }

    /// What a handler needs to know of a request.
    struct Call: Sendable {
        /// nil unless the access is `user`.
        var user: UserID?
        /// When the user's token expires.
        var tokenExpiresAt: UnixSeconds?
        /// The parameters of the URL's query, decoded, in order.
        var query: [(name: String, value: String)] = []
        /// The URL's query as it came, without the question mark.
        var rawQuery = ""
        var contentType: String?
        /// The credential of `Authorization: Bearer`, for operations that check their callers themselves.
        var bearer: Secret?
        var headers: HTTPFields = [:]
        /// What the request came on.
        var connection = CallerConnection.none
        var body: [UInt8]
    }

    /// Bodies of users' own operations, unless said otherwise, in bytes.
    static let bodyBytesStandard = 64 * 1024
    /// Bodies of what providers and other systems send, in bytes.
    static let bodyBytesMax = 256 * 1024

    let method: HTTPRequest.Method
    let path: String
    let access: Access
    /// A longer body is answered 413, in bytes.
    var bodyBytesMax = Route.bodyBytesStandard
    /// Whether a request may ask to go on as a WebSocket.
    var takesWebSockets = false
    let handle: @Sendable (Call) async throws -> Response

    /// A user's operation.
    static func user(
        _ method: HTTPRequest.Method, _ path: String,
        _ handle: @escaping @Sendable (UserID, Call) async throws -> Response
    ) -> Route {
        Route(method: method, path: path, access: .user) { call in
            guard let user = call.user else { throw APIProblem.internalError }
            return try await handle(user, call)
        }
    }
}

/// The operations by path. There are few, and none has a parameter in its path.
struct RouteTable: Sendable {
    private let routes: [String: [Route]]

    init(_ routes: [Route]) { self.routes = Dictionary(grouping: routes, by: \.path) }

    /// Every operation, for checking the description of the API against them.
    var all: [Route] { routes.values.flatMap { $0 } }

    func has(_ path: String) -> Bool { routes[path] != nil }

    /// The longest body that an operation of this path takes, in bytes. What users do with their own accounts needs little.
    func bodyBytesMax(of path: String) -> Int {
        let standard = path.hasPrefix("/mail/") ? Route.bodyBytesStandard : Route.bodyBytesMax
        return max(standard, routes[path]?.map(\.bodyBytesMax).max() ?? 0)
    }

    /// A `HEAD` is answered like its `GET`, without the body.
    ///
    /// - Throws: ``APIProblem`` 404, 405.
    func route(_ method: HTTPRequest.Method, _ path: String) throws(APIProblem) -> Route {
        guard let candidates = routes[path] else {
            throw .notFound("no operation has this path; GET /openapi.json lists all of them")
        }
        let wanted = method == .head ? .get : method
        if let route = candidates.first(where: { $0.method == wanted }) { return route }
        var problem = APIProblem(
            .methodNotAllowed, "method-not-allowed", "The path does not have this method",
            "accepted: \(methods(of: path))")
        problem.headers = [.allow: methods(of: path)]
        throw problem
    }

    /// For `Allow`.
    func methods(of path: String) -> String {
        let own = (routes[path] ?? []).flatMap { $0.method == .get ? ["GET", "HEAD"] : [$0.method.rawValue] }
        return (own + ["OPTIONS"]).joined(separator: ", ")
    }
}
