import Foundation
import HTTPTransport
import MailModel

/// Sends one HTTP request; throws ``TransportError`` or `CancellationError`.
public typealias HTTPExchange = @Sendable (HTTPRequest) async throws -> HTTPResponse

/// Our registration with one provider, and where its token endpoint is.
///
/// Protocol: RFC 6749 §6; Google's answers as described at
/// https://developers.google.com/identity/protocols/oauth2/web-server, Microsoft's at
/// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow. The scope is left out: the new token has
/// those that were granted.
public struct OAuthClient: Sendable {
    /// From request to last byte.
    static let timeout = Duration.seconds(20)
    /// Answers are under 8 KiB.
    static let responseBytesMax = 64 * 1024

    public let provider: ProviderKind
    private let clientID: String
    private let clientSecret: Secret
    private let tokenURL: String
    private let send: HTTPExchange

    public init(
        provider: ProviderKind, clientID: String, clientSecret: Secret, tokenURL: String,
        send: @escaping HTTPExchange
    ) {
        self.provider = provider
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.tokenURL = tokenURL
        self.send = send
    }

    /// Exchanges a refresh token for a new access token.
    ///
    /// - Parameter now: the time before the request, so that the lifetime granted is never overrated.
    /// - Returns: the tokens to store: the refresh token is the new one when the provider rotates, else the given.
    /// - Throws: ``SyncFailure``.
    func refresh(_ refreshToken: Secret, at now: UnixSeconds) async throws -> OAuthTokens {
        let request = refreshRequest(refreshToken)
        let response: HTTPResponse
        do {
            response = try await send(request)
        } catch let error as TransportError {
            throw TokenEndpoint.failure(error, provider: provider)
        }
        return try TokenEndpoint.tokens(from: response, replacing: refreshToken, provider: provider, at: now)
    }

    private func refreshRequest(_ refreshToken: Secret) -> HTTPRequest {
        let form = [
            ("grant_type", "refresh_token"), ("client_id", clientID), ("client_secret", clientSecret.revealed),
            ("refresh_token", refreshToken.revealed),
        ]
        let body = form.map { "\($0.0)=\(Self.formEncoded($0.1))" }.joined(separator: "&")
        return HTTPRequest(
            .post, tokenURL,
            headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")],
            body: Array(body.utf8), timeout: Self.timeout, responseBytesMax: Self.responseBytesMax,
            // A refresh token that a provider rotates works once.
            onFreshConnection: true)
    }

    /// Every byte but the unreserved ones of RFC 3986 as `%XX`.
    static func formEncoded(_ text: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        let hex = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            if plain.contains(byte) {
                out.append(byte)
            } else {
                out += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
