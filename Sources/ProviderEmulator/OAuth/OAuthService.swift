import MailModel

/// Google's token and revocation endpoints (developers.google.com/identity/protocols/oauth2). Only refreshing is
/// emulated: consent happens through ``GoogleEmulator/grant(_:scopes:)``.
struct OAuthService: Sendable {
    let google: GoogleEmulator

    func token(_ request: EmulatorRequest) async -> EmulatorReply {
        let fault = google.faults.strike(.token, target: request.target, mailbox: nil)
        return await answered("token", fault) { () throws(OAuthError) in try refresh(request, fault) }
    }

    func revoke(_ request: EmulatorRequest) async -> EmulatorReply {
        let fault = google.faults.strike(.revoke, target: request.target, mailbox: nil)
        return await answered("revoke", fault) { () throws(OAuthError) in
            let token = (try form(request)).first { $0.name == "token" }?.value ?? request.parameter("token")
            guard let token else { throw .invalidRequest("Missing required parameter: token") }
            guard google.tokens.revoke(token: token) else { throw .invalidToken }
            return .json(Array("{}".utf8))
        }
    }

    private func answered(
        _ name: String, _ fault: FaultResponse?, _ body: () throws(OAuthError) -> EmulatorReply
    ) async -> EmulatorReply {
        var reply: EmulatorReply
        if let replacement = fault?.replacement {
            reply = replacement
        } else {
            if case .delay(let delay) = fault { await google.pause(delay) }
            do throws(OAuthError) { reply = try body() } catch { reply = .error(error) }
            reply = fault?.altered(reply) ?? reply
        }
        google.log.count(name, status: reply.status)
        return reply
    }

    private func refresh(_ request: EmulatorRequest, _ fault: FaultResponse?) throws(OAuthError) -> EmulatorReply {
        let fields = try form(request)
        let value = { (name: String) in fields.first { $0.name == name }?.value }
        guard let type = value("grant_type") else { throw .invalidRequest("Missing required parameter: grant_type") }
        guard type == "refresh_token" else { throw .unsupportedGrantType }
        guard value("client_id") == google.configuration.oauth.clientID else { throw .invalidClient }
        guard value("client_secret") == google.configuration.oauth.clientSecret else { throw .wrongSecret }
        guard let token = value("refresh_token"), !token.isEmpty else {
            throw .invalidRequest("Missing required parameter: refresh_token")
        }
        var scopes: [String]?
        var lifetime: Int?
        if case .narrowScopes(let narrow) = fault { scopes = narrow }
        if case .shortLifetime(let seconds) = fault { lifetime = seconds }
        guard let (tokens, rotated) = google.tokens.refresh(token, scopes: scopes, lifetime: lifetime) else {
            throw .invalidGrant
        }
        return .json(Self.body(tokens, rotated))
    }

    private func form(_ request: EmulatorRequest) throws(OAuthError) -> [(name: String, value: String)] {
        guard request.method == "POST" else { throw .invalidRequest("POST is required") }
        let type = ParameterisedValue(request.header("content-type") ?? "").value
        guard type == "application/x-www-form-urlencoded" else {
            throw .invalidRequest("Content-Type must be application/x-www-form-urlencoded")
        }
        return PercentCoding.form(String(decoding: request.body, as: UTF8.self))
    }

    private static func body(_ tokens: TokenGrant, _ rotated: Bool) -> [UInt8] {
        var json = JSONText(reserving: 256)
        json.object { json in
            json.field("access_token", tokens.accessToken)
            json.field("expires_in", Int64(tokens.expiresIn))
            if rotated { json.field("refresh_token", tokens.refreshToken) }
            json.field("scope", tokens.scopes.joined(separator: " "))
            json.field("token_type", "Bearer")
        }
        return json.bytes
    }
}
