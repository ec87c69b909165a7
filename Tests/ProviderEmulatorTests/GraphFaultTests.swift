import Foundation
import HTTPTransport
import Testing

@testable import ProviderEmulator

@Suite struct GraphFaultTests {
    private let address = GraphFixture.address
    private let delta = "/me/mailFolders/inbox/messages/delta?$select=isRead,subject"

    private func value(_ page: [String: Any]) -> [[String: Any]] { page["value"] as? [[String: Any]] ?? [] }

    private func arm(_ fixture: GraphFixture, _ response: FaultResponse, _ method: GraphMethod = .messagesDelta) {
        fixture.microsoft.faults.add(Fault(.graph(method), response))
    }

    @Test func emptyPagesLeadToTheRightOne() async throws {
        try await GraphFixture.run { fixture in
            let ids = try (0..<12).map { try fixture.deliver("m\($0)") }
            arm(fixture, .emptyPage)
            fixture.microsoft.faults.add(Fault(.graph(.messagesDelta), skip: 1, .emptyPage))
            let round = try await fixture.round(delta)
            #expect(round.pages == [0, 10, 0, 2])
            #expect(Set(round.entries.ids) == Set(ids) && round.entries.count == 12)
            arm(fixture, .emptyPage)
            #expect(try await fixture.round(round.deltaLink).pages == [0, 0])
            arm(fixture, .emptyPage, .foldersDelta)
            #expect(try await fixture.round("/me/mailFolders/delta").pages.first == 0)
        }
    }

