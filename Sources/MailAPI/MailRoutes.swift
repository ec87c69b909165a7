import Accounts
import Foundation
import Hummingbird
import MailModel

/// `/mail/*`: what users do with their own accounts.
struct MailRoutes: Sendable {
    let commands: any AccountCommands
    let imports: any ImportDesk
    let missingCredentials: [ProviderKind: [String]]
    let time: any TimeSource

    var all: [Route] {
        [
            .user(.post, "/mail/connect", connect), .user(.post, "/mail/sync", sync),
            .user(.get, "/mail/status", status), .user(.post, "/mail/verify", verify),
            .user(.post, "/mail/disconnect", disconnect),
        ]
    }

    @Sendable private func connect(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.decode(ConnectBody.self)
        if let missing = missingCredentials[body.provider], !missing.isEmpty {
            throw APIProblem.unavailable(
                "provider-not-configured",
                "\(body.provider.apiName) cannot be connected: the operator must set \(missing.joined(separator: ", "))",
                retryAfterSeconds: nil)
        }
        let tokens = OAuthTokens(
            access: body.accessToken, refresh: body.refreshToken, expiry: time.now() + body.expiresIn)
        let key = AccountKey(user: user, provider: body.provider, inbox: body.inbox)
        if body.isDryRun { return try await count(key, body) }
        try await commands.connect(key, tokens: tokens, since: body.since)
        return .json { json in
            json.field("message", "mail sync started")
            json.field("provider", body.provider.apiName)
            json.field("user_id", user.raw)
            json.field("inbox_id", body.inbox.raw)
        }
    }

    /// What connecting would read.
    private func count(_ key: AccountKey, _ body: ConnectBody) async throws -> Response {
        let scan = try await imports.scan(
            MailSelection(from: body.since), of: key, access: body.accessToken, atMost: ImportRoutes.dryRunMax)
        guard let scan else {
            throw APIProblem.unavailable(
                "provider-not-configured", "\(key.provider.apiName) is not set up here", retryAfterSeconds: nil)
        }
        return .json { json in
            json.field("message", "nothing was stored")
            json.field("provider", key.provider.apiName)
            json.field("user_id", key.user.raw)
            json.field("inbox_id", key.inbox.raw)
            json.field("dry_run", true)
            json.scan(scan, of: key.provider)
        }
    }

    @Sendable private func sync(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.body.isEmpty ? nil : call.decode(SyncBody.self)
        let woken = try await commands.wake(user: user, provider: body?.provider, inbox: body?.inbox)
        guard woken > 0 else { throw Self.noAccount }
        return .json(status: .accepted) { json in
            json.field("message", "mail sync requested")
            json.field("accounts", Int64(woken))
        }
    }

    @Sendable private func status(_ user: UserID, _ call: Route.Call) async throws -> Response {
        // The commands answer for one user only; what they answer is checked all the same.
        let reports = try await commands.accounts(of: user).filter { $0.key.user == user }
        return .json { $0.userStatus(user, reports) }
    }

    @Sendable private func verify(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.body.isEmpty ? nil : call.decode(VerifyBody.self)
        let outcome = try await commands.verify(
            user: user, provider: body?.provider, inbox: body?.inbox, repairs: body?.repairs ?? false)
        switch outcome {
        case .noAccount: throw Self.noAccount
        case .ended(let summary): return .json { $0.verification(summary) }
        case .running: return .json(status: .accepted) { $0.field("message", "verification under way; ask again") }
        }
    }

    @Sendable private func disconnect(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.decode(DisconnectBody.self)
        let key = AccountKey(user: user, provider: body.provider, inbox: body.inbox)
        guard body.erase else {
            guard try await commands.disconnect(key) else { throw Self.noAccount }
            return .json { $0.field("message", "mail sync stopped") }
        }
        guard let report = try await commands.erase(key) else { throw Self.noAccount }
        return .json(status: report.isFinished ? .ok : .accepted) { json in
            json.field("message", "mail sync stopped")
            json.field("grant_revoked", report.grantRevoked)
            json.field("erased", report.isFinished)
        }
    }

    private static let noAccount = APIProblem.notFound("no such account is connected; POST /mail/connect connects one")
}

extension Route.Call {
    /// - Throws: ``APIProblem`` 400, 415, 422.
    func decode<Body: Decodable>(_ type: Body.Type) throws(APIProblem) -> Body {
        guard isJSON else {
            throw APIProblem(
                .unsupportedMediaType, "unsupported-media-type", "The body is of the wrong type",
                "send JSON with 'Content-Type: application/json'")
        }
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch let problem as APIProblem {
            throw problem
        } catch DecodingError.typeMismatch {
            throw .field("body", "must be a JSON object")
        } catch DecodingError.valueNotFound {
            throw .field("body", "must be a JSON object")
        } catch {
            throw .malformed("the body is not valid JSON")
        }
    }

    /// `application/json`, whatever its parameters: JSON is UTF-8 (RFC 8259 §8.1).
    private var isJSON: Bool {
        guard let contentType else { return false }
        let type = contentType.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces)
        return type.lowercased() == "application/json"
    }
}
