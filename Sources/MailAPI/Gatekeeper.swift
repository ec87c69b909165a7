import Accounts
import Hummingbird
import MailModel
import Synchronization

/// Decides who a caller is, and whether the caller may call now.
final class Gatekeeper: Sendable {
    static let userRealm = "mailsync"
    static let operatorRealm = "mailsync operator"
    static let cronRealm = "mailsync cron"

    private let verifier: JWTVerifier
    private let operatorToken: OperatorToken
    private let cronSecret: BearerSecret?
    private let time: any TimeSource
    private let limiter: Mutex<RateLimiter>

    init(
        verifier: JWTVerifier, operatorToken: OperatorToken, cronSecret: Secret?, limits: MailAPIConfiguration.Limits,
        time: any TimeSource
    ) {
        self.cronSecret = cronSecret.map(BearerSecret.init)
        self.verifier = verifier
        self.operatorToken = operatorToken
        self.time = time
        limiter = Mutex(
            RateLimiter(
                perSecond: limits.requestsPerSecond, burst: limits.requestBurst, usersMax: limits.ratedUsersMax))
    }

    /// - Returns: the user; nil for all others.
    /// - Throws: ``APIProblem`` 401, 429, 503.
    func admit(_ headers: HTTPFields, to access: Route.Access) async throws(APIProblem) -> AuthenticatedUser? {
        switch access {
        case .anyone: return nil
        case .operator:
            try checkOperator(headers)
            return nil
        case .user: return try await admitUser(headers)
        case .userOrOperator:
            if let token = bearerToken(headers), operatorToken.matches(token) { return nil }
            return try await admitUser(headers)
        case .cron:
            try checkCron(headers)
            return nil
        }
    }

    private func checkCron(_ headers: HTTPFields) throws(APIProblem) {
        guard let cronSecret else {
            throw .unavailable(
                "cron-not-configured", "the operator must set CRON_SECRET for this", retryAfterSeconds: nil)
        }
        let token = bearerToken(headers)
        if let token, cronSecret.matches(token) { return }
        throw .unauthorized(
            "send 'Authorization: Bearer' with CRON_SECRET", realm: Self.cronRealm, hadToken: token != nil)
    }

    private func checkOperator(_ headers: HTTPFields) throws(APIProblem) {
        let token = bearerToken(headers)
        if let token, operatorToken.matches(token) { return }
        let detail = "send 'Authorization: Bearer' with the token of OPERATOR_TOKEN or DATA_DIR/operator.token"
        throw .unauthorized(detail, realm: Self.operatorRealm, hadToken: token != nil)
    }

    private func admitUser(_ headers: HTTPFields) async throws(APIProblem) -> AuthenticatedUser {
        guard let token = bearerToken(headers) else {
            let detail = "send 'Authorization: Bearer' with a token from the sign-in service (GET /api/auth/token)"
            throw .unauthorized(detail, realm: Self.userRealm, hadToken: false)
        }
        let user: AuthenticatedUser
        do {
            user = try await verifier.verify(token)
        } catch {
            throw Self.problem(error)
        }
        try checkRate(user.id)
        return user
    }

    private func checkRate(_ user: UserID) throws(APIProblem) {
        let now = time.nowMilliseconds()
        guard let wait = limiter.withLock({ $0.admit(user, atMs: now) }) else { return }
        var problem = APIProblem(
            .tooManyRequests, "rate-limited", "Too many requests", "wait for Retry-After seconds, then go on slower")
        problem.retryAfterSeconds = max(1, Int64(wait.inSeconds.rounded(.up)))
        throw problem
    }

    /// That the issuer's keys cannot be had is our trouble, not a reason to sign the user out.
    private static func problem(_ failure: AuthenticationFailure) -> APIProblem {
        if case .keysUnavailable(_, let retryAfter) = failure {
            return .unavailable(
                "keys-unavailable", "the sign-in service's keys cannot be fetched, so no token can be checked",
                retryAfterSeconds: max(1, Int64(retryAfter.inSeconds.rounded(.up))))
        }
        return .unauthorized(failure.description, realm: userRealm, hadToken: true)
    }

    /// What the caller authorizes itself with, unchecked.
    func bearer(_ headers: HTTPFields) -> Secret? { bearerToken(headers).map(Secret.init) }

    private func bearerToken(_ headers: HTTPFields) -> String? {
        guard let value = headers[.authorization] else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1].drop { $0 == " " })
    }
}