    @Test func entriesRepeatAndComeBack() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            arm(fixture, .page(.repeatItems))
            #expect(try await fixture.round(delta).entries.ids == [id, id])
            arm(fixture, .page(.removedThenReadded))
            let first = try await fixture.round(delta).entries
            #expect(first.ids == [id, id] && first.first?["@removed"] != nil && first.last?["@removed"] == nil)
            arm(fixture, .page(.readdedThenRemoved))
            let second = try await fixture.round(delta).entries
            #expect(second.ids == [id, id] && second.first?["@removed"] == nil && second.last?["@removed"] != nil)
        }
    }

    @Test func linksInEveryOddForm() async throws {
        try await GraphFixture.run { fixture in
            for index in 0..<12 { try fixture.deliver("m\(index)") }
            fixture.microsoft.faults.add(Fault(.graph(.messagesDelta), skip: 1, .page(.skipTokenInDeltaLink)))
            let round = try await fixture.round(delta)
            #expect(round.deltaLink.contains("$skiptoken="))
            #expect(try await fixture.round(round.deltaLink).entries.isEmpty)
            arm(fixture, .page(.endlessLink))
            let endless = try await fixture.object(delta)
            #expect(endless["@odata.nextLink"] as? String == fixture.base.emulator.graphURL + delta)
            arm(fixture, .page(.foreignLink("http://192.0.2.1")))
            let foreign = try await fixture.object(delta)["@odata.nextLink"] as? String
            #expect(foreign?.hasPrefix("http://192.0.2.1/v1.0/me/") == true)
            arm(fixture, .page(.noLink))
            let none = try await fixture.object(delta)
            #expect(none["@odata.nextLink"] == nil && none["@odata.deltaLink"] == nil)
            arm(fixture, .page(.bothLinks))
            let both = try await fixture.object(delta)
            #expect(both["@odata.nextLink"] != nil && both["@odata.deltaLink"] != nil)
        }
    }

    @Test func pageSizesCanBeIgnored() async throws {
        try await GraphFixture.run { fixture in
            for index in 0..<30 { try fixture.deliver("m\(index)") }
            arm(fixture, .page(.ignorePageSize))
            let prefer = [GraphFixture.immutable, "odata.maxpagesize=5"]
            #expect(try await fixture.round(delta, prefer: prefer).pages == [30])
        }
    }

    @Test func updatesMayBringTheChangedPropertiesOnly() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            let round = try await fixture.round(delta + ",categories,flag,importance")
            try fixture.microsoft.setRead(id, true, in: address)
            let new = try fixture.deliver("b")
            arm(fixture, .page(.changedPropertiesOnly))
            let entries = try await fixture.round(round.deltaLink).entries
            let changed = try #require(entries.first { $0["id"] as? String == id })
            #expect(changed.keys.sorted() == ["@odata.etag", "@odata.type", "id", "isRead"])
            #expect(entries.first { $0["id"] as? String == new }?["subject"] as? String == "b")
        }
    }

    @Test func goneInEveryForm() async throws {
        try await GraphFixture.run { fixture in
            for index in 0..<12 { try fixture.deliver("m\(index)") }
            for (error, code) in [
                (GraphError.syncStateNotFound, "SyncStateNotFound"), (.resyncRequired, "resyncRequired"),
                (.syncStateNotFoundWithLocation, "syncStateNotFound"),
            ] {
                fixture.microsoft.faults.add(
                    Fault(.graph(.messagesDelta), match: "$skiptoken", .graphError(error)))
                let page = try await fixture.object(delta)
                let response = try await fixture.get(try #require(page["@odata.nextLink"] as? String))
                #expect(response.status == 410 && response.code == code)
                #expect((response.header("location") != nil) == error.locatesFreshRound)
                guard let fresh = response.header("location") else { continue }
                #expect(try await fixture.round(fresh).entries.count == 12)
            }
            arm(fixture, .graphError(.invalidSyncState))
            #expect(try await fixture.get(delta).code == "ErrorInvalidSyncStateData")
        }
    }

    @Test func everyErrorFormCanBeInjected() async throws {
        try await GraphFixture.run { fixture in
            for (name, error) in GraphError.named {
                fixture.microsoft.faults.add(try FaultText.parse(["me", name]))
                let response = try await fixture.get("/me")
                #expect(response.status == error.status && response.code == error.code, "\(name)")
                #expect(response.header("retry-after") == error.retryAfterSeconds.map(String.init), "\(name)")
                #expect(response.header("request-id") != nil, "\(name)")
            }
            fixture.microsoft.faults.add(try FaultText.parse(["graph", "graph-wait:17"]))
            #expect(try await fixture.get("/me").header("retry-after") == "17")
        }
    }

    @Test func garbageInEveryForm() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            arm(fixture, .html502)
            #expect(try await fixture.get(delta).status == 502)
            arm(fixture, .cut(bytes: 30))
            let cut = try await fixture.get(delta)
            #expect(cut.status == 200 && cut.body.count == 30)
            #expect(throws: (any Error).self) { try cut.object() }
            arm(fixture, .oversized(bytes: 100_000))
            #expect(try await fixture.get(delta).body.count == 100_000)
            arm(fixture, .page(.wrongTypes))
            let wrong = try #require(try await value(fixture.object(delta)).first)
            #expect(wrong["id"] is [String: Any] && wrong["isRead"] as? String == "maybe")
            arm(fixture, .page(.missingID))
            #expect(try await value(fixture.object(delta)).first?["id"] == nil)
            fixture.microsoft.faults.add(
                Fault(.graph(.messagesGet), match: id, times: nil, .page(.wrongTypes)))
            for _ in 0..<3 { #expect(try await fixture.object("/me/messages/\(id)")["from"] as? String == "x") }
            let answers = try await fixture.batch([["id": "1", "method": "GET", "url": "/me/messages/\(id)"]])
            #expect((answers["1"]?["body"] as? [String: Any])?["from"] as? String == "x")
        }
    }

    @Test func aNewMessageIsNotFoundAtFirst() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.microsoft.deliver(Array("Subject: x\r\n\r\n".utf8), to: address, notFoundTimes: 2)
            var statuses: [Int] = []
            for _ in 0..<3 { statuses.append(try await fixture.get("/me/messages/\(id)").status) }
            #expect(statuses == [404, 404, 200])
        }
    }

    @Test func theTokenEndsInTheMiddleOfARound() async throws {
        try await GraphFixture.run { fixture in
            for index in 0..<12 { try fixture.deliver("m\(index)") }
            fixture.microsoft.faults.add(Fault(.graph(.messagesDelta), skip: 1, .expireAccessToken))
            let page = try await fixture.object(delta)
            let link = try #require(page["@odata.nextLink"] as? String)
            #expect(try await fixture.get(link).code == "InvalidAuthenticationToken")
            let token = try await fixture.refresh().object()["access_token"] as? String
            #expect(try await fixture.get(link, token: token).status == 200)
        }
    }

    @Test func googleAndMicrosoftHaveFaultsOfTheirOwn() async throws {
        try await GraphFixture.run { fixture in
            fixture.microsoft.faults.add(Fault(.anyGraph, times: nil, .status(503)))
            let google = try await fixture.base.gmail("profile").status
            let microsoft = try await fixture.get("/me").status
            #expect(google == 200 && microsoft == 503)
            #expect(fixture.microsoft.faults.struck == 1 && fixture.base.google.faults.struck == 0)
        }
    }

    @Test func randomFaultsFollowFromTheirSeed() async throws {
        func run() async throws -> [Int] {
            var statuses: [Int] = []
            try await GraphFixture.run {
                $0.microsoft.faults = .init(
                    random: RandomFaults(
                        rate: 0.3, seed: 7, endpoints: [.anyGraph],
                        responses: [.graphError(.unavailable), .graphError(.tooManyRequests)]))
            } _: { fixture in
                for _ in 0..<60 { statuses.append(try await fixture.get("/me").status) }
            }
            return statuses
        }
        let first = try await run()
        #expect(try await run() == first, "seed 7")
        #expect((5...35).contains(first.filter { $0 != 200 }.count), "seed 7")
    }
}
