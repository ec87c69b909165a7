import Foundation
import HTTPTransport
import Testing

@Suite("TLS", .timeLimit(.minutes(1)))
struct TLSTests {
    @Test("a certificate of the configured authority is accepted, for the address and for the name")
    func accepted() async throws {
        let certificate = try SelfSignedCertificate()
        let server = try TLSServer(certificate)
        try await withTransport({ $0.caFile = certificate.certificate }) { transport in
            for host in ["127.0.0.1", "localhost"] {
                let answer = try await transport.send(HTTPRequest(.get, "https://\(host):\(server.port)/"))
                #expect(answer.status == 200)
            }
        }
    }

    @Test("an unknown certificate is refused")
    func unknown() async throws {
        let server = try TLSServer(SelfSignedCertificate())
        let error = try await withTransport {
            await failure($0, HTTPRequest(.get, "https://127.0.0.1:\(server.port)/"))
        }
        #expect(error?.isConnection == true)
        #expect("\(String(describing: error))".contains("certificate"))
    }

    @Test("a certificate for another host is refused")
    func otherHost() async throws {
        let certificate = try SelfSignedCertificate(names: "DNS:example.com")
        let server = try TLSServer(certificate)
        let error = try await withTransport({ $0.caFile = certificate.certificate }) {
            await failure($0, HTTPRequest(.get, "https://127.0.0.1:\(server.port)/"))
        }
        #expect(error?.isConnection == true)
    }

    @Test("a certificate authority file that is not there fails the request, not the check")
    func missingFile() async throws {
        let server = try TLSServer(SelfSignedCertificate())
        let error = try await withTransport({ $0.caFile = "/nowhere/ca.pem" }) {
            await failure($0, HTTPRequest(.get, "https://127.0.0.1:\(server.port)/"))
        }
        #expect(error?.isConnection == true)
    }

    @Test("requests over HTTP/2 share one connection at the same time")
    func multiplexing() async throws {
        let certificate = try SelfSignedCertificate()
        let server = try TLSServer(http2: certificate)
        // The answers wait until all requests are there: only streams of one connection can get so far, because the
        // server takes one connection at a time.
        let count = 20
        let frames = HTTP2Script(input: server.plaintextIn, output: server.plaintextOut, answersTogether: count)
        Thread.detachNewThread { frames.run() }
        let statuses = try await withTransport({ $0.caFile = certificate.certificate }) { transport in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<count {
                    group.addTask {
                        let request = HTTPRequest(.get, "https://localhost:\(server.port)/\(number)")
                        return try await transport.send(request).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        #expect(statuses == [Int](repeating: 200, count: count))
    }
}

/// As much of an HTTP/2 server (RFC 9113) as answers `:status 200` to every stream, once so many are open.
private struct HTTP2Script: Sendable {
    let input: FileHandle
    let output: FileHandle
    let answersTogether: Int

    private enum FrameType: UInt8 { case headers = 1, settings = 4, ping = 6 }
    private static let acknowledgement: UInt8 = 1
    private static let endOfStreamAndHeaders: UInt8 = 5
    /// The indexed field of HPACK's static table (RFC 7541, appendix A, entry 8).
    private static let status200: UInt8 = 0x88

    func run() {
        // The connection preface: 24 bytes of fixed text.
        guard read(24) != nil else { return }
        write(.settings, flags: 0, stream: [0, 0, 0, 0], [])
        var waiting: [[UInt8]] = []
        while let head = read(9), let payload = read(Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])) {
            let stream = Array(head[5...])
            switch FrameType(rawValue: head[3]) {
            case .settings where head[4] & Self.acknowledgement == 0:
                write(.settings, flags: Self.acknowledgement, stream: stream, [])
            case .ping where head[4] & Self.acknowledgement == 0:
                write(.ping, flags: Self.acknowledgement, stream: stream, payload)
            case .headers:
                waiting.append(stream)
            default:
                break
            }
            guard waiting.count == answersTogether else { continue }
            for stream in waiting {
                write(.headers, flags: Self.endOfStreamAndHeaders, stream: stream, [Self.status200])
            }
            waiting = []
        }
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            // A failure to read is the end of the connection.
            guard let more = try? input.read(upToCount: count - bytes.count), !more.isEmpty else { return nil }
            bytes += more
        }
        return bytes
    }

    private func write(_ type: FrameType, flags: UInt8, stream: [UInt8], _ payload: [UInt8]) {
        let head = [0, 0, UInt8(payload.count), type.rawValue, flags] + stream
        // A failure to write shows as a request without an answer.
        try? output.write(contentsOf: Data(head + payload))
    }
}
