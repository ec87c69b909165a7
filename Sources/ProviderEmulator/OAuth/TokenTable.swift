import MailModel
import Synchronization

/// What consent gives a client.
public struct TokenGrant: Sendable, Hashable {
    public var accessToken: String
    public var refreshToken: String
    /// Seconds.
    public var expiresIn: Int
    public var scopes: [String]
}

/// All grants and the tokens that stand for them.
final class TokenTable: Sendable {
    /// Who an access token speaks for.
    struct Bearer: Sendable {
        var address: String
        var scopes: Set<String>
    }
    private struct Grant {
        var address: String
        var scopes: [String]
    }
    private struct Access {
        var grant: Int
        var scopes: [String]
        /// Milliseconds since 1970.
        var expiresAt: Int64
    }
    private struct State {
        var grants: [Int: Grant] = [:]
        var nextGrant = 0
        var access: [String: Access] = [:]
        var refresh: [String: Int] = [:]
        var random: SeededRandom
    }
    private let configuration: EmulatorConfiguration
    private let state: Mutex<State>

    init(_ configuration: EmulatorConfiguration) {
        self.configuration = configuration
        state = Mutex(State(random: SeededRandom(seed: configuration.seed, stream: 0x746f_6b65)))
    }

    func grant(address: String, scopes: [String]) -> TokenGrant {
        state.withLock { state in
            state.nextGrant += 1
            let id = state.nextGrant
            state.grants[id] = Grant(address: address.lowercased(), scopes: scopes)
            let refresh = Self.refreshToken(&state)
            state.refresh[refresh] = id
            return tokens(&state, grant: id, refresh: refresh, scopes: scopes, lifetime: nil)
        }
    }

    /// A refresh: new access token, and with rotation a new refresh token in place of the old one.
    ///
    /// - Returns: nil when the refresh token is not good. `rotated` says whether the refresh token is a new one.
    func refresh(_ token: String, scopes: [String]?, lifetime: Int?) -> (tokens: TokenGrant, rotated: Bool)? {
        state.withLock { state in
            guard let id = state.refresh[token], let grant = state.grants[id] else { return nil }
            let scopes = scopes ?? grant.scopes
            guard configuration.oauth.rotatesRefreshTokens else {
                return (tokens(&state, grant: id, refresh: token, scopes: scopes, lifetime: lifetime), false)
            }
            state.refresh[token] = nil
            let next = Self.refreshToken(&state)
            state.refresh[next] = id
            return (tokens(&state, grant: id, refresh: next, scopes: scopes, lifetime: lifetime), true)
        }
    }

    /// Who the access token speaks for; nil when it is unknown, over or revoked.
    func bearer(_ token: String) -> Bearer? {
        let now = configuration.time.nowMilliseconds()
        return state.withLock { state in
            guard let access = state.access[token], access.expiresAt > now, let grant = state.grants[access.grant]
            else { return nil }
            return Bearer(address: grant.address, scopes: Set(access.scopes))
        }
    }

    /// Revokes the grant behind an access or refresh token; false when there is none.
    func revoke(token: String) -> Bool {
        state.withLock { state in
            guard let id = state.refresh[token] ?? state.access[token]?.grant else { return false }
            return Self.end(&state) { $0 == id }
        }
    }

    func revoke(address: String) {
        state.withLock { state in
            let ids = Set(state.grants.filter { $0.value.address == address.lowercased() }.keys)
            _ = Self.end(&state) { ids.contains($0) }
        }
    }

    func expire(accessToken: String) { state.withLock { $0.access[accessToken] = nil } }

    func expireAccessTokens(address: String) {
        state.withLock { state in
            let grants = state.grants
            state.access = state.access.filter { grants[$0.value.grant]?.address != address.lowercased() }
        }
    }

    private static func end(_ state: inout State, _ isEnded: (Int) -> Bool) -> Bool {
        let before = state.grants.count
        state.grants = state.grants.filter { !isEnded($0.key) }
        state.refresh = state.refresh.filter { !isEnded($0.value) }
        state.access = state.access.filter { !isEnded($0.value.grant) }
        return state.grants.count < before
    }

    private static func refreshToken(_ state: inout State) -> String { "1//0e\(state.random.token(40))" }

    private func tokens(
        _ state: inout State, grant: Int, refresh: String, scopes: [String], lifetime: Int?
    ) -> TokenGrant {
        let seconds = lifetime ?? configuration.oauth.accessTokenLifetimeSeconds
        let token = "ya29.\(state.random.token(60))"
        state.access[token] = Access(
            grant: grant, scopes: scopes, expiresAt: configuration.time.nowMilliseconds() + Int64(seconds) * 1000)
        return TokenGrant(accessToken: token, refreshToken: refresh, expiresIn: seconds, scopes: scopes)
    }
}
