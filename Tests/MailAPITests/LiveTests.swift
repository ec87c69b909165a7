import Foundation
import Logging
import MailModel
import MailStore
import MailTestSupport
import ServiceLifecycle
import Testing

@testable import MailAPI

/// `GET /mail/live` as server-sent events, from real stores.
@Suite struct LiveTests {
    @Test(.timeLimit(.minutes(1))) func newEventsComeInOrderAndNoOthers() async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 3)
        try await fixture.run { (api: API) async throws in
            let stream = try await EventStreamClient.open(api, "ada")
            #expect(stream.head.status == 200 && stream.head.headers["content-type"] == "text/event-stream")
            #expect(stream.head.headers["cache-control"] == "no-store")
            let opening = try await stream.next()
            let position = try await stream.next()
            #expect(opening?.data == nil && position?.data == nil && position?.lastEventID == "4", "where it begins")
            #expect(try await stream.next("status").accounts.isEmpty)
            try await fixture.receive("bob", 2)
            try await fixture.receive("ada", 50, from: 3)
            let log = try await fixture.log(of: "ada")
            for seq in 5...log.count {
                let block = try await stream.next("email.received")
                #expect(block.data == log[seq - 1] && block.lastEventID == "\(seq)")
            }
        }
    }

    /// What a browser does when its connection was cut, again and again, at every place of a stream.
    @Test(.timeLimit(.minutes(2)), arguments: [1, 3, 20, 33])
    func aResumedStreamLosesAndRepeatsNothing(each: Int) async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 60)
        try await fixture.run { (api: API) async throws in
            var got: [String] = []
            var lastEventID: String?
            while got.count < 100 {
                if got.count < 61, got.count + each >= 61 { try await fixture.receive("ada", 39, from: 60) }
                let stream = try await EventStreamClient.open(api, "ada", "after=0", lastEventID: lastEventID)
                got += try await stream.events(min(each, 100 - got.count))
                lastEventID = await stream.lastEventID
            }
            #expect(try await fixture.log(of: "ada") == got)
            try await eventually("cut streams are freed") { api.server.streams.count == 0 }
        }
    }

    /// A client that got no event yet knows where it was all the same.
    @Test(.timeLimit(.minutes(1))) func whatComesBetweenTwoConnectionsIsNotLost() async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 3)
        try await fixture.run { (api: API) async throws in
            let first = try await EventStreamClient.open(api, "ada")
            _ = try await first.next("status")
            let lastEventID = await first.lastEventID
            try await fixture.receive("ada", 2, from: 3)
            let second = try await EventStreamClient.open(api, "ada", lastEventID: lastEventID)
            #expect(try await second.events(2) == Array(try await fixture.log(of: "ada").suffix(2)))
        }
    }

    @Test(.timeLimit(.minutes(1))) func filtersHoldForEventsAndAccountsAndMoveTheClientOn() async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 45)
        try await fixture.receive("ada", 2, inbox: "work")
        await fixture.commands.set(reports: [try .test("ada"), try .test("ada", inbox: "work"), try .test("eve")])
        try await fixture.run { (api: API) async throws in
            let work = try await EventStreamClient.open(api, "ada", "after=0&inbox_id=work&provider=google")
            let status = try await work.next("status")
            #expect(status.accounts.map { $0["inbox_id"] as? String } == ["work"])
            let log = try await fixture.log(of: "ada")
            #expect(try await work.events(3) == log.suffix(3))
            try await fixture.receive("ada", 1, from: 45)
            try await eventually("the client is moved on") {
                _ = try await work.next()
                return await work.lastEventID == "\(log.count + 1)"
            }
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("after", "-1"), ("after", "x"), ("limit", "5"), ("wait", "1"), ("inbox_id", ""), ("provider", "aol"),
            ("Last-Event-ID", "x"), ("Last-Event-ID", "-1"),
        ])
    func badParametersAreNamed(name: String, value: String) async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let isHeader = name == "Last-Event-ID"
            let answer = try await api.call(
                "GET", "/mail/live" + (isHeader ? "" : "?\(name)=\(value)"), user: "ada",
                headers: isHeader ? [name: value] : [:])
            #expect(answer.status == 422 && answer.isProblem && answer.string("field") == name)
            #expect(api.server.streams.count == 0)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aUserHasFewStreamsAndAllUsersTogetherToo() async throws {
        let fixture = APIFixture { $0.live.streamsMax = 9 }
        try await fixture.run { (api: API) async throws in
            var streams: [EventStreamClient] = []
            for _ in 0..<8 { streams.append(try await EventStreamClient.open(api, "ada")) }
            #expect(streams.allSatisfy { $0.head.status == 200 })
            let refused = try await api.call("GET", "/mail/live", user: "ada")
            #expect(refused.status == 429 && refused.isProblem && refused.headers["retry-after"] == "5")
            let other = try await EventStreamClient.open(api, "bob")
            #expect(other.head.status == 200)
            let full = try await api.call("GET", "/mail/live", user: "eve")
            #expect(full.status == 503 && full.isProblem)
            // The stream of a HEAD has no body and takes no place; and a place that is given back is free.
            streams.removeLast()
            try await eventually("it is freed") { api.server.streams.count == 8 }
            #expect(try await api.call("HEAD", "/mail/live", user: "eve").status == 200)
            try await eventually("it is freed") { api.server.streams.count == 8 }
            #expect(try await EventStreamClient.open(api, "ada").head.status == 200)
            withExtendedLifetime((streams, other)) {}
        }
        #expect(fixture.metrics.render().contains("mailsync_live_streams"))
    }

    @Test(.timeLimit(.minutes(1))) func nobodyListensWithoutAToken() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            #expect(try await api.call("GET", "/mail/live").status == 401)
            #expect(try await api.call("GET", "/mail/live", bearer: APIFixture.operatorToken).status == 401)
            #expect(try await api.call("POST", "/mail/live", user: "ada").status == 405)
        }
    }

    @Test(.timeLimit(.minutes(1))) func theStreamEndsWithTheToken() async throws {
        let time = ManualTime()
        let fixture = APIFixture(time: time)
        try await fixture.run { (api: API) async throws in
            let stream = try await EventStreamClient.open(api, "ada", token: try fixture.token("ada", lifetime: 60))
            _ = try await stream.next("status")
            let rest = Task { try await stream.rest() }
            try await eventually("the time is over") {
                time.advance(by: .seconds(1))
                return api.server.streams.count == 0
            }
            #expect(try await rest.value.contains { $0.comments == [" alive"] }, "signs of life until then")
            #expect(try await stream.client.isClosedByServer())
        }
    }

    /// The client reads nothing of what would fill its and the server's buffers many times over.
    @Test(.timeLimit(.minutes(1))) func aSlowReaderIsCutAndResumes() async throws {
        let fixture = APIFixture { $0.live.writeTimeout = .milliseconds(200) }
        try await fixture.receive("ada", 30, subject: String(repeating: "s", count: 400_000))
        try await fixture.run { (api: API) async throws in
            let slow = try await EventStreamClient.open(api, "ada", "after=0", receiveBufferBytes: 8192)
            try await eventually("it is cut") { api.server.streams.count == 0 }
            let log = try await fixture.log(of: "ada")
            var got = try await slow.rest().filter(\.isOfLog).compactMap(\.data)
            #expect(got.count < 31)
            // One that is kept waiting by other tests may be cut as well: it resumes like any other.
            while got.count < 31 {
                let again = try await EventStreamClient.open(api, "ada", lastEventID: "\(got.count)")
                while got.count < 31, let block = try await again.next() {
                    if block.isOfLog { got.append(block.data ?? "") }
                }
                if got.count < 31 { #expect(await again.lastEventID == "\(got.count)") }
            }
            #expect(log == got)
        }
    }

    /// Long before the next sign of life would fail.
    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func aClientThatLeftIsFreed(byHalf: Bool) async throws {
        let fixture = APIFixture { $0.live.heartbeat = .seconds(3600) }
        try await fixture.run { (api: API) async throws in
            var stream: EventStreamClient? = try await EventStreamClient.open(api, "ada")
            _ = try await stream?.next("status")
            #expect(api.server.streams.count == 1)
            if byHalf { stream?.client.finishSending() } else { stream = nil }
            try await eventually("it is freed") { api.server.streams.count == 0 }
            withExtendedLifetime(stream) {}
        }
    }

    @Test(.timeLimit(.minutes(1))) func aLongPollEndsWhenItsClientLeft() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let client = try RawClient(port: api.port)
            await client.send(try api.request("GET", "/mail/events?wait=60", user: "ada"))
            try await eventually("it waits") { fixture.events.waitingCount == 1 }
            client.finishSending()
            #expect(try await client.receive().status == 200)
            #expect(fixture.events.waitingCount == 0)
        }
    }

    @Test(.timeLimit(.minutes(1))) func theEndOfTheServiceEndsStreams() async throws {
        let fixture = APIFixture()
        let server = try fixture.server()
        let group = ServiceGroup(configuration: .init(services: [server], logger: .silent))
        let serving = Task { try await group.run() }
        let api = API(port: try #require(await server.port()), fixture: fixture, server: server)
        let stream = try await EventStreamClient.open(api, "ada")
        _ = try await stream.next("status")
        await group.triggerGracefulShutdown()
        _ = try await stream.rest()
        #expect(try await stream.client.isClosedByServer())
        try await serving.value
        #expect(server.streams.count == 0)
    }

    @Test(.timeLimit(.minutes(1))) func progressAndStatusComeAsTheyChange() async throws {
        let fixture = APIFixture { limits in
            (limits.live.busyLook, limits.live.quietLook) = (.milliseconds(20), .milliseconds(20))
        }
        var account = try AccountReport.test("ada", status: .starting)
        (account.phase, account.listed, account.stored) = (.backfill, 100, 10)
        await fixture.commands.set(reports: [account])
        try await fixture.run { [account] (api: API) async throws in
            var account = account
            let stream = try await EventStreamClient.open(api, "ada")
            let first = try await stream.next("status")
            #expect(first.accounts.count == 1 && first.accounts[0]["status"] as? String == "starting")
            #expect(try await stream.next("progress").json["stored"] as? Int == 10)
            (account.stored, account.etaSeconds, account.waitingFor) = (60, 7, "quota")
            await fixture.commands.set(reports: [account])
            let waiting = try await stream.next("status")
            #expect(waiting.accounts[0]["waiting_for"] as? String == "quota" && waiting.lastEventID == "0")
            let progress = try await stream.next("progress")
            #expect(progress.json["stored"] as? Int == 60 && progress.json["eta_s"] as? Int == 7)
            (account.phase, account.status, account.waitingFor, account.stored) = (.live, .active, nil, 99)
            await fixture.commands.set(reports: [account])
            #expect(try await stream.next("status").accounts[0]["status"] as? String == "active")
            #expect(try await stream.next("progress").json["stored"] as? Int == 99, "the last of the backfill")
            await fixture.commands.set(imports: [
                LiveImport(
                    id: "i1", account: account.key, state: "running", isBusy: true, listed: 5, done: 2, failed: 0,
                    etaSeconds: 3)
            ])
            let imported = try await stream.next("progress")
            #expect(imported.json["import_id"] as? String == "i1" && imported.json["done"] as? Int == 2)
        }
    }

    /// However many streams look, and however often something is committed.
    @Test(.timeLimit(.minutes(1))) func theAccountsAreAskedOnceASecond() async throws {
        let time = ManualTime()
        let fixture = APIFixture(time: time)
        try await fixture.run { (api: API) async throws in
            var streams: [EventStreamClient] = []
            for _ in 0..<4 {
                streams.append(try await EventStreamClient.open(api, "ada"))
                _ = try await streams.last?.next("status")
            }
            #expect(await fixture.commands.looks == 1)
            for number in 0..<10 {
                try await fixture.receive("ada", 1, from: number)
                for stream in streams { _ = try await stream.next("email.received") }
            }
            #expect(await fixture.commands.looks == 1)
            time.advance(by: .seconds(1))
            try await fixture.receive("ada", 1, from: 10)
            for stream in streams { _ = try await stream.next("email.received") }
            try await eventually("they look again") { await fixture.commands.looks == 2 }
        }
    }
}
