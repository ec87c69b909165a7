import Foundation
import Logging
import MailModel
import MailTestSupport
import ServiceLifecycle
import Testing

@testable import MailAPI

/// `GET /mail/live` as a WebSocket (RFC 6455).
@Suite struct LiveSocketTests {
    @Test(.timeLimit(.minutes(1))) func theHandshakeIsAnsweredAndEventsCome() async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 3)
        await fixture.commands.set(reports: [try .test("ada")])
        try await fixture.run { (api: API) async throws in
            let socket = try await SocketClient.open(api, "ada")
            #expect(socket.head.status == 101)
            #expect(socket.head.headers["upgrade"] == "websocket" && socket.head.headers["connection"] == "Upgrade")
            #expect(socket.head.headers["sec-websocket-accept"] == SocketClient.accept)
            #expect(socket.head.headers["sec-websocket-protocol"] == nil)
            #expect(socket.head.headers["transfer-encoding"] == nil && socket.head.headers["content-length"] == nil)
            let first = try #require(try await socket.next())
            #expect(first.event == "position" && first.id == 4 && first.isFinal && !first.isMasked)
            let status = try await socket.next("status")
            #expect(status.id == nil && status.json["id"] is NSNull)
            #expect(((status.json["data"] as? [String: Any])?["accounts"] as? [Any])?.count == 1)
            try await fixture.receive("bob", 2)
            try await fixture.receive("ada", 30, from: 3)
            let got = try await socket.events(30)
            #expect(got.data == Array(try await fixture.log(of: "ada").suffix(30)) && got.last == 34)
        }
    }

    /// Browsers can offer subprotocols, and nothing else.
    @Test(.timeLimit(.minutes(1))) func theTokenMayComeAsASubprotocol() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let token = try fixture.token("ada")
            let offered = "bearer, \(token)"
            let socket = try await SocketClient.open(api, headers: ["Sec-WebSocket-Protocol": offered])
            #expect(socket.head.status == 101 && socket.head.headers["sec-websocket-protocol"] == "bearer")
            #expect(!socket.head.headers.values.contains { $0.contains(token) })
            for wrong in ["bearer", "bearer, nonsense", token, "bearer, \(token), more", "other, \(token)"] {
                let refused = try await SocketClient.open(api, headers: ["Sec-WebSocket-Protocol": wrong])
                #expect(refused.head.status == 401 && refused.head.isProblem, "\(wrong.prefix(12))")
            }
            // The subprotocol opens nothing but the WebSocket.
            let plain = try await api.call("GET", "/mail/status", headers: ["Sec-WebSocket-Protocol": offered])
            #expect(plain.status == 401)
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            (["Sec-WebSocket-Version": "8"], 426), (["Sec-WebSocket-Version": ""], 426),
            (["Sec-WebSocket-Key": ""], 400), (["Sec-WebSocket-Key": "c2hvcnQ="], 400),
            (["Sec-WebSocket-Key": "no base64"], 400), (["Origin": "https://evil.example"], 403),
            (["Authorization": "Bearer nonsense"], 401), (["Last-Event-ID": "x"], 422),
        ])
    func aBadHandshakeIsRefusedAsAProblem(headers: [String: String], status: Int) async throws {
        let fixture = APIFixture(cors: ["https://app.example.com"])
        try await fixture.run { (api: API) async throws in
            let user = headers["Authorization"] == nil ? "ada" : nil
            let refused = try await SocketClient.open(api, user, headers: headers)
            #expect(refused.head.status == status && refused.head.isProblem)
            if status == 426 { #expect(refused.head.headers["sec-websocket-version"] == "13") }
            #expect(refused.head.headers["connection"] == "close")
            #expect(try await refused.client.isClosedByServer())
            let welcome = try await SocketClient.open(api, "ada", headers: ["Origin": "https://app.example.com"])
            #expect(welcome.head.status == 101)
        }
    }

    /// Upgrades are for this path, and for nobody who may not.
    @Test(.timeLimit(.minutes(1))) func otherPathsAreAnsweredPlainlyAndClosed() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let upgrade = ["Upgrade": "websocket", "Connection": "Upgrade"]
            for (path, status) in [("/mail/status", 200), ("/healthz", 200), ("/nowhere", 404)] {
                let answer = try await api.call("GET", path, user: "ada", headers: upgrade)
                #expect(answer.status == status && answer.headers["connection"] == "close", "\(path)")
            }
            // Its body comes after its headers, like any other's.
            let client = try RawClient(port: api.port)
            let offer = ["Upgrade": "h2c", "Connection": "Upgrade"]
            let request = try api.request("POST", "/mail/sync", user: "ada", body: Array("{}".utf8), headers: offer)
            await client.send(Array(request.dropLast(2)))
            await client.send(Array(request.suffix(2)))
            #expect(try await client.receive().status == 404)
            #expect(try await api.call("GET", "/mail/live", headers: upgrade).status == 401)
            let head = ["Sec-WebSocket-Key": SocketClient.key, "Sec-WebSocket-Version": "13"].merging(upgrade) { $1 }
            #expect(try await api.call("HEAD", "/mail/live", user: "ada", headers: head).status == 200)
            #expect(api.server.streams.count == 0)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aResumedSocketLosesAndRepeatsNothing() async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 40)
        try await fixture.run { (api: API) async throws in
            var (got, after): ([String], Int) = ([], 0)
            while got.count < 41 {
                let socket = try await SocketClient.open(api, "ada", "after=\(after)")
                let part = try await socket.events(min(7, 41 - got.count))
                got += part.data
                after = part.last
            }
            #expect(try await fixture.log(of: "ada") == got)
            try await eventually("cut sockets are freed") { api.server.streams.count == 0 }
        }
    }

    @Test(.timeLimit(.minutes(1))) func bothKindsCountAgainstTheLimit() async throws {
        let fixture = APIFixture { $0.live.streamsPerUserMax = 2 }
        try await fixture.run { (api: API) async throws in
            let stream = try await EventStreamClient.open(api, "ada")
            let socket = try await SocketClient.open(api, "ada")
            let refused = try await SocketClient.open(api, "ada")
            #expect(refused.head.status == 429 && refused.head.isProblem)
            withExtendedLifetime((stream, socket)) {}
        }
    }

    @Test(.timeLimit(.minutes(1))) func pingsAreAnsweredAndTheCloseIsReturned() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let socket = try await SocketClient.open(api, "ada")
            await socket.send(.init(opcode: .text, payload: Array("ignored".utf8)))
            await socket.send(.init(opcode: .text, payload: [1, 2], isFinal: false))
            await socket.send(.init(opcode: .ping, payload: [7, 8, 9]))
            await socket.send(.init(opcode: .continuation, payload: [3]))
            var frame = try await socket.next()
            while frame?.opcode == .text { frame = try await socket.next() }
            #expect(frame?.opcode == .pong && frame?.payload == [7, 8, 9])
            await socket.send(.init(opcode: .close, payload: [0x03, 0xe8]))
            #expect(try await socket.closeCode() == 1000)
            #expect(try await socket.client.isClosedByServer())
            try await eventually("it is freed") { api.server.streams.count == 0 }
        }
    }

    /// As soon as the handshake is answered.
    @Test(.timeLimit(.minutes(1))) func earlyFramesAreNotLost() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            for _ in 0..<20 {
                let socket = try await SocketClient.open(api, "ada")
                await socket.send(.init(opcode: .ping, payload: [1]))
                await socket.send(.init(opcode: .close, payload: [0x03, 0xe8]))
                var opcodes: [SocketClient.Frame.Opcode] = []
                while let frame = try await socket.next() { opcodes.append(frame.opcode) }
                #expect(opcodes.contains(.pong) && opcodes.last == .close)
            }
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("unmasked", SocketClient.Frame(opcode: .text, payload: [1], isMasked: false), 1002),
            ("oversized", .init(opcode: .binary, payload: [UInt8](repeating: 0, count: 5000)), 1009),
            ("oversized, in the long form", .init(opcode: .text, payload: [UInt8](repeating: 0, count: 70_000)), 1009),
            ("a fragmented ping", .init(opcode: .ping, payload: [1], isFinal: false), 1002),
            ("a long ping", .init(opcode: .ping, payload: [UInt8](repeating: 0, count: 126)), 1002),
            ("the continuation of nothing", .init(opcode: .continuation, payload: [1]), 1002),
        ])
    func hostileFramesEndTheConnection(_ what: String, _ frame: SocketClient.Frame, code: Int) async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let socket = try await SocketClient.open(api, "ada")
            _ = try await socket.next("status")
            await socket.send(frame)
            #expect(try await socket.closeCode() == code, "\(what)")
            #expect(try await socket.client.isClosedByServer())
            try await eventually("it is freed") { api.server.streams.count == 0 }
        }
    }

    /// A message within a message; and then bytes that are no frames.
    @Test(.timeLimit(.minutes(1))) func brokenSequencesEndTheConnection() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let socket = try await SocketClient.open(api, "ada")
            await socket.send(.init(opcode: .text, payload: [1], isFinal: false))
            await socket.send(.init(opcode: .text, payload: [2]))
            #expect(try await socket.closeCode() == 1002)
            let noise = try await SocketClient.open(api, "ada")
            var random = SeededGenerator(state: 7)
            await noise.client.send((0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) })
            #expect(try await noise.client.isClosedByServer())
            try await eventually("they are freed") { api.server.streams.count == 0 }
        }
    }

    /// The server pings, and does not wait for ever.
    @Test(.timeLimit(.minutes(1))) func aSilentClientIsLetGo() async throws {
        let fixture = APIFixture { limits in
            (limits.live.heartbeat, limits.live.pongTimeout) = (.milliseconds(50), .milliseconds(300))
        }
        try await fixture.run { (api: API) async throws in
            let lively = try await SocketClient.open(api, "ada")
            var answered = 0
            while answered < 10, let frame = try await lively.next() {
                guard frame.opcode == .ping else { continue }
                await lively.send(.init(opcode: .pong, payload: frame.payload))
                answered += 1
            }
            #expect(answered == 10 && api.server.streams.count == 1)
            let silent = try await SocketClient.open(api, "bob")
            #expect(try await silent.closeCode() == 1008)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aSlowReaderIsCutAndResumes() async throws {
        let fixture = APIFixture { $0.live.writeTimeout = .milliseconds(200) }
        try await fixture.receive("ada", 30, subject: String(repeating: "s", count: 400_000))
        try await fixture.run { (api: API) async throws in
            let slow = try await SocketClient.open(api, "ada", "after=0", receiveBufferBytes: 8192)
            try await eventually("it is cut") { api.server.streams.count == 0 }
            var ids: [Int] = []
            while let frame = try await slow.next() { ids += frame.isEvent ? [frame.id ?? 0] : [] }
            #expect(ids.count < 31)
            // One that is kept waiting by other tests may be cut as well: it resumes like any other.
            while ids.count < 31 {
                let again = try await SocketClient.open(api, "ada", "after=\(ids.last ?? 0)")
                while ids.count < 31, let frame = try await again.next() { ids += frame.isEvent ? [frame.id ?? 0] : [] }
            }
            #expect(ids == Array(1...31))
        }
    }

    @Test(.timeLimit(.minutes(1))) func theEndOfTheServiceIsSaid() async throws {
        let fixture = APIFixture()
        let server = try fixture.server()
        let group = ServiceGroup(configuration: .init(services: [server], logger: .silent))
        let serving = Task { try await group.run() }
        let api = API(port: try #require(await server.port()), fixture: fixture, server: server)
        let socket = try await SocketClient.open(api, "ada")
        _ = try await socket.next("status")
        await group.triggerGracefulShutdown()
        #expect(try await socket.closeCode() == 1001)
        try await serving.value
    }

    @Test(.timeLimit(.minutes(1))) func theSocketEndsWithTheToken() async throws {
        let time = ManualTime()
        let fixture = APIFixture(time: time)
        try await fixture.run { (api: API) async throws in
            let token = try fixture.token("ada", lifetime: 10)
            let socket = try await SocketClient.open(api, headers: ["Authorization": "Bearer \(token)"])
            _ = try await socket.next("status")
            let code = Task { try await socket.closeCode() }
            try await eventually("the time is over") {
                time.advance(by: .seconds(1))
                return api.server.streams.count == 0
            }
            #expect(try await code.value == 1008)
        }
    }
}
