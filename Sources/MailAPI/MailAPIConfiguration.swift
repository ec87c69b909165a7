import MailModel

/// How the API is served, and its limits.
public struct MailAPIConfiguration: Sendable {
    public var host: String
    /// 0 for any free port.
    public var port: Int
    /// Origins whose browsers may call `/mail/*`, as browsers send them: `https://app.example.com`.
    public var corsOrigins: [String]
    /// Providers that cannot be connected, and the variables that are missing for them.
    public var missingCredentials: [ProviderKind: [String]]
    public var limits: Limits

    /// What a client may ask for.
    public struct Limits: Sendable {
        /// Request line and header fields together.
        public var headerBytesMax = 32 * 1024
        /// From the end of the headers to the end of the body.
        public var bodyTimeout: Duration = .seconds(10)
        /// A connection on which no request begins or proceeds is closed after this; so are slow headers.
        public var idleSeconds: Int64 = 30
        /// How long a connection stays open after an answer to a request that was not read to its end, so that the
        /// client can read the answer.
        public var linger: Duration = .seconds(1)
        public var connectionsMax = 1024
        /// Sustained requests per user.
        public var requestsPerSecond = 20.0
        /// Requests a user may make at once.
        public var requestBurst = 20.0
        /// Users whose rate is remembered.
        public var ratedUsersMax = 50_000
        /// Live streams.
        public var live = LiveLimits()

        public init() {}
    }

    public init(
        host: String = "127.0.0.1", port: Int = 8080, corsOrigins: [String] = [],
        missingCredentials: [ProviderKind: [String]] = [:], limits: Limits = .init()
    ) {
        self.host = host
        self.port = port
        self.corsOrigins = corsOrigins
        self.missingCredentials = missingCredentials
        self.limits = limits
    }
}
