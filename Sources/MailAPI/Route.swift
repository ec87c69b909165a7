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
        /// The parameters of the path, decoded, by name.
        var parameters: [String: String] = [:]
        var contentType: String?
        /// The credential of `Authorization: Bearer`, for operations that check their callers themselves.
        var bearer: Secret?
        var headers: HTTPFields = [:]
        /// What the request came on.
        var connection = CallerConnection.none
        var body: [UInt8]
    }

    /// Bodies of what users do with their own accounts (`/mail/…`), in bytes. Longer ones are answered 413.
    static let bodyBytesStandard = 64 * 1024
    /// All other bodies: providers and other systems send more.
    static let bodyBytesMax = 256 * 1024

    let method: HTTPRequest.Method
    /// A segment in braces stands for any one: `/api/sync/jobs/{id}`.
    let path: String
    let access: Access
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
