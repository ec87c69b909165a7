extension HTTPTransport {
    /// Limits and trust of a transport. Every value below one is taken as one.
    public struct Configuration: Sendable {
        /// Gmail compresses only for agents whose name holds the word `gzip`
        /// (https://developers.google.com/workspace/gmail/api/guides/performance).
        public var userAgent = "mailsync/1 (gzip)"
        /// Name resolution, TCP and TLS together.
        public var connectTimeout: Duration = .seconds(10)
        /// A transfer that stays below ``slowBytesPerSecond`` for so long is cut; waiting for the first byte counts.
        /// Whole seconds, because libcurl measures no finer.
        public var slowSeconds = 30
        public var slowBytesPerSecond = 32
        /// All header lines of an answer together.
        public var headerBytesMax = 256 * 1024
        /// To one host and port. Requests beyond what its connections carry wait, their time running.
        public var connectionsPerHostMax = 8
        public var connectionsMax = 64
        /// Requests over HTTP/2 that share a connection.
        public var streamsPerConnectionMax = 100
        /// Requests accepted and not yet answered; one more fails at once.
        public var requestsMax = 8192
        /// PEM file of certificate authorities, in place of the system's bundle. (Where libcurl was built with a
        /// directory of authorities, as on Debian, that directory stays trusted.)
        public var caFile: String?
        /// A proxy's URL. The `*_proxy` variables of the environment are never read.
        public var proxy: String?

        public init() {}
    }
}
