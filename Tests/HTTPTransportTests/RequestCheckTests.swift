import Testing

@testable import HTTPTransport

@Suite("What may be requested", .timeLimit(.minutes(1)))
struct RequestCheckTests {
    @Test(
        "allowed",
        arguments: [
            ("https://gmail.googleapis.com/gmail/v1/users/me/profile", "https://gmail.googleapis.com"),
            ("HTTPS://Example.COM:8443/a?b#c", "https://Example.COM:8443"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"), ("http://127.9.8.7", "http://127.9.8.7"),
            ("http://[::1]:1/", "http://[::1]:1"), ("http://localhost:1/", "http://localhost:1"),
            ("http://LOCALHOST/", "http://LOCALHOST"),
        ])
    func allowed(text: String, origin: String) throws {
        let url = try AllowedURL(text)
        #expect(url.origin == origin)
        #expect(url.isTLS == text.lowercased().hasPrefix("https:"))
    }

    @Test(
        "refused",
        arguments: [
            "", "/relative", "gmail.googleapis.com/x", "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/",
            "http://example.com/", "http://128.0.0.1/", "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data",
            "http://0.0.0.0/", "http://[::2]/", "http://[::]/", "http://[::ffff:10.0.0.1]/",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/", "http://localhost./", "http://user@127.0.0.1/",
            "https://user:password@example.com/",
            "https://example.com\\@127.0.0.1 /", "https://exa mple.com/",
            "https://example.com/a\r\nb",
            "https://example.com/\0", "http://127.0.0.1:99999/", "http://127.0.0.1@example.com/",
            "http://2130706434.example/",
        ])
    func refused(text: String) {
        let error = #expect(throws: TransportError.self) { try AllowedURL(text) }
        #expect(error?.isRefused == true)
    }

    @Test(
        "other spellings of a loopback address are what libcurl makes of them",
        arguments: ["http://2130706433/", "http://127.1/", "http://0x7f.1/"])
    func spellings(text: String) throws { #expect(try AllowedURL(text).origin == "http://127.0.0.1") }

    @Test("what is refused is never sent")
    func neverSent() async throws {
        try await withTransport { transport in
            #expect(await failure(transport, HTTPRequest(.get, "file:///etc/passwd"))?.isRefused == true)
            #expect(await failure(transport, HTTPRequest(.get, "http://192.0.2.1/"))?.isRefused == true)
        }
    }

    @Test(
        "headers that would change the message are refused",
        arguments: [
            ("", "x"), ("A B", "x"), ("A:", "x"), ("Ä", "x"), ("A", "x\r\nB: y"), ("A", "x\ny"), ("A", "x\0"),
            ("A", "x\u{7F}"),
            ("Content-Length", "3"), ("transfer-encoding", "chunked"), ("Connection", "close"),
        ])
    func headers(name: String, value: String) {
        let error = #expect(throws: TransportError.self) { try checkHeaders([("Accept", "*/*"), (name, value)]) }
        #expect(error?.isRefused == true)
    }

    @Test("ordinary headers pass")
    func ordinaryHeaders() throws {
        try checkHeaders([
            ("Authorization", "Bearer a.b-c_d~e+f/=="), ("X-Tab", "a\tb"), ("X-Text", "ä"), ("X-Empty", ""),
        ])
    }
}

@Suite("Building an answer")
struct AnswerBuilderTests {
    private func build(_ lines: [String], headerBytesMax: Int = 1000) -> AnswerBuilder {
        var builder = AnswerBuilder(headerBytesMax: headerBytesMax, bodyBytesMax: 10)
        for line in lines { _ = Array(line.utf8).withUnsafeBytes { builder.addHeaderLine($0) } }
        return builder
    }

    @Test("fields keep their order; names are lower case, values trimmed, continuations joined")
    func fields() {
        let builder = build([
            "HTTP/1.1 200 OK\r\n", "B:  1 \r\n", "A:2\r\n", "\t 3 \r\n", "Empty:\r\n", "no colon\r\n", "\r\n",
        ])
        let headers = builder.response(status: 200).headers
        #expect(headers.map(\.name) == ["b", "a", "empty"])
        #expect(headers.map(\.value) == ["1", "2 3", ""])
    }

    @Test("trailers after the body are not headers")
    func trailers() {
        let builder = build(["HTTP/1.1 200 OK\r\n", "A: 1\r\n", "\r\n", "Trailer: 2\r\n", "\r\n"])
        #expect(builder.response(status: 200).headers.map(\.name) == ["a"])
    }

    @Test("limits count every byte, over interim answers and trailers too")
    func limits() {
        let lines = ["HTTP/1.1 100 C\r\n", "\r\n", "HTTP/1.1 200 OK\r\n", "A: 1\r\n"]
        let bytes = lines.joined().utf8.count
        #expect(build(lines, headerBytesMax: bytes).exceeded == nil)
        #expect(build(lines, headerBytesMax: bytes - 1).exceeded == .tooLarge(limitBytes: bytes - 1))
        var builder = build([])
        let results = [6, 4, 1].map { count in
            [UInt8](repeating: 0, count: count).withUnsafeBytes { builder.addBody($0) }
        }
        #expect(results == [true, true, false])
        #expect(builder.exceeded == .tooLarge(limitBytes: 10))
    }
}

@Suite("Durations for libcurl")
struct CurlDurationTests {
    @Test(
        "never 0, which is no limit; never more than 32 bits hold",
        arguments: [
            (Duration.zero, 1), (.seconds(-5), 1), (.nanoseconds(1), 1), (.milliseconds(1), 1),
            (.microseconds(1001), 2),
            (.seconds(60), 60_000), (.seconds(Int64.max), Int(Int32.max)),
        ])
    func milliseconds(duration: Duration, expected: Int) { #expect(duration.curlMilliseconds == expected) }
}
