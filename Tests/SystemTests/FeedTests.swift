import Foundation
import HTTPTransport
import MailModel
import MailTestSupport
import Testing

extension SystemTests {
    /// `GET /mail/events` of a running service, held against the stream.
    @Suite struct FeedTests {
        @Test(.timeLimit(.minutes(3))) func theFeedIsTheStreamAndWakesWhoWaits() async throws {
            try await withStage { stage in
                let (ada, bob) = (try stage.makeUser(messages: 60), try stage.makeUser("bob", messages: 5))
                let service = try await stage.serve(["SYNC_INTERVAL": "1h"])
                for user in [ada, bob] {
                    try await service.client(of: user).connect()
                    try await service.client(of: user).settle()
                }
                let live = try await stage.stream("MAIL_EVENTS", ["user.>"])
                let stream = try await stage.messages(of: "MAIL_EVENTS", through: live.streamState().lastSequence)
                let mine = stream.filter { $0.subject.hasPrefix("user.ada.") }.map(\.payload)
                var lines: [[UInt8]] = []
                var page = try await service.events(of: ada, after: 0, limit: 25)
                while !page.lines.isEmpty {
                    #expect(page.lines.count <= 25)
                    lines += page.lines
                    page = try await service.events(of: ada, after: page.next, limit: 25)
                }
                #expect(lines == mine)

                let end = page.next
                async let waiting = service.events(of: ada, after: end, limit: 10, wait: 60)
                let id = try ada.receive(subject: "Now")
                _ = try await service.client(of: ada).post("/mail/sync", Data("{}".utf8))
                let arrived = try await waiting
                #expect(arrived.next == end + 1)
                #expect(arrived.lines.first.map { String(decoding: $0, as: UTF8.self).contains(id) } == true)
                #expect(await service.terminate() == .code(0))
                await live.close()
            }
        }

        /// A request that waits does not hold up the end.
        @Test(.timeLimit(.minutes(2))) func sigtermAnswersWhoWaits() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 5)
                let service = try await stage.serve(["SHUTDOWN_TIMEOUT": "5s", "SYNC_INTERVAL": "1h"])
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                let end = try await service.events(of: user, after: 0, limit: 1000).next
                async let waiting = service.events(of: user, after: end, limit: 10, wait: 60)
                // The request is under way when a later one of the same user was answered.
                _ = try await service.events(of: user, after: end, limit: 10)
                #expect(await service.terminate(within: .seconds(5)) == .code(0))
                // Answered, or cut before it was read: not after a minute.
                _ = try? await waiting
            }
        }
    }
}

extension MailsyncProcess {
    /// A page of the user's events.
    func events(
        of user: MailUser, after seq: Int, limit: Int, wait: Int = 0
    ) async throws -> (lines: [[UInt8]], next: Int) {
        let path = "/mail/events?after=\(seq)&limit=\(limit)&wait=\(wait)"
        let answer = try await transport.send(
            HTTPRequest(
                .get, baseURL + path, headers: [(name: "Authorization", value: "Bearer \(user.token)")],
                timeout: .seconds(70)))
        guard answer.status == 200, let next = answer.header("x-next-after").flatMap(Int.init) else {
            throw UserClient.Refused(description: "GET \(path): \(answer.status)")
        }
        return (answer.body.split(separator: UInt8(ascii: "\n")).map(Array.init), next)
    }
}
