import Hummingbird

/// Which browsers' pages may call `/mail/*` (https://fetch.spec.whatwg.org/#http-cors-protocol).
struct CORSPolicy: Sendable {
    /// How long a browser may remember the answer to a preflight request.
    static let preflightSecondsMax = 600

    private let origins: Set<String>

    init(origins: [String]) { self.origins = Set(origins) }

    func allows(_ origin: String) -> Bool { origins.contains(origin) }

    /// What to add to an answer under `/mail/`.
    func headers(for request: Request) -> HTTPFields {
        guard let origin = request.headers[.origin], origins.contains(origin) else { return [.vary: "Origin"] }
        return [
            .vary: "Origin", .accessControlAllowOrigin: origin,
            .accessControlExposeHeaders: "Retry-After, WWW-Authenticate, X-Next-After, X-Request-Id",
        ]
    }

    /// What to add to the answer to an `OPTIONS` request.
    func preflightHeaders(for request: Request, methods: String) -> HTTPFields {
        guard let origin = request.headers[.origin], origins.contains(origin) else { return [:] }
        return [
            .accessControlAllowMethods: methods,
            .accessControlAllowHeaders: "Authorization, Content-Type, Last-Event-ID",
            .accessControlMaxAge: String(Self.preflightSecondsMax),
        ]
    }
}
