import HTTPTransport
import Testing

@testable import ProviderEmulator

@Suite struct FaultTests {
    private let address = EmulatorFixture.address

    @Test func scriptedFaultsStrikeWhatTheyAreAimedAt() async throws {
        try await EmulatorFixture.run { fixture in
            let faults = fixture.google.faults
            let id = try fixture.deliver("a")
            faults.add(Fault(.gmail(.messagesGet), match: id, skip: 1, times: 2, .error(.backendError)))
            faults.add(Fault(.anyGmail, mailbox: "other@example.net", times: nil, .status(500)))
            let other = try fixture.deliver("b")
            var statuses: [Int] = []
            for _ in 0..<4 { statuses.append(try await fixture.gmail("messages/\(id)").status) }
            #expect(statuses == [200, 500, 500, 200])
            #expect(try await fixture.gmail("messages/\(other)").status == 200)
            #expect(faults.active.count == 1)
            #expect(faults.struck == 2)
            faults.removeAll()
            #expect(faults.active.isEmpty)
        }
    }

    @Test func aMessageThatCanNeverBeRead() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try fixture.deliver("a")
            fixture.google.faults.add(Fault(.gmail(.messagesGet), match: id, times: nil, .garbage))
            for _ in 0..<5 {
                let response = try await fixture.gmail("messages/\(id)")
                #expect(response.status == 200)
                #expect(throws: (any Error).self) { try response.object() }
            }
        }
    }

    @Test func aNewMessageIsNotFoundAtFirst() async throws {
        try await EmulatorFixture.run { fixture in
            let raw = Array("Subject: x\r\n\r\n".utf8)
            let id = try fixture.google.deliver(raw, to: address, notFoundTimes: 2)
            var statuses: [Int] = []
            for _ in 0..<3 { statuses.append(try await fixture.gmail("messages/\(id)").status) }
            #expect(statuses == [404, 404, 200])
        }
    }

    @Test func anEmptyPageLeadsToTheRightOne() async throws {
        try await EmulatorFixture.run { fixture in
            let start = try fixture.google.historyID(of: address)
            let ids = try (0..<3).map { try fixture.deliver("m\($0)") }
            fixture.google.faults.add(Fault(.gmail(.historyList), .emptyPage))
            fixture.google.faults.add(Fault(.gmail(.messagesList), skip: 1, .emptyPage))
            let empty = try await fixture.object("history?startHistoryId=\(start)")
            #expect(empty.keys.sorted() == ["historyId", "nextPageToken"])
            let token = try #require(empty["nextPageToken"] as? String)
            let page = try await fixture.object("history?startHistoryId=\(start)&pageToken=\(token)")
            #expect((page["history"] as? [Any])?.count == 3)
            let first = try await fixture.object("messages?maxResults=1")
            var next = try #require(first["nextPageToken"] as? String)
            let second = try await fixture.object("messages?maxResults=2&pageToken=\(next)")
            #expect(second["messages"] == nil)
            next = try #require(second["nextPageToken"] as? String)
            let rest = try await fixture.listed("?pageToken=\(next)")
            #expect(Set(fixture.ids(first) + rest) == Set(ids))
        }
    }

    @Test func theTokenEndsInTheMiddleOfAListing() async throws {
        try await EmulatorFixture.run { fixture in
            try fixture.deliver("a")
            fixture.google.faults.add(Fault(.gmail(.messagesList), skip: 1, .expireAccessToken))
            #expect(try await fixture.gmail("messages").status == 200)
            #expect(try await fixture.gmail("messages").status == 401)
            #expect(try await fixture.gmail("messages").status == 401)
            let token = try #require(await fixture.refresh().object()["access_token"] as? String)
            #expect(try await fixture.gmail("messages", token: token).status == 200)
        }
    }

    @Test func everyErrorFormCanBeGiven() async throws {
        try await EmulatorFixture.run { fixture in
            for (name, error) in GmailError.named {
                fixture.google.faults.add(Fault(.gmail(.getProfile), .error(error)))
                let response = try await fixture.gmail("profile")
                #expect(response.status == error.code, "\(name)")
                #expect(response.reason == error.reason, "\(name)")
            }
            fixture.google.faults.add(
                Fault(.gmail(.getProfile), .error(.userRateRetryAfter("2026-01-21T12:57:51.196Z"))))
            #expect(try await fixture.gmail("profile").text.contains("Retry after 2026-01-21T12:57:51.196Z"))
            var slow = GmailError.unavailable
            slow.retryAfterSeconds = 7
            fixture.google.faults.add(Fault(.gmail(.getProfile), .error(slow)))
            #expect(try await fixture.gmail("profile").header("retry-after") == "7")
        }
    }

    @Test func brokenConnections() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try fixture.deliver("a")
            let faults = fixture.google.faults
            // A client may send again on another connection when one dies before the first byte.
            faults.add(Fault(.gmail(.getProfile), times: 5, .drop))
            await #expect(throws: TransportError.self) { try await fixture.gmail("profile") }
            faults.removeAll()
            faults.add(Fault(.gmail(.messagesGet), times: nil, .truncate(bytes: 10)))
            await #expect(throws: TransportError.self) { try await fixture.gmail("messages/\(id)") }
            faults.removeAll()
            faults.add(Fault(.gmail(.labelsList), .stall))
            await #expect(throws: TransportError.self) {
                try await fixture.transport.send(
                    HTTPRequest(
                        .get, "\(fixture.emulator.baseURL)/gmail/v1/users/me/labels", timeout: .milliseconds(200)))
            }
            #expect(try await fixture.gmail("messages/\(id)").status == 200)
        }
    }

    @Test func aLostAnswerHasHappened() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try fixture.deliver("a")
            fixture.google.faults.add(Fault(.gmail(.messagesTrash), times: 3, .loseAnswer))
            await #expect(throws: TransportError.self) { try await fixture.gmail("messages/\(id)/trash", .post) }
            #expect(try fixture.google.snapshot(address)[id]?.labels == ["TRASH", "UNREAD"])
        }
    }

    @Test func oddBodies() async throws {
        try await EmulatorFixture.run { fixture in
            let faults = fixture.google.faults
            faults.add(Fault(.gmail(.getProfile), .oversized(bytes: 100_000)))
            faults.add(Fault(.gmail(.getProfile), .html502))
            faults.add(Fault(.gmail(.getProfile), .redirect("http://127.0.0.1:1/")))
            faults.add(Fault(.gmail(.getProfile), .status(429)))
            #expect(try await fixture.gmail("profile").body.count == 100_000)
            #expect(try await fixture.gmail("profile").status == 502)
            #expect(try await fixture.gmail("profile").header("location") == "http://127.0.0.1:1/")
            let bare = try await fixture.gmail("profile")
            #expect(bare.status == 429 && bare.body.isEmpty)
        }
    }

    @Test func aDelayedAnswerWaitsForTheClock() async throws {
        try await EmulatorFixture.run { fixture in
            fixture.google.faults.add(Fault(.gmail(.getProfile), .delay(.seconds(30))))
            async let answer = fixture.gmail("profile")
            await fixture.time.waitForSleepers()
            fixture.time.advance(by: .seconds(30))
            let response = try await answer
            #expect(response.status == 200)
        }
    }

    @Test func latencyIsPaidOncePerBatch() async throws {
        try await EmulatorFixture.run {
            $0.latency = .milliseconds(50)
            $0.latencyPerBatchPart = .milliseconds(1)
        } _: { fixture in
            async let answer = fixture.gmail("profile")
            await fixture.time.waitForSleepers()
            fixture.time.advance(by: .milliseconds(50))
            let response = try await answer
            #expect(response.status == 200)
        }
    }

    @Test func randomFaultsFollowFromTheirSeed() async throws {
        let seed: UInt64 = 42
        func run() async throws -> [Int] {
            var statuses: [Int] = []
            try await EmulatorFixture.run {
                $0.faults = .init(random: RandomFaults(rate: 0.3, seed: seed, responses: [.status(500), .status(503)]))
            } _: { fixture in
                #expect(fixture.google.faults.randomSeed == seed)
                for _ in 0..<60 { statuses.append(try await fixture.gmail("profile").status) }
            }
            return statuses
        }
        let first = try await run()
        #expect(try await run() == first, "seed \(seed)")
        let struck = first.filter { $0 != 200 }.count
        #expect((5...35).contains(struck), "seed \(seed): \(struck) of 60")
    }
}
