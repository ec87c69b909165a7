import MailModel

/// Microsoft's token endpoint, `/{tenant}/oauth2/v2.0/token` (identity platform v2.0). Only refreshing is emulated:
/// consent happens through ``MicrosoftEmulator/grant(_:scopes:)``.
struct MicrosoftOAuthService: Sendable {
    /// Scopes that show in no answer.
    private static let hiddenScopes: Set<String> = ["offline_access"]
    private static let resource = "https://graph.microsoft.com/"
    let microsoft: MicrosoftEmulator

    static func serves(_ path: [String]) -> Bool { path.count == 4 && path[1...] == ["oauth2", "v2.0", "token"] }

    func token(_ request: EmulatorRequest) async -> EmulatorReply {
        let now = microsoft.configuration.time.now()
        let fault = microsoft.faults.strike(.token, target: request.target, mailbox: nil)
        var reply: EmulatorReply
        if case .microsoftError(let error) = fault {
            reply = error.reply(at: now)
        } else if let replacement = fault?.replacement {
            reply = replacement
        } else {
            if case .delay(let delay) = fault { await microsoft.pause(delay) }
            do throws(MicrosoftOAuthError) { reply = try refresh(request, fault) } catch {
                reply = error.reply(at: now)
            }
            reply = fault?.altered(reply) ?? reply
        }
        microsoft.log.count("token", status: reply.status)
        return reply
    }

    private func refresh(_ request: EmulatorRequest, _ fault: FaultResponse?) throws(MicrosoftOAuthError)
        -> EmulatorReply
    {
        let configuration = microsoft.configuration.microsoft
        let type = ParameterisedValue(request.header("content-type") ?? "").value
        guard request.method == "POST", type == "application/x-www-form-urlencoded" else {
            throw .missing("grant_type")
        }
        let fields = PercentCoding.form(String(decoding: request.body, as: UTF8.self))
        let value = { (name: String) in fields.first { $0.name == name }.map(\.value).flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let client = value("client_id") else { throw .missing("client_id") }
        guard let grantType = value("grant_type") else { throw .missing("grant_type") }
        guard grantType == "refresh_token" else { throw .unsupportedGrantType }
        guard client == configuration.clientID else { throw .unknownClient }
        guard value("client_secret") == configuration.clientSecret else { throw .wrongSecret }
        guard let token = value("refresh_token") else { throw .missing("refresh_token") }
        var lifetime: Int?
        var scopes = value("scope").map { $0.split(separator: " ").map(String.init) }
        if case .shortLifetime(let seconds) = fault { lifetime = seconds }
        if case .narrowScopes(let narrow) = fault { scopes = narrow }
        guard let (tokens, _) = microsoft.tokens.refresh(token, scopes: scopes, lifetime: lifetime) else {
            throw token.hasPrefix(MicrosoftEmulator.refreshPrefix) ? .passwordChanged : .malformed
        }
        return .json(Self.body(tokens))
    }

    private static func body(_ tokens: TokenGrant) -> [UInt8] {
        let scopes = tokens.scopes.filter { !hiddenScopes.contains($0) }.map { scope in
            scope.contains("/") || scope == "openid" || scope == "email" || scope == "profile"
                ? scope : resource + scope
        }
        var json = JSONText(reserving: 512)
        json.object { json in
            json.field("token_type", "Bearer")
            json.field("scope", scopes.joined(separator: " "))
            json.field("expires_in", Int64(tokens.expiresIn))
            json.field("ext_expires_in", Int64(tokens.expiresIn))
            json.field("access_token", tokens.accessToken)
            json.field("refresh_token", tokens.refreshToken)
        }
        return json.bytes
    }
}
