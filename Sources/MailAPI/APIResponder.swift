import Accounts
import Hummingbird
import Logging
import MailModel
import MailStore
import Metrics

/// Takes every request through the same steps: limits, route, body, caller, handler; and every answer through the
/// same: headers, log line, metrics. No error leaves it but as a problem document.
struct APIResponder: HTTPResponder {
    let routes: RouteTable
    let gatekeeper: Gatekeeper
    let cors: CORSPolicy
    let limits: MailAPIConfiguration.Limits
    let bodyReader: RequestBodyReader
    let metrics: PrometheusMetrics
    let time: any TimeSource

    func respond(to request: Request, context: APIContext) async throws -> Response {
        let startedAtMs = time.nowMilliseconds()
        var response: Response
        var closesConnection = false
        do {
            response = try await answer(request, context)
        } catch {
            let problem = problem(error, context)
            response = problem.response(requestID: context.requestID)
            closesConnection = problem.closesConnection
        }
        if request.method == .head { response = response.createHeadResponse() }
        addHeaders(to: &response, request, context)
        report(request, response, context, milliseconds: time.nowMilliseconds() - startedAtMs)
        let isLast = closesConnection || (request.asksForUpgrade && response.status != .switchingProtocols)
        return isLast ? closing(response, context) : response
    }

    private func answer(_ request: Request, _ context: APIContext) async throws -> Response {
        let path = request.uri.path
        let body = try await bodyReader.read(request, atMost: routes.bodyBytesMax(of: path))
        if request.asksForUpgrade { try await context.connection.ignoreInput() }
        guard headerBytes(of: request) <= limits.headerBytesMax else {
            throw APIProblem(
                .requestHeaderFieldsTooLarge, "headers-too-large", "The request's headers are too large",
                "at most \(limits.headerBytesMax) bytes are accepted")
        }
        if request.method == .options, routes.has(path) { return preflight(request, path) }
        let (route, parameters) = try routes.route(request.method, path)
        let headers = route.takesWebSockets ? WebSocketHandshake.fields(of: request) : request.headers
        let user = try await gatekeeper.admit(headers, to: route.access)
        let query = request.uri.queryParameters.map { (name: String($0.key), value: String($0.value)) }
        return try await route.handle(
            Route.Call(
                user: user?.id, tokenExpiresAt: user?.expiresAt, query: query, rawQuery: request.uri.query ?? "",
                parameters: parameters, contentType: request.headers[.contentType], bearer: gatekeeper.bearer(headers),
                headers: headers, connection: context.connection, body: body))
    }

    private func preflight(_ request: Request, _ path: String) -> Response {
        let methods = routes.methods(of: path)
        var response = Response(status: .noContent, headers: [.allow: methods])
        if isForBrowsers(path) {
            response.headers.append(contentsOf: cors.preflightHeaders(for: request, methods: methods))
        }
        return response
    }

    private func problem(_ error: any Error, _ context: APIContext) -> APIProblem {
        switch error {
        case let problem as APIProblem: return problem
        case is CancellationError:
            return .unavailable("shutting-down", "the service is shutting down", retryAfterSeconds: 1)
        case is SyncFailure, is AccountDatabaseFailure, is SealError, is StoreFailure:
            context.logger.error("request failed", metadata: ["error": "\(error)"])
            return .unavailable(
                "temporarily-unavailable", "the error was logged under the request_id; try again",
                retryAfterSeconds: Self.retryAfterSeconds)
        default:
            // Only of the errors above is it known that they are safe to print.
            context.logger.error("request failed", metadata: ["error_type": "\(type(of: error))"])
            return .internalError
        }
    }

    /// After a failure of ours.
    private static let retryAfterSeconds: Int64 = 5

    /// Sends the answer, gives the client time to read it, and cuts the connection.
    private func closing(_ response: Response, _ context: APIContext) -> Response {
        var closing = response
        let body = response.body
        closing.body = .init(contentLength: response.body.contentLength) { [time, limits] writer in
            try await body.write(writer)
            // Shutting down is no reason to cut it without the wait, but no reason to wait either.
            try? await time.sleep(for: limits.linger)
            context.connection.close()
        }
        closing.headers[.connection] = "close"
        return closing
    }

    private func addHeaders(to response: inout Response, _ request: Request, _ context: APIContext) {
        response.headers.append(contentsOf: Self.securityHeaders)
        if let name = HTTPFields.requestID { response.headers[name] = context.requestID }
        if isForBrowsers(request.uri.path) { response.headers.append(contentsOf: cors.headers(for: request)) }
    }

    private static let securityHeaders: HTTPFields = [
        .xContentTypeOptions: "nosniff", .cacheControl: "no-store",
        .contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
    ]

    /// Users' operations are; what other systems call is not.
    private func isForBrowsers(_ path: String) -> Bool {
        path.hasPrefix("/mail/") || (path.hasPrefix("/api/") && !path.hasPrefix("/api/cron/"))
    }

    /// As they came over the wire, near enough.
    private func headerBytes(of request: Request) -> Int {
        request.headers.reduce(request.uri.string.utf8.count) {
            $0 + $1.name.rawName.utf8.count + $1.value.utf8.count + 4
        }
    }

    /// Names the operation, never the path as sent: that is the client's text.
    private func report(_ request: Request, _ response: Response, _ context: APIContext, milliseconds: Int64) {
        let path = routes.match(request.uri.path)?.path ?? "none"
        let method = Self.knownMethods.contains(request.method) ? request.method.rawValue : "other"
        let labels = [("method", method), ("path", path)]
        Counter(
            label: "mailsync_http_requests_total", dimensions: labels + [("status", "\(response.status.code)")],
            factory: metrics
        ).increment()
        Timer(label: "mailsync_http_request_duration_seconds", dimensions: labels, factory: metrics)
            .recordMilliseconds(milliseconds)
        context.logger.debug(
            "request",
            metadata: [
                "method": "\(method)", "path": "\(path)", "status": "\(response.status.code)", "ms": "\(milliseconds)",
            ])
    }

    private static let knownMethods: Set<HTTPRequest.Method> = [
        .get, .head, .post, .put, .patch, .delete, .options,
    ]
}

extension HTTPFields {
    fileprivate static let requestID = Element.Name("X-Request-Id")
}

extension Request {
    /// What follows on such a connection is not read as HTTP, so nothing but this request can be answered on it.
    fileprivate var asksForUpgrade: Bool { headers[.upgrade] != nil || method == .connect }
}
