import HTTPTransport
import MailModel

/// Withdraws a user's grant at the provider, where it can be done: Google's revocation endpoint
/// (https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke). Microsoft has none.
public struct GrantRevocation: Sendable {
    /// A user waits for it.
    private static let timeout = Duration.seconds(5)

    private let urls: [ProviderKind: String]
    private let send: HTTPExchange

    public init(urls: [ProviderKind: String], send: @escaping HTTPExchange) {
        self.urls = urls
        self.send = send
    }

    /// - Returns: whether the grant is gone. False when the provider has no such endpoint, cannot be reached or refuses:
    ///   the user can withdraw it in their account with the provider.
    public func revoke(_ tokens: OAuthTokens, of provider: ProviderKind) async -> Bool {
        guard let url = urls[provider] else { return false }
        let request = HTTPRequest(
            .post, url, headers: [("Content-Type", "application/x-www-form-urlencoded")],
            body: Array("token=\(OAuthClient.formEncoded(tokens.refresh.revealed))".utf8), timeout: Self.timeout,
            responseBytesMax: OAuthClient.responseBytesMax)
        do {
            return try await send(request).status == 200
        } catch {
            // Whatever the reason, the answer is no; the account is erased all the same.
            return false
        }
    }
}
