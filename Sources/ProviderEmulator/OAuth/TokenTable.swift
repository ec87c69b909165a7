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

/// How an issuer's tokens look and how long they live.
struct TokenPolicy: Sendable {
    /// What becomes of a refresh token that was used.
    enum Rotation: Sendable, Hashable {
        /// It goes on; no other is given.
        case none
        /// Another is given; the old one works so many seconds more.
        case replaced(graceSeconds: Int)
    }
    var accessPrefix: String
    var refreshPrefix: String
    /// Seconds.
    var lifetime: Int
    var rotation: Rotation
    /// Sets the issuer's random tokens apart.
    var stream: UInt64
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
    private struct Refresh {
        var grant: Int
        /// Milliseconds since 1970; nil while it is the latest.
        var endsAt: Int64?
    }
    private struct State {
        var grants: [Int: Grant] = [:]
        var nextGrant = 0
        var access: [String: Access] = [:]
        var refresh: [String: Refresh] = [:]
        var random: SeededRandom
    }
    private let policy: TokenPolicy
    private let time: any TimeSource
    private let state: Mutex<State>

    init(_ policy: TokenPolicy, seed: UInt64, time: any TimeSource) {
        self.policy = policy
        self.time = time
        state = Mutex(State(random: SeededRandom(seed: seed, stream: policy.stream)))
    }

    func grant(address: String, scopes: [String]) -> TokenGrant {
        state.withLock { state in
            state.nextGrant += 1
            let id = state.nextGrant
            state.grants[id] = Grant(address: address.lowercased(), scopes: scopes)
            let refresh = makeRefreshToken(&state, grant: id)
            return tokens(&state, grant: id, refresh: refresh, scopes: scopes, lifetime: nil)
        }
    }

    /// A refresh: new access token, and with rotation a new refresh token in place of the old one.
    ///
    /// - Returns: nil when the refresh token is not good. `rotated` says whether the refresh token is a new one.
    func refresh(_ token: String, scopes: [String]?, lifetime: Int?) -> (tokens: TokenGrant, rotated: Bool)? {
        let now = time.nowMilliseconds()
        return state.withLock { state in
            guard let known = state.refresh[token], known.endsAt ?? .max > now, let grant = state.grants[known.grant]
            else { return nil }
            let scopes = scopes ?? grant.scopes
            guard case .replaced(let grace) = policy.rotation else {
                return (tokens(&state, grant: known.grant, refresh: token, scopes: scopes, lifetime: lifetime), false)
            }
            state.refresh[token]?.endsAt = known.endsAt ?? now + Int64(grace) * 1000
            let next = makeRefreshToken(&state, grant: known.grant)
            return (tokens(&state, grant: known.grant, refresh: next, scopes: scopes, lifetime: lifetime), true)
        }
    }

    /// Who the access token speaks for; nil when it is unknown, over or revoked.
    func bearer(_ token: String) -> Bearer? {
        let now = time.nowMilliseconds()
        return state.withLock { state in
            guard let access = state.access[token], access.expiresAt > now, let grant = state.grants[access.grant]
            else { return nil }
            return Bearer(address: grant.address, scopes: Set(access.scopes))
        }
    }

    /// Revokes the grant behind an access or refresh token; false when there is none.
    func revoke(token: String) -> Bool {
        state.withLock { state in
            guard let id = state.refresh[token]?.grant ?? state.access[token]?.grant else { return false }
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
        state.refresh = state.refresh.filter { !isEnded($0.value.grant) }
        state.access = state.access.filter { !isEnded($0.value.grant) }
        return state.grants.count < before
    }

    private func makeRefreshToken(_ state: inout State, grant: Int) -> String {
        let token = policy.refreshPrefix + state.random.token(40)
        state.refresh[token] = Refresh(grant: grant, endsAt: nil)
        return token
    }

    private func tokens(
        _ state: inout State, grant: Int, refresh: String, scopes: [String], lifetime: Int?
    ) -> TokenGrant {
        let seconds = lifetime ?? policy.lifetime
        let token = policy.accessPrefix + state.random.token(60)
        state.access[token] = Access(
            grant: grant, scopes: scopes, expiresAt: time.nowMilliseconds() + Int64(seconds) * 1000)
        return TokenGrant(accessToken: token, refreshToken: refresh, expiresIn: seconds, scopes: scopes)
    }
}
