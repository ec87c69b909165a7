import HTTPTransport
import Synchronization
import Testing

@Suite("Bodies that are taken as they arrive", .timeLimit(.minutes(1)))
struct StreamingTests {
    @Test("each piece is handed over before the next one is sent")
    func pieces() async throws {
        let seen = Mutex<[UInt8]>([])
        let server = try LoopbackServer { connection, _ in
            try connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in 1...3 {
                try connection.write("2\r\n\(number)\n\r\n")
                // The client has it before it can know that there is more.
                while seen.withLock({ $0.count }) < number * 2 {
                    guard !connection.isClosed(withinMilliseconds: 5) else { break }
                }
            }
            try connection.write("0\r\n\r\n")
            return true
        }
        let response = try await withTransport { transport in
            var request = HTTPRequest(.post, server.url, responseBytesMax: 1)
            request.onBody = { bytes in seen.withLock { $0 += bytes } }
            return try await transport.send(request)
        }
        #expect(response.status == 200 && response.body.isEmpty)
        #expect(seen.withLock { $0 } == Array("1\n2\n3\n".utf8))
    }

    @Test("a pause that would end another transfer does not end this one", arguments: [true, false])
    func pauses(streams: Bool) async throws {
        let server = try LoopbackServer { connection, _ in
            try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
            guard !connection.isClosed(withinMilliseconds: 3_500) else { return false }
            try connection.write("b")
            return true
        }
        try await withTransport {
            $0.slowSeconds = 1
        } _: { transport in
            var request = HTTPRequest(.get, server.url)
            guard streams else {
                #expect(await failure(transport, request)?.isTimeout == true)
                return
            }
            request.onBody = { _ in }
            let response = try await transport.send(request)
            #expect(response.status == 200)
        }
    }

    @Test("a missing socket is a failed connection, wherever the URL points")
    func socket() async throws {
        let server = try LoopbackServer { connection, _ in
            try connection.answer()
            return true
        }
        try await withTransport { transport in
            var request = HTTPRequest(.get, server.url)
            request.unixSocket = "/nowhere/control.sock"
            #expect(await failure(transport, request)?.isConnection == true)
        }
        #expect(server.connectionsAccepted == 0)
    }
}
