import Foundation
import Logging
import MailModel
import MailTestSupport
import ServiceLifecycle
import Testing

@testable import MailAPI

@Suite struct LimitsTests {
    @Test func pathsAndMethodsThatDoNotExistAreSaidSo() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            for path in [
                "/", "/mail", "/mail/", "/mail/status/", "/MAIL/STATUS", "/dashboard", "/mail/../status", "/%2e",
            ] {
                for method in ["GET", "POST", "OPTIONS"] {
                    let answer = try await api.call(method, path, user: "u")
                    #expect(answer.status == 404, "\(method) \(path)")
                    #expect(answer.isProblem)
                }
            }
            let wrong = try await api.call("GET", "/mail/connect", user: "u")
            #expect(wrong.status == 405)
            #expect(wrong.isProblem)
            #expect(wrong.headers["allow"] == "POST, OPTIONS")
            #expect(try await api.call("DELETE", "/mail/status").headers["allow"] == "GET, HEAD, OPTIONS")
            #expect(try await api.call("PROPFIND", "/healthz").status == 405)
        }
    }

    @Test func headIsGetWithoutTheBody() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call("HEAD", "/healthz")
            #expect(answer.status == 200)
            #expect(answer.headers["content-length"] == "18")
        }
    }

    @Test func everyAnswerHasSafetyHeaders() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            for path in ["/healthz", "/nowhere", "/mail/status"] {
                let answer = try await api.call("GET", path)
                #expect(answer.headers["x-content-type-options"] == "nosniff")
                #expect(answer.headers["cache-control"] == "no-store")
                #expect(answer.headers["content-security-policy"]?.contains("default-src 'none'") == true)
                #expect(answer.headers["x-request-id"]?.isEmpty == false)
            }
        }
    }

    @Test(arguments: [
        "", "{", "nonsense", #"{"provider":"google""#, "{'a':1}",
        "{}{}",
    ])
    func brokenJSONIsMalformed(_ body: String) async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let answer = try await api.call("POST", "/mail/connect", user: "u", body: body)
            #expect(answer.status == 400)
            #expect(answer.isProblem)
        }
    }

    @Test func invalidUTF8IsMalformed() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let client = try RawClient(port: api.port)
            let body = Array(#"{"provider":""#.utf8) + [0xff, 0xfe] + Array(#""}"#.utf8)
            await client.send(try api.request("POST", "/mail/connect", user: "u", body: body))
            #expect([400, 422].contains(try await client.receive().status))
        }
    }

    @Test func onlyJSONIsTaken() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            for type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data"]
            {
                let answer = try await api.call(
                    "POST", "/mail/connect", user: "u", body: "{}", headers: ["Content-Type": type])
                #expect(answer.status == 415)
                #expect(answer.isProblem)
            }
            for type in ["application/json; charset=utf-8", "Application/JSON ;x=y"] {
                let answer = try await api.call(
                    "POST", "/mail/connect", user: "u", body: "{}", headers: ["Content-Type": type])
                #expect(answer.status == 422)
            }
        }
    }

    @Test func theBodyMayHave64KiB() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let frame = #"{"provider":"google","x":""}"#
            let fits = frame.dropLast(2) + String(repeating: "x", count: 64 * 1024 - frame.utf8.count) + #""}"#
            #expect(try await api.call("POST", "/mail/sync", user: "u", body: String(fits)).status == 404)
            let client = try RawClient(port: api.port)
            await client.send(
                try api.request("POST", "/mail/sync", user: "u", body: Array("\(fits) ".utf8)))
            let answer = try await client.receive()
            #expect(answer.status == 413)
            #expect(answer.isProblem)
            #expect(answer.headers["connection"] == "close")
            #expect(try await client.isClosedByServer())
        }
    }

    @Test func aBodyOfUnstatedLengthEndsAt64KiBToo() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let client = try RawClient(port: api.port)
            await client.send("POST /mail/sync HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n"
            for _ in 0..<5 { await client.send(chunk) }
            let answer = try await client.receive()
            #expect(answer.status == 413)
            #expect(answer.isProblem)
            #expect(try await client.isClosedByServer())
        }
    }

    /// Outside of `/mail/`, where other systems call.
    @Test(arguments: ["/webhooks/microsoft", "/api/cron/sync-emails", "/status", "/nowhere"])
    func otherBodiesMayHave256KiB(path: String) async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            for (bytes, isRefused) in [(256 * 1024, false), (256 * 1024 + 1, true)] {
                let client = try RawClient(port: api.port)
                let body = [UInt8](repeating: UInt8(ascii: " "), count: bytes)
                await client.send(try api.request("POST", path, body: body))
                let answer = try await client.receive()
                #expect((answer.status == 413) == isRefused && answer.isProblem, "\(bytes)")
            }
        }
    }

    @Test func theHeadersMayHave32KiB() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let fits = try await api.call("GET", "/healthz", headers: ["X-Long": String(repeating: "x", count: 32_000)])
            #expect(fits.status == 200)
            let many = Dictionary(
                uniqueKeysWithValues: (0..<400).map { ("X-\($0)", String(repeating: "x", count: 90)) })
            for headers in [["X-Long": String(repeating: "x", count: 33_000)], many] {
                let answer = try await api.call("GET", "/healthz", headers: headers)
                #expect(answer.status == 431)
                #expect(answer.isProblem)
            }
            let path = "/" + String(repeating: "x", count: 40_000)
            #expect(try await api.call("GET", path).status == 431)
        }
    }

    @Test func headersWithoutEndAreCutOff() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let client = try RawClient(port: api.port)
            await client.send("GET /healthz HTTP/1.1\r\n")
            for number in 0..<600 { await client.send("X-\(number): \(String(repeating: "x", count: 1000))\r\n") }
            #expect(try await client.isClosedByServer())
        }
    }

    @Test func aSlowBodyIsAnswered408() async throws {
        let fixture = APIFixture { $0.bodyTimeout = .milliseconds(200) }
        try await fixture.run { (api: API) async throws in
            let client = try RawClient(port: api.port)
            await client.send("POST /mail/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
            let answer = try await client.receive()
            #expect(answer.status == 408)
            #expect(answer.isProblem)
            #expect(answer.headers["retry-after"] != nil)
            #expect(try await client.isClosedByServer())
        }
    }

    @Test func aConnectionOnWhichNothingHappensIsClosed() async throws {
        let fixture = APIFixture { $0.idleSeconds = 1 }
        try await fixture.run { (api: API) async throws in
            let silent = try RawClient(port: api.port)
            let slow = try RawClient(port: api.port)
            await slow.send("GET /healthz HTTP/1.1\r\nX-Slow: ")
            let kept = try RawClient(port: api.port)
            await kept.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await kept.receive().status == 200)
            for client in [silent, slow, kept] { #expect(try await client.isClosedByServer()) }
        }
    }

    @Test func aConnectionGoesOnAfterAnErrorThatWasReadToItsEnd() async throws {
        let fixture = APIFixture()
        await fixture.commands.set(reports: [try .test("u")])
        try await fixture.run { (api: API) async throws in
            let client = try RawClient(port: api.port)
            let requests: [(String, [UInt8])] = [
                ("401", try api.request("POST", "/mail/connect", body: Array("GET /healthz HTTP/1.1\r\n\r\n".utf8))),
                ("404", try api.request("POST", "/nowhere", body: Array("{}".utf8))),
                ("422", try api.request("POST", "/mail/connect", user: "u", body: Array("{}".utf8))),
                ("202", try api.request("POST", "/mail/sync", user: "u", body: Array("{}".utf8))),
            ]
            await client.send(requests.flatMap(\.1))
            for (status, _) in requests { #expect(try await String(client.receive().status) == status) }
        }
    }

    @Test(arguments: [
        "NONSENSE\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n", "GET /healthz HTTP/1.1\r\nBad Header: x\r\n\r\n",
        "POST /mail/sync HTTP/1.1\r\nContent-Length: x\r\n\r\n", "\u{16}\u{3}\u{1}TLS hello",
        "POST /mail/sync HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ])
    func whatIsNotHTTPIsRefused(_ text: String) async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let client = try RawClient(port: api.port)
            await client.send(text + "\r\n")
            #expect([400, 505].contains(try await client.receive().status))
            #expect(try await api.call("GET", "/healthz").status == 200)
        }
    }

    @Test func aClientThatHangsUpHurtsNobody() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            for text in ["", "GET", "POST /mail/sync HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"] {
                let client = try RawClient(port: api.port)
                await client.send(text)
            }
            #expect(try await api.call("GET", "/healthz").status == 200)
        }
    }
}

