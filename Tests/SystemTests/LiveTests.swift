import Foundation
import MailModel
import MailTestSupport
import Testing

extension SystemTests {
    /// `GET /mail/live` of a running service.
    @Suite struct LiveTests {
        /// From the provider's mailbox to the client, with a pass at once. The best of five: the machine is shared.
        @Test(.timeLimit(.minutes(3))) func mailArrivesWithinASecond() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 20)
                let service = try await stage.serve(["SYNC_INTERVAL": "1h"])
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                let stream = try await service.live(of: user)
                _ = try await stream.next("status")
                var latencies: [Duration] = []
                for number in 0..<5 {
                    let start = ContinuousClock.now
                    let id = try user.receive(subject: "Now \(number)")
                    _ = try await service.client(of: user).post("/mail/sync", Data("{}".utf8))
                    let block = try await stream.next("email.received")
                    latencies.append(ContinuousClock.now - start)
                    #expect(block.json["provider_message_id"] as? String == id)
                    #expect(block.lastEventID == "\(block.json["seq"] as? Int ?? 0)")
                }
                #expect(try #require(latencies.min()) < .seconds(1), "\(latencies)")
                // An open stream does not hold up the end, and is told of it.
                #expect(await service.terminate(within: .seconds(10)) == .code(0))
                #expect(try await stream.rest().allSatisfy { !$0.isOfLog })
            }
        }

        /// The client reconnects like a browser, with the id of the last event it got.
        @Test(.timeLimit(.minutes(4)), arguments: [true, false])
        func nothingIsLostOverARestart(inOrder: Bool) async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 80)
                var service = try await stage.serve()
                let first = try await service.live(of: user)
                try await service.client(of: user).connect()
                var got = try await first.events(30)
                if inOrder { _ = await service.terminate() } else { await service.kill() }
                got += try await first.rest().filter(\.isOfLog).compactMap(\.data)
                try user.receive(subject: "Meanwhile")
                service = try await stage.serve()
                let second = try await service.live(of: user, lastEventID: await first.lastEventID)
                try await service.client(of: user).settle()
                let all = try await service.events(of: user, after: 0, limit: 1000).lines.map {
                    String(decoding: $0, as: UTF8.self)
                }
                // Some of the mailbox is out of scope.
                #expect(all.count > 60)
                got += try await second.events(all.count - got.count)
                #expect(got == all)
                #expect(await service.terminate() == .code(0))
            }
        }

        /// While a mailbox is read for the first time, the client sees how far it is.
        @Test(.timeLimit(.minutes(3))) func aBackfillShowsItsProgress() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 300)
                // Slow enough for a look or two: reading a message costs 20 units.
                let service = try await stage.serve(["GMAIL_UNITS_PER_MINUTE": "24000"])
                let stream = try await service.live(of: user)
                #expect(try await stream.next("status").accounts.isEmpty)
                try await service.client(of: user).connect()
                let progress = try await stream.next("progress")
                #expect(progress.json["kind"] as? String == "backfill" && progress.json["listed"] as? Int != nil)
                try await eventually("the account is seen to be live") {
                    let status = try await stream.next("status")
                    return status.accounts.first?["phase"] as? String == "live"
                }
                #expect(await service.terminate() == .code(0))
            }
        }
    }

    /// Every operation of a running service's `/openapi.json`, called rightly and wrongly.
    @Suite struct OpenAPIWalkTests {
        @Test(.timeLimit(.minutes(5))) func theServiceIsWhatItsDocumentSays() async throws {
            try await withStage { stage in
                // The document's examples are those of a user `u`.
                let user = try stage.makeUser("u", messages: 10)
                let cronSecret = "the cron secret of the walk, which is long"
                    .replacingOccurrences(of: " ", with: "-")
                let service = try await stage.serve([
                    "SYNC_INTERVAL": "1h", "OPERATOR_TOKEN": "the-operator-token-of-the-walk",
                    "CRON_SECRET": cronSecret, "PUBLIC_URL": "https://mailsync.example.com",
                ])
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                let document = try await service.get("/openapi.json", token: user.token)
                let walk = OpenAPIWalk(
                    try OpenAPIDescription(document.body), port: stage.httpPort,
                    credentials: [
                        "user": user.token, "operator": "the-operator-token-of-the-walk", "cron": cronSecret,
                    ],
                    state: {
                        let accounts = try await service.client(of: user).accounts()
                        let end = try await service.events(of: user, after: 0, limit: 1000).next
                        return "\(accounts.map { "\($0.status) \($0.stored)" }) \(end)"
                    })
                let report = try await walk.run()
                #expect(report.operations.count >= 15 && report.calls > 200)
                for fault in report.faults { Issue.record("\(fault)") }
                #expect(!report.refused.keys.contains { $0.contains(" /mail/") }, "\(report.refused)")
                #expect(try await service.answers(200, "/healthz"))
            }
        }
    }
}

extension MailsyncProcess {
    /// A live stream of the user's events.
    fileprivate func live(of user: MailUser, lastEventID: String? = nil) async throws -> EventStreamClient {
        var lines = ["GET /mail/live HTTP/1.1", "Host: localhost", "Authorization: Bearer \(user.token)"]
        if let lastEventID { lines.append("Last-Event-ID: \(lastEventID)") }
        let port = try #require(Int(baseURL.split(separator: ":").last ?? ""))
        return try await EventStreamClient(
            port: port, request: Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8))
    }
}
