import CNATS
import Foundation
import MailModel

/// How to reach NATS.
public struct NatsConfiguration: Sendable, Hashable {
    /// `nats://` or `tls://` URLs, tried in order. They may carry `user:password@`.
    public var urls: [String]
    /// A `.creds` file (`NATS_CREDS`).
    public var credentialsFile: String?
    public var token: Secret?
    /// Files in PEM form. Any of them turns TLS on.
    public var certificateAuthorityFile: String?
    public var certificateFile: String?
    public var keyFile: String?
    /// What the server shows for this client.
    public var name = "mailsync"
    /// Limit for one attempt to connect to one address, in milliseconds.
    public var connectTimeoutMilliseconds = 2_000
    /// How long one publish or request waits for its answer, in milliseconds. The same for all: an acknowledgement
    /// that does not come within it is reported as unknown.
    public var answerTimeoutMilliseconds = 5_000
    /// Interval of the pings that find a dead connection, in milliseconds.
    public var pingIntervalMilliseconds = 15_000
    /// Messages and requests in flight at most; further ones wait their turn.
    public var inFlightMax = 2_048

    public init(urls: [String]) { self.urls = urls }

    /// Reads a comma-separated list of URLs (`NATS_URL`).
    public init(url: String) {
        self.init(urls: url.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
    }

    /// True when any setting asks for TLS.
    public var wantsTLS: Bool {
        urls.contains { $0.lowercased().hasPrefix("tls://") } || certificateAuthorityFile != nil
            || certificateFile != nil || keyFile != nil
    }

    /// The addresses without user names and passwords, for logs.
    public var addresses: String { urls.map(Self.withoutCredentials).joined(separator: ", ") }

    /// Checks what can be checked without a connection.
    ///
    /// - Throws: ``NatsFailure/configuration(_:)``.
    public func validate() throws(NatsFailure) {
        try validate(libraryVersion: nats_GetVersionNumber(), named: String(cString: nats_GetVersion()))
    }

    func validate(libraryVersion: UInt32, named version: String) throws(NatsFailure) {
        guard !urls.isEmpty else { throw .configuration("NATS_URL is empty: give at least one nats:// URL") }
        for url in urls { try Self.check(url) }
        let files = [credentialsFile, certificateAuthorityFile, certificateFile, keyFile].compactMap { $0 }
        for file in files where !FileManager.default.isReadableFile(atPath: file) {
            throw .configuration("\(file) is named in the NATS settings but cannot be read")
        }
        guard (certificateFile == nil) == (keyFile == nil) else {
            throw .configuration("NATS_CERT and NATS_KEY go together: set both or neither")
        }
        if wantsTLS, libraryVersion < Self.safeTLSVersion { throw Self.tlsRefused(version) }
    }

    /// The first libnats whose TLS is safe: before it, two threads used one SSL object without a lock
    /// (nats.c commit fa0f4c1b).
    private static let safeTLSVersion: UInt32 = 0x03_0B_00

    static func tlsRefused(_ version: String) -> NatsFailure {
        .configuration(
            """
            TLS to NATS is refused with libnats \(version): its TLS is not thread-safe before 3.11. Either install \
            libnats 3.11 or newer, or run a nats-server beside mailsync as a leaf node that holds the TLS connection \
            to the cluster and point NATS_URL at it with nats://
            """)
    }

    private static func check(_ url: String) throws(NatsFailure) {
        let shown = withoutCredentials(url)
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            let host = parts.host, !host.isEmpty
        else { throw .configuration("NATS_URL has \(shown): expected nats://host:port") }
        guard scheme == "nats" || scheme == "tls" else {
            throw .configuration("NATS_URL has \(shown): the scheme must be nats or tls")
        }
    }

    private static func withoutCredentials(_ url: String) -> String {
        guard let at = url.lastIndex(of: "@") else { return url }
        let rest = url[url.index(after: at)...]
        guard let scheme = url.range(of: "://") else { return String(rest) }
        return String(url[..<scheme.upperBound]) + rest
    }
}
