import Foundation
import Logging
import MailModel
import MailStore
import MailTestSupport
import ServiceLifecycle
import Testing

@testable import MailAPI

/// `GET /mail/events`, from real stores.
@Suite struct EventsTests {
    @Test(.timeLimit(.minutes(1)), arguments: [1, 7, 100, 1000])
    func pagesAreTheEventLogInOrder(limit: Int) async throws {
        let fixture = APIFixture()
        let count = min(230, limit * 40)
        try await fixture.receive("ada", count)
        try await fixture.run { (api: API) async throws in
            let log = try await fixture.log(of: "ada")
            var lines: [String] = []
            var after = "0"
            while true {
                let answer = try await api.events("ada", "after=\(after)&limit=\(limit)")
                #expect(answer.status == 200 && answer.headers["content-type"] == "application/x-ndjson")
                #expect(answer.lines.count == min(limit, log.count - lines.count))
                lines += answer.lines
                let next = try #require(answer.headers["x-next-after"])
                if next == after { break }
                after = next
            }
            #expect(lines == log)
            #expect(after == "\(log.count)")
        }
    }

    @Test(.timeLimit(.minutes(1))) func nobodySeesAnothersEvents() async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 3)
        try await fixture.receive("bob", 5)
        try await fixture.run { (api: API) async throws in
            let (ada, bob) = (try await fixture.log(of: "ada"), try await fixture.log(of: "bob"))
            #expect(try await api.events("ada").lines == ada)
            #expect(try await api.events("bob", "after=2").lines == Array(bob.dropFirst(2)))
            let stranger = try await api.events("eve", "after=1")
            #expect(stranger.status == 200 && stranger.lines.isEmpty && stranger.headers["x-next-after"] == "1")
            #expect(try await api.call("GET", "/mail/events").status == 401)
            #expect(try await api.call("GET", "/mail/events", bearer: APIFixture.operatorToken).status == 401)
        }
        #expect(try await fixture.stores.users().count == 2, "asking makes no store")
    }

    @Test(.timeLimit(.minutes(1))) func filtersSkipAndGoOn() async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 4)
        try await fixture.receive("ada", 2, inbox: "work")
        try await fixture.run { (api: API) async throws in
            let log = try await fixture.log(of: "ada")
            let work = try await api.events("ada", "inbox_id=work&provider=google")
            #expect(work.lines == log.filter { $0.contains(#""inbox_id":"work""#) } && work.lines.count == 3)
            let none = try await api.events("ada", "inbox_id=other")
            #expect(none.lines.isEmpty && none.headers["x-next-after"] == "\(log.count)")
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("after", "-1"), ("after", "x"), ("after", ""), ("after", "9223372036854775808"), ("limit", "0"),
            ("limit", "1001"), ("wait", "61"), ("wait", "1.5"), ("inbox_id", ""), ("provider", "aol"), ("limt", "5"),
        ])
    func badParametersAreNamed(name: String, value: String) async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            let answer = try await api.events("ada", "\(name)=\(value)")
            #expect(answer.status == 422 && answer.isProblem && answer.string("field") == name)
            let twice = try await api.events("ada", "limit=1&limit=1")
            #expect(twice.status == 422 && twice.string("field") == "limit")
        }
    }

    /// Twenty events of nearly half a megabyte: an answer holds ten of them.
    @Test(.timeLimit(.minutes(1))) func anAnswerIsBoundedInBytes() async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 20, subject: String(repeating: "s", count: 400_000))
        try await fixture.run { (api: API) async throws in
            var lines: [String] = []
            var answers = 0
            var after = "0"
            while lines.count < 21 {
                let answer = try await api.events("ada", "after=\(after)&limit=1000")
                #expect(answer.body.count <= EventFeed.pageBytesMax + 1000)
                lines += answer.lines
                after = try #require(answer.headers["x-next-after"])
                answers += 1
            }
            #expect(try await fixture.log(of: "ada") == lines)
            #expect(answers == 2)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aWaitingRequestWakesAtTheCommit() async throws {
        let fixture = APIFixture()
        try await fixture.receive("ada", 2)
        try await fixture.run { (api: API) async throws in
            async let waiting = api.events("ada", "after=3&wait=60")
            try await eventually("the request waits") { fixture.events.waitingCount == 1 }
            // Somebody else's commit, and one that adds no event, do not end the wait.
            try await fixture.receive("bob", 1)
            fixture.events.committed(try UserID("ada"))
            try await fixture.receive("ada", 1, from: 2)
            let answer = try await waiting
            #expect(answer.lines == Array(try await fixture.log(of: "ada").dropFirst(3)))
            #expect(answer.lines.count == 1 && fixture.events.waitingCount == 0)
        }
    }

    @Test(.timeLimit(.minutes(1))) func theWaitEndsInTime() async throws {
        let time = ManualTime()
        let fixture = APIFixture(time: time)
        try await fixture.run { (api: API) async throws in
            async let waiting = api.events("ada", "wait=5")
            try await eventually("the request waits") { fixture.events.waitingCount == 1 }
            await time.waitForSleepers()
            time.advance(by: .seconds(5))
            let answer = try await waiting
            #expect(answer.status == 200 && answer.lines.isEmpty && answer.headers["x-next-after"] == "0")
        }
    }

    /// Each waiting request holds a connection.
    @Test(.timeLimit(.minutes(1))) func aUserWaitsInFewRequestsOnly() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<EventFeed.waitingPerUserMax {
                    group.addTask { try await api.events("ada", "wait=60").status }
                }
                try await eventually("they wait") { fixture.events.waitingCount == EventFeed.waitingPerUserMax }
                let refused = try await api.events("ada", "wait=60")
                #expect(refused.status == 429 && refused.isProblem && refused.headers["retry-after"] == "1")
                #expect(try await api.events("ada").status == 200)
                try await fixture.receive("ada", 1)
                for try await status in group { #expect(status == 200) }
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func theEndOfTheServiceAnswersWhoWaits() async throws {
        let fixture = APIFixture()
        let server = try fixture.server()
        let group = ServiceGroup(configuration: .init(services: [server], logger: .silent))
        let serving = Task { try await group.run() }
        let api = API(port: try #require(await server.port()), fixture: fixture, server: server)
        async let waiting = api.events("ada", "wait=60")
        try await eventually("the request waits") { fixture.events.waitingCount == 1 }
        await group.triggerGracefulShutdown()
        #expect(try await waiting.status == 200)
        try await serving.value
    }
}

extension API {
    fileprivate func events(_ user: String, _ query: String = "") async throws -> RawClient.Answer {
        try await call("GET", "/mail/events" + (query.isEmpty ? "" : "?\(query)"), user: user)
    }
}

extension RawClient.Answer {
    fileprivate var lines: [String] { text.split(separator: "\n").map(String.init) }
}
