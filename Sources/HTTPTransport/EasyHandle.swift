import CCurl

/// Owns a `CURL`: one transfer, and after ``reset()`` another. Confined to the loop's thread.
final class EasyHandle {
    let pointer: OpaqueEasy
    private var headers: HeaderList?

    init() {
        guard let pointer = curl_easy_init() else { preconditionFailure("out of memory for a libcurl handle") }
        self.pointer = pointer
    }

    deinit { curl_easy_cleanup(pointer) }

    /// Forgets request and options.
    func reset() {
        curl_easy_reset(pointer)
        headers = nil
    }

    var status: Int { information(CURLINFO_RESPONSE_CODE) }
    /// `errno` of the last failed system call of the transfer; 0 for none.
    var systemError: Int32 { Int32(truncatingIfNeeded: information(CURLINFO_OS_ERRNO)) }

    /// Sets everything but the receivers of the answer.
    func prepare(_ request: HTTPRequest, _ url: AllowedURL, _ configuration: HTTPTransport.Configuration) throws {
        try set(CURLOPT_URL, url.text)
        if let unixSocket = request.unixSocket { try set(CURLOPT_UNIX_SOCKET_PATH, unixSocket) }
        try set(CURLOPT_USERAGENT, configuration.userAgent)
        try setSafety(configuration)
        try setLimits(request, configuration)
        try setProtocol(url)
        try setMethod(request)
        let headers = try HeaderList(request)
        try check(CURLOPT_HTTPHEADER, ccurl_set_pointer(pointer, CURLOPT_HTTPHEADER, headers.first))
        self.headers = headers
    }

    /// `receiver` gets each header line and each piece of the decompressed body, with `context`.
    func receive(context: UnsafeMutableRawPointer, header: curl_write_callback, body: curl_write_callback) throws {
        try check(CURLOPT_HEADERDATA, ccurl_set_pointer(pointer, CURLOPT_HEADERDATA, context))
        try check(CURLOPT_WRITEDATA, ccurl_set_pointer(pointer, CURLOPT_WRITEDATA, context))
        try check(CURLOPT_HEADERFUNCTION, ccurl_set_receiver(pointer, CURLOPT_HEADERFUNCTION, header))
        try check(CURLOPT_WRITEFUNCTION, ccurl_set_receiver(pointer, CURLOPT_WRITEFUNCTION, body))
    }

    private func setSafety(_ configuration: HTTPTransport.Configuration) throws {
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let caFile = configuration.caFile { try set(CURLOPT_CAINFO, caFile) }
        // An empty proxy, as opposed to none, keeps libcurl from reading the environment.
        try set(CURLOPT_PROXY, configuration.proxy ?? "")
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // No signal handlers for time-outs; SIGPIPE is blocked on the loop's thread.
        try set(CURLOPT_NOSIGNAL, 1)
        // An abandoned name resolution is left behind; without this its removal waits for the resolver's thread and
        // stops every other transfer.
        try set(CURLOPT_QUICK_EXIT, 1)
    }

    private func setLimits(_ request: HTTPRequest, _ configuration: HTTPTransport.Configuration) throws {
        try set(CURLOPT_FRESH_CONNECT, request.onFreshConnection ? 1 : 0)
        try set(CURLOPT_TIMEOUT_MS, request.timeout.curlMilliseconds)
        try set(CURLOPT_CONNECTTIMEOUT_MS, configuration.connectTimeout.curlMilliseconds)
        // A body that is taken as it arrives may pause.
        guard request.onBody == nil else { return }
        try set(CURLOPT_LOW_SPEED_TIME, configuration.slowSeconds.clampedForCurl)
        try set(CURLOPT_LOW_SPEED_LIMIT, configuration.slowBytesPerSecond.clampedForCurl)
    }

    private func setProtocol(_ url: AllowedURL) throws {
        try set(CURLOPT_HTTP_VERSION, Int(url.isTLS ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
        // Rather wait for a connection that may turn out to multiplex than open another one.
        try set(CURLOPT_PIPEWAIT, url.isTLS ? 1 : 0)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_ACCEPT_ENCODING, "gzip")
    }

    private func setMethod(_ request: HTTPRequest) throws {
        if let body = request.body ?? (request.method == .post || request.method == .patch ? [] : nil) {
            try set(CURLOPT_POST, 1)
            let option = CURLOPT_POSTFIELDSIZE_LARGE
            try check(option, ccurl_set_offset(pointer, option, curl_off_t(body.count)))
            try body.withUnsafeBytes { bytes in
                // libcurl takes a null pointer for "ask a callback".
                let code = withUnsafePointer(to: UInt8(0)) { empty in
                    ccurl_set_pointer(pointer, CURLOPT_COPYPOSTFIELDS, bytes.baseAddress ?? UnsafeRawPointer(empty))
                }
                try check(CURLOPT_COPYPOSTFIELDS, code)
            }
        } else {
            try set(CURLOPT_HTTPGET, 1)
        }
        try set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
    }

    private func set(_ option: CURLoption, _ value: Int) throws {
        try check(option, ccurl_set_long(pointer, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws {
        try check(option, ccurl_set_string(pointer, option, value))
    }

    private func check(_ option: CURLoption, _ code: CURLcode) throws {
        guard code != CURLE_OK else { return }
        throw TransportError.connection("libcurl refuses option \(option.rawValue): \(describe(code))")
    }

    private func information(_ info: CURLINFO) -> Int {
        var value = 0
        guard ccurl_get_long(pointer, info, &value) == CURLE_OK else { return 0 }
        return value
    }
}

/// libcurl's own constant text for a result: unlike its error buffer it holds nothing of the request or the answer.
func describe(_ code: CURLcode) -> String { String(cString: curl_easy_strerror(code)) }
