import CCurl
import Foundation

/// A URL that may be requested: `https` anywhere, `http` only on this machine, without user information.
///
/// Parsed by libcurl itself, so that what is checked is what is asked for.
struct AllowedURL: Sendable {
    /// The whole URL. Path and query may identify people and hold secrets: not for messages.
    let text: String
    /// Scheme, host and port: for messages.
    let origin: String
    let isTLS: Bool

    init(_ text: String) throws(TransportError) {
        guard !text.utf8.contains(0), let url = ParsedURL(text) else {
            throw .refused("the URL is malformed or holds user information")
        }
        guard let scheme = url.part(CURLUPART_SCHEME), let host = url.part(CURLUPART_HOST),
            let whole = url.part(CURLUPART_URL)
        else { throw .refused("the URL has no scheme or no host") }
        let port = url.part(CURLUPART_PORT).map { ":\($0)" } ?? ""
        self.text = whole
        origin = "\(scheme)://\(host)\(port)"
        isTLS = scheme == "https"
        guard isTLS || scheme == "http" else { throw .refused("the URL's scheme is neither https nor http") }
        guard isTLS || isLoopback(host) else {
            throw .refused("\(origin) is not https, and http is for loopback addresses only")
        }
    }
}

/// 127.0.0.0/8, `[::1]` or `localhost`, in the spelling libcurl normalises hosts to.
func isLoopback(_ host: String) -> Bool {
    if host.lowercased() == "localhost" { return true }
    if host.hasPrefix("["), host.hasSuffix("]") { return isIPv6Loopback(String(host.dropFirst().dropLast())) }
    var address = in_addr()
    guard inet_pton(AF_INET, host, &address) == 1 else { return false }
    return UInt32(bigEndian: address.s_addr) >> 24 == 127
}

private func isIPv6Loopback(_ host: String) -> Bool {
    var address = in6_addr()
    guard inet_pton(AF_INET6, host, &address) == 1 else { return false }
    return withUnsafeBytes(of: address) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
}

/// Owns a `CURLU`.
private final class ParsedURL {
    private let url: OpaquePointer

    init?(_ text: String) {
        guard let url = curl_url() else { return nil }
        self.url = url
        guard curl_url_set(url, CURLUPART_URL, text, UInt32(CURLU_DISALLOW_USER)) == CURLUE_OK else { return nil }
    }

    deinit { curl_url_cleanup(url) }

    func part(_ part: CURLUPart) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(url, part, &text, 0) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}
