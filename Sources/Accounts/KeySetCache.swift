import HTTPTransport
import Logging
import MailModel

/// The issuer's key set, fetched when needed and kept while its endpoint is down.
public actor KeySetCache {
    /// When and how much to fetch.
    public struct Limits: Sendable {
        /// Older sets are fetched again behind the requests that use them, so that withdrawn keys go.
        public var maxAge: Duration = .seconds(300)
        /// Least time between two fetches, whoever asks for unknown keys.
        public var minInterval: Duration = .seconds(10)
        public var timeout: Duration = .seconds(5)
        public var bytesMax = 256 * 1024
        public init() {}
    }

    private struct Held {
        let set: KeySet
        let fetchedAtMs: Int64
    }

    private let url: String
    private let variable: String
    private let limits: Limits
    private let time: any TimeSource
    private let logger: Logger
    private let send: HTTPExchange
    private var held: Held?
    private var lastFetchAtMs: Int64?
    private var lastFailure = "not fetched yet"
    /// The fetch under way, shared by everybody who waits for one. Bounded by the time-out.
    private var fetching: Task<Void, Never>?

    /// - Parameter variable: the setting that holds the URL, for the log.
    public init(
        url: String, variable: String = "BETTER_AUTH_JWKS_URL", limits: Limits = .init(), time: any TimeSource,
        logger: Logger, send: @escaping HTTPExchange
    ) {
        self.url = url
        self.variable = variable
        self.limits = limits
        self.time = time
        self.logger = logger
        self.send = send
    }

    /// The key set in which to look for the key; fetched again when it does not know the id.
    ///
    /// - Throws: ``AuthenticationFailure/keysUnavailable(reason:retryAfter:)`` when there never was a set.
    func keys(for id: String?) async throws(AuthenticationFailure) -> KeySet {
        if let held, held.set.knows(id) {
            if time.nowMilliseconds() - held.fetchedAtMs >= limits.maxAge.milliseconds { startFetch() }
            return held.set
        }
        await startFetch()?.value
        guard let held else { throw .keysUnavailable(reason: lastFailure, retryAfter: limits.minInterval) }
        return held.set
    }

    /// Ends a fetch under way.
    public func shutdown() async {
        fetching?.cancel()
        await fetching?.value
    }

    /// The fetch under way, a new one, or nil when it is too early for one.
    @discardableResult
    private func startFetch() -> Task<Void, Never>? {
        if let fetching { return fetching }
        let now = time.nowMilliseconds()
        if let lastFetchAtMs, now - lastFetchAtMs < limits.minInterval.milliseconds { return nil }
        lastFetchAtMs = now
        let task = Task {
            defer { fetching = nil }
            await fetch()
        }
        fetching = task
        return task
    }

    private func fetch() async {
        do {
            let request = HTTPRequest(
                .get, url, headers: [("Accept", "application/json")], timeout: limits.timeout,
                responseBytesMax: limits.bytesMax)
            let response = try await send(request)
            guard response.status == 200 else { return failed("it answered \(response.status)") }
            guard let set = await KeySet(json: response.body) else { return failed("its answer is no usable key set") }
            held = Held(set: set, fetchedAtMs: time.nowMilliseconds())
        } catch let error as TransportError {
            failed("\(error)")
        } catch {
            failed("the fetch was cancelled")
        }
    }

    private func failed(_ reason: String) {
        lastFailure = reason
        logger.warning(
            "the key set of \(variable) could not be fetched",
            metadata: ["reason": "\(reason)", "kept_last_good": "\(held != nil)"])
    }
}
