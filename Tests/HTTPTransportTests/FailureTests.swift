import HTTPTransport
import Logging
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Limits and failures", .timeLimit(.minutes(1)))
struct FailureTests {
    @Test(
        "no answer within the time ends the request", arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
    func timeout(sent: String) async throws {
        let server = try LoopbackServer { connection, _ in
            try connection.write(sent)
            connection.waitForClose()
            return false
        }
        let error = try await withTransport {
            await failure($0, HTTPRequest(.get, server.url, timeout: .milliseconds(200)))
        }
        #expect(error?.isTimeout == true)
    }

    @Test("a request that waits for a connection has its time running too")
    func timeoutWhileWaiting() async throws {
        let arrived = Signal()
        let server = try LoopbackServer { connection, _ in
            arrived.fire()
            connection.waitForClose()
            return false
        }
        try await withTransport({ $0.connectionsPerHostMax = 1 }) { transport in
            let first = Task { try await transport.send(HTTPRequest(.get, server.url)) }
            await arrived.wait()
            let error = await failure(transport, HTTPRequest(.get, server.url, timeout: .milliseconds(200)))
            #expect(error?.isTimeout == true)
            first.cancel()
            await #expect(throws: CancellationError.self) { try await first.value }
        }
        #expect(server.connectionsAccepted == 1)
    }

    @Test("a slow drip is cut long before the request's own time is over")
    func slowDrip() async throws {
        let server = try LoopbackServer { connection, _ in
            try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while !connection.isClosed(withinMilliseconds: 100) { try connection.write("x") }
            return false
        }
        let start = ContinuousClock.now
        let error = try await withTransport({
            $0.slowSeconds = 1
            $0.slowBytesPerSecond = 1000
        }) { await failure($0, HTTPRequest(.get, server.url, timeout: .seconds(50))) }
        #expect(error?.isTimeout == true)
        #expect(ContinuousClock.now - start < .seconds(25))
    }

    @Test("a body of just the limit passes, one byte more does not", arguments: [true, false])
    func bodyLimit(isChunked: Bool) async throws {
        let server = try LoopbackServer { connection, request in
            let body = [UInt8](repeating: 1, count: request.target == "/fits" ? 100_000 : 100_001)
            if isChunked {
                let size = String(body.count, radix: 16)
                try connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(size)\r\n")
                try connection.write(body)
                try connection.write("\r\n0\r\n\r\n")
            } else {
                try connection.answer(200, body)
            }
            return true
        }
        try await withTransport { transport in
            let fits = HTTPRequest(.get, server.url + "/fits", responseBytesMax: 100_000)
            let answer = try await transport.send(fits)
            #expect(answer.body.count == 100_000)
            let exceeds = HTTPRequest(.get, server.url + "/exceeds", responseBytesMax: 100_000)
            #expect(await failure(transport, exceeds) == .tooLarge(limitBytes: 100_000))
        }
    }

    @Test("an endless body is cut at the limit")
    func endlessBody() async throws {
        let server = try LoopbackServer { connection, _ in
            try connection.write("HTTP/1.1 200 OK\r\n\r\n")
            while true { try connection.write([UInt8](repeating: 0, count: 65_536)) }
        }
        let error = try await withTransport {
            await failure($0, HTTPRequest(.get, server.url, responseBytesMax: 1_000_000))
        }
        #expect(error == .tooLarge(limitBytes: 1_000_000))
    }

    @Test("a small compressed body that grows past the limit is cut")
    func gzipBomb() async throws {
        let bomb = try output(of: "sh", "-c", "head -c 16000000 /dev/zero | gzip")
        try #require(bomb.count < 100_000)
        let server = try LoopbackServer { connection, _ in
            try connection.answer(200, headers: ["Content-Encoding: gzip"], bomb)
            return true
        }
        let error = try await withTransport {
            await failure($0, HTTPRequest(.get, server.url, responseBytesMax: 1_000_000))
        }
        #expect(error == .tooLarge(limitBytes: 1_000_000))
    }

    @Test("endless headers are cut at the limit")
    func headerLimit() async throws {
        let server = try LoopbackServer { connection, _ in
            try connection.write("HTTP/1.1 200 OK\r\n")
            while true { try connection.write("X-Header: \(String(repeating: "x", count: 1000))\r\n") }
        }
        let error = try await withTransport({ $0.headerBytesMax = 10_000 }) {
            await failure($0, HTTPRequest(.get, server.url))
        }
        #expect(error == .tooLarge(limitBytes: 10_000))
    }

    @Test(
        "an answer that breaks off, or is none, is a failure of the connection",
        arguments: [
            "", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort", "ftp says hello\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        ])
    func broken(sent: String) async throws {
        let server = try LoopbackServer { connection, _ in
            try connection.write(sent)
            return false
        }
        let error = try await withTransport { await failure($0, HTTPRequest(.get, server.url)) }
        #expect(error?.isConnection == true)
    }

    @Test("a closed port is a failure of the connection")
    func connectionRefused() async throws {
        let (socket, port) = try listenOnLoopback()
        close(socket)
        let error = try await withTransport { await failure($0, HTTPRequest(.get, "http://127.0.0.1:\(port)/")) }
        #expect(error?.isConnection == true)
    }

    @Test("one request too many fails at once")
    func requestsMax() async throws {
        let arrived = Signal()
        let server = try LoopbackServer { connection, _ in
            arrived.fire()
            connection.waitForClose()
            return false
        }
        try await withTransport({ $0.requestsMax = 1 }) { transport in
            let first = Task { try await transport.send(HTTPRequest(.get, server.url)) }
            await arrived.wait()
            #expect(await failure(transport, HTTPRequest(.get, server.url))?.isConnection == true)
            first.cancel()
            await #expect(throws: CancellationError.self) { try await first.value }
        }
    }

    @Test("errors hold no path, query, header or body")
    func redaction() async throws {
        let server = try LoopbackServer { connection, request in
            if request.target.contains("slow") {
                connection.waitForClose()
            } else {
                try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Token: s3cret\r\n\r\ns3cret")
            }
            return false
        }
        try await withTransport { transport in
            let urls = [
                "\(server.url)/s3cret?s3cret", "\(server.url)/slow?s3cret", "ftp://h/s3cret", "http://h/?s3cret",
                "s3cret",
            ]
            for url in urls {
                let request = HTTPRequest(
                    .post, url, headers: [("X", "s3cret")], body: Array("s3cret".utf8), timeout: .milliseconds(200))
                let error = try #require(await failure(transport, request))
                #expect(!"\(error)".contains("s3cret"), "\(url)")
            }
        }
    }
}