@Suite struct ServerTests {
    @Test func aPortThatIsTakenIsAnError() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let second = try fixture.server(port: api.port)
            await #expect(throws: (any Error).self) { try await second.run() }
            #expect(await second.port() == nil)
        }
    }
}

@Suite struct ShutdownTests {
    @Test func stopsAlthoughConnectionsAreOpen() async throws {
        let fixture = APIFixture()
        let server = try fixture.server()
        let group = ServiceGroup(services: [server], logger: .silent)
        let running = Task { try await group.run() }
        let port = try #require(await server.port())
        let idle = try RawClient(port: port)
        let used = try RawClient(port: port)
        await used.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await used.receive().status == 200)
        await group.triggerGracefulShutdown()
        try await running.value
        for client in [idle, used] { #expect(try await client.isClosedByServer()) }
    }
}

@Suite struct FuzzTests {
    /// Whatever the body, the answer is an answer of the contract.
    @Test(arguments: [1, 2, 3] as [UInt64]) func noBodyMakesItStumble(_ seed: UInt64) async throws {
        var generator = SeededGenerator(state: seed)
        let fixture = APIFixture()
        let good = Array(
            #"{"provider":"google","access_token":"a","refresh_token":"r","expires_in":1,"since":"2024-01-01"}"#.utf8)
        let bodies = (0..<150).map { _ in Self.mutated(good, &generator) }
        try await fixture.run { (api: API) async throws in
            let client = try RawClient(port: api.port)
            for path in ["/mail/connect", "/mail/sync", "/mail/disconnect"] {
                for body in bodies {
                    await client.send(try api.request("POST", path, user: "u", body: body))
                    let answer = try await client.receive()
                    let text = String(decoding: body, as: UTF8.self)
                    #expect([200, 400, 404, 422].contains(answer.status), "seed \(seed): \(text)")
                    #expect(answer.status == 200 || answer.isProblem, "seed \(seed): \(text)")
                }
            }
        }
    }

    private static func mutated(_ body: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var body = body
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !body.isEmpty {
            let index = Int.random(in: body.indices, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: body[index] = UInt8.random(in: .min ... .max, using: &generator)
            case 1: body.remove(at: index)
            case 2: body.insert(UInt8.random(in: .min ... .max, using: &generator), at: index)
            default: body.insert(contentsOf: body[index...].prefix(20), at: index)
            }
        }
        return body
    }
}

/// SplitMix64: the same numbers from the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
