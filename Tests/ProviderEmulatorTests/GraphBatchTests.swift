import Foundation
import HTTPTransport
import MailTestSupport
import ProviderEmulator
import Testing

@Suite struct GraphBatchTests {
    private let address = GraphFixture.address

    private func part(_ id: Int, _ url: String, _ more: [String: Any] = [:]) -> [String: Any] {
        ["id": "\(id)", "method": "GET", "url": url].merging(more) { $1 }
    }

    @Test func partsAreAnsweredInAnyOrder() async throws {
        try await GraphFixture.run { fixture in
            let ids = try (0..<20).map { try fixture.deliver("m\($0)") }
            let prefer = ["headers": ["Prefer": GraphFixture.immutable]]
            let requests = ids.enumerated().map {
                part($0.offset, "/me/messages/\($0.element)?$select=subject", prefer)
            }
            let answers = try await fixture.batch(requests)
            #expect(answers.count == 20)
            for (index, id) in ids.enumerated() {
                let answer = try #require(answers["\(index)"])
                #expect(answer["status"] as? Int == 200)
                #expect((answer["body"] as? [String: Any])?["id"] as? String == id)
            }
            let body = try JSONSerialization.data(withJSONObject: ["requests": requests])
            let response = try await fixture.post("/v1.0/$batch", String(decoding: body, as: UTF8.self))
            let order = (try response.object()["responses"] as? [[String: Any]] ?? []).ids
            #expect(order != ids.indices.map(String.init))
            #expect(fixture.microsoft.stats.batchPartsMax == 20)
            #expect(fixture.microsoft.stats.requests["graph.messages.get"] == 40)
            #expect(fixture.microsoft.stats.requests["batch"] == 2)
        }
    }

    @Test func preferencesAreEachPartsOwn() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            let answers = try await fixture.batch([
                part(1, "/me/messages/\(id)"),
                part(2, "/me/messages/\(id)", ["headers": ["Prefer": GraphFixture.immutable]]),
            ])
            #expect((answers["1"]?["body"] as? [String: Any])?["id"] as? String != id)
            #expect((answers["2"]?["body"] as? [String: Any])?["id"] as? String == id)
        }
    }

    @Test func errorsStayInTheirPart() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            let faults = fixture.microsoft.faults
            faults.add(Fault(.graph(.foldersGet), match: "archive", .graphError(.mailboxConcurrency)))
            faults.add(Fault(.graph(.foldersGet), match: "drafts", .graphError(.gatewayTimeout)))
            faults.add(Fault(.graph(.foldersGet), match: "outbox", .html502))
            let answers = try await fixture.batch([
                part(1, "/me/mailFolders/archive"), part(2, "/me/mailFolders/drafts"),
                part(3, "/me/mailFolders/outbox"),
                part(4, "/me/messages/\(id)", ["dependsOn": ["1"]]), part(5, "/me/messages/\(id)"),
                part(6, "/me/mailFolders/clutter"), part(7, "/me/messages/\(id)", ["dependsOn": ["5"]]),
            ])
            let statuses = (1...7).map { answers["\($0)"]?["status"] as? Int }
            #expect(statuses == [429, 504, 502, 424, 200, 404, 200])
            #expect((answers["1"]?["headers"] as? [String: String])?["Retry-After"] == "1")
            let encoded = try #require(answers["3"]?["body"] as? String)
            let html = try #require(Data(base64Encoded: encoded))
            #expect(String(decoding: html, as: UTF8.self).contains("<html"))
        }
    }

    @Test func malformedEnvelopesAreRefused() async throws {
        try await GraphFixture.run { fixture in
            let many = (0..<21).map { part($0, "/me") }
            let data = try JSONSerialization.data(withJSONObject: ["requests": many])
            #expect(try await fixture.post("/v1.0/$batch", String(decoding: data, as: UTF8.self)).status == 400)
            for json in [
                "", "[]", "{\"requests\":[]}", "{\"requests\":[{\"id\":\"1\",\"method\":\"GET\",\"url\":\"me\"}]}",
                """
                {"requests":[{"id":"a","method":"GET","url":"/me"},{"id":"A","method":"GET","url":"/me"}]}
                """,
                """
                {"requests":[{"id":"a","method":"GET","url":"/me","dependsOn":["b"]}]}
                """,
            ] { #expect(try await fixture.post("/v1.0/$batch", json).status == 400, "\(json)") }
            fixture.microsoft.expireAccessTokens(of: address)
            #expect(try await fixture.post("/v1.0/$batch", "{}").code == "InvalidAuthenticationToken")
        }
    }
}

@Suite struct GraphThrottlingTests {
    @Test func theFifthRequestInFlightIsRefused() async throws {
        try await GraphFixture.run {
            $0.latency = .seconds(1)
        } _: { fixture in
            let time = fixture.base.time
            async let batch = fixture.batch((1...4).map { ["id": "\($0)", "method": "GET", "url": "/me"] })
            await time.waitForSleepers()
            async let fifth = fixture.get("/me")
            await time.waitForSleepers(2)
            time.advance(by: .seconds(1))
            let refused = try await fifth
            #expect(refused.status == 429 && refused.code == "ApplicationThrottled")
            #expect(refused.header("retry-after") == "1")
            let statuses = try await batch.values.map { $0["status"] as? Int }
            #expect(Set(statuses) == [200])
            #expect(fixture.microsoft.stats.concurrentMaxByMailbox[GraphFixture.address] == 4)
        }
    }

    @Test func aBatchRunsFourPartsAtATime() async throws {
        try await GraphFixture.run {
            $0.latency = .seconds(1)
        } _: { fixture in
            async let batch = fixture.batch((1...10).map { ["id": "\($0)", "method": "GET", "url": "/me"] })
            for _ in 0..<3 {
                await fixture.base.time.waitForSleepers()
                fixture.base.time.advance(by: .seconds(1))
            }
            let statuses = try await batch.values.map { $0["status"] as? Int }
            #expect(Set(statuses) == [200])
            #expect(fixture.microsoft.stats.concurrentMaxByMailbox[GraphFixture.address] == 4)
        }
    }

    @Test func requestsOfTenMinutesAreCounted() async throws {
        try await GraphFixture.run {
            $0.microsoft.requestsPerTenMinutesMax = 5
        } _: { fixture in
            for _ in 0..<5 { #expect(try await fixture.get("/me").status == 200) }
            fixture.base.time.advance(by: .seconds(100))
            let refused = try await fixture.get("/me")
            #expect(refused.status == 429 && refused.header("retry-after") == "500")
            fixture.base.time.advance(by: .seconds(500))
            #expect(try await fixture.get("/me").status == 200)
            try fixture.microsoft.createMailbox("other@example.com")
            let other = try fixture.microsoft.grant("other@example.com")
            for _ in 0..<4 { _ = try await fixture.get("/me") }
            #expect(try await fixture.get("/me").status == 429)
            #expect(try await fixture.get("/me", token: other.accessToken).status == 200)
        }
    }
}
