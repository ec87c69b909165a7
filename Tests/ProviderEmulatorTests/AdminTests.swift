import Foundation
import HTTPTransport
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite struct AdminTests {
    private let address = EmulatorFixture.address

    private func mailbox(
        _ fixture: EmulatorFixture, _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil
    ) async throws -> HTTPResponse {
        try await fixture.send(method, "/admin/mailboxes/\(address)/\(path)", body: body)
    }

    @Test func aMailboxIsChangedFromOutside() async throws {
        try await EmulatorFixture.run { fixture in
            let sent = try await mailbox(fixture, .post, "messages?labels=INBOX", "Subject: hi\r\n\r\nx\r\n")
            let id = try #require(sent.object()["id"] as? String)
            #expect(try await mailbox(fixture, .post, "messages/\(id)/modify", "{\"add\":[\"STARRED\"]}").status == 204)
            let line = try await mailbox(fixture, .get, "truth").object()
            #expect(line["id"] as? String == id)
            #expect(line["labels"] as? [String] == ["INBOX", "STARRED"])
            #expect(line.keys.sorted() == ["history_id", "id", "internal_date", "labels", "sha256", "thread_id"])
            #expect(try await mailbox(fixture, .get, "messages/\(id)").text == "Subject: hi\r\n\r\nx\r\n")
            #expect(try await mailbox(fixture, .post, "messages/\(id)/trash").status == 204)
            #expect(try await mailbox(fixture, .post, "messages/\(id)/untrash").status == 204)
            #expect(try await mailbox(fixture, .delete, "messages/\(id)").status == 204)
            #expect(try await mailbox(fixture, .delete, "messages/\(id)").status == 404)
            #expect(try await mailbox(fixture, .get, "truth").body.isEmpty)
        }
    }

    @Test func mailboxesGrantsAndTokens() async throws {
        try await EmulatorFixture.run { fixture in
            let made = try await fixture.send(
                .post, "/admin/mailboxes", body: "{\"address\":\"bob@example.net\",\"messages\":30,\"seed\":4}")
            #expect(try made.object()["messages"] as? Int == 30)
            let again = try await fixture.send(.post, "/admin/mailboxes", body: "{\"address\":\"BOB@example.net\"}")
            #expect(again.status == 409)
            let list = try await fixture.send(.get, "/admin/mailboxes").object()
            #expect(list["mailboxes"] as? [String] == [address, "bob@example.net"])
            let grant = try await fixture.send(.post, "/admin/mailboxes/bob@example.net/grant").object()
            let token = try #require(grant["access_token"] as? String)
            let profile = try await fixture.gmail("profile", token: token).object()
            #expect(profile["messagesTotal"] as? Int == 30)
            let jwt = try await fixture.send(.post, "/admin/jwt", body: "{\"sub\":\"u1\"}").object()
            #expect((jwt["token"] as? String)?.split(separator: ".").count == 3)
            #expect(try await fixture.send(.post, "/admin/mailboxes/bob@example.net/revoke").status == 204)
            #expect(try await fixture.gmail("profile", token: token).status == 401)
        }
    }

    @Test func labelsHistoryAndFaults() async throws {
        try await EmulatorFixture.run { fixture in
            let label = try await mailbox(fixture, .post, "labels", "{\"name\":\"Work\"}").object()["id"] as? String
            let id = try #require(label)
            #expect(try await mailbox(fixture, .patch, "labels/\(id)", "{\"name\":\"Job\"}").status == 200)
            #expect(try fixture.google.labels(of: address).last?.name == "Job")
            #expect(try await mailbox(fixture, .delete, "labels/\(id)").status == 204)
            let start = try fixture.google.historyID(of: address)
            #expect(try await mailbox(fixture, .post, "expire-history").status == 204)
            #expect(try await fixture.gmail("history?startHistoryId=\(start)").status == 404)
            #expect(try await mailbox(fixture, .post, "expire-pages").status == 204)
            let fault = try await fixture.send(.post, "/admin/faults", body: "profile 503 times=2").object()
            #expect(fault["fault"] as? Int == 1)
            #expect(try await fixture.send(.get, "/admin/faults").text.contains("503"))
            #expect(try await fixture.gmail("profile").status == 503)
            #expect(try await fixture.send(.delete, "/admin/faults/1").status == 204)
            #expect(try await fixture.gmail("profile").status == 200)
            #expect(
                try await fixture.send(.post, "/admin/random-faults", body: "{\"rate\":1,\"seed\":9}").status == 204)
            let stats = try await fixture.send(.get, "/admin/stats").text
            #expect(stats.contains("gmail.users.getProfile 2"))
            #expect(stats.contains("random faults with seed 9"))
        }
    }

    @Test func liveActivityAndCommands() async throws {
        try await EmulatorFixture.run { fixture in
            let live = try await mailbox(fixture, .post, "live", "{\"steps\":20,\"seed\":3}")
            #expect(live.text.split(separator: "\n").count == 20)
            let answer = try await mailbox(fixture, .post, "command", "new Hello there")
            #expect(answer.text.hasPrefix("new message "))
            #expect(try await mailbox(fixture, .post, "command", "nonsense").status == 400)
        }
    }

    @Test(arguments: [
        ("POST", "/admin/mailboxes", "{}"), ("POST", "/admin/mailboxes", "not json"), ("POST", "/admin/jwt", "{}"),
        ("POST", "/admin/faults", "nope 500"), ("POST", "/admin/faults", "profile"),
        ("POST", "/admin/random-faults", "{\"rate\":7,\"seed\":1}"), ("GET", "/admin/nothing", ""),
        ("GET", "/admin/mailboxes/nobody@x/truth", ""), ("POST", "/admin/mailboxes/ann@example.net/messages", ""),
        ("POST", "/admin/mailboxes", "{\"address\":\"z@x\",\"mbox\":\"/nowhere.mbox\"}"),
    ])
    func badRequestsAreRefusedWithAReason(_ method: String, _ path: String, _ body: String) async throws {
        try await EmulatorFixture.run { fixture in
            let verb = try #require(HTTPRequest.Method(rawValue: method))
            let response = try await fixture.send(verb, path, body: body.isEmpty ? nil : body)
            #expect((400..<500).contains(response.status))
            #expect(!response.body.isEmpty)
        }
    }

    @Test func unknownPathsLookLikeGooglesFrontEnd() async throws {
        try await EmulatorFixture.run { fixture in
            for path in ["/", "/gmail", "/gmail/v1/users/me/nothing", "/gmail/v1/users/me/messages/1/2/3", "/oauth/x"] {
                let response = try await fixture.send(.get, path)
                #expect(response.status == 404, "\(path)")
                #expect(response.header("content-type")?.hasPrefix("text/html") == true)
            }
        }
    }
}

@Suite struct EmulatorCommandTests {
    @Test(arguments: [
        ("new", EmulatorCommand.new(subject: "Hello from the emulator")), ("new a b", .new(subject: "a b")),
        ("  read  17 ", .read(id: "17")), ("trash last", .trash(id: "last")), ("untrash 1", .untrash(id: "1")),
        ("delete 1", .delete(id: "1")), ("label 1 +A -B +C", .label(id: "1", add: ["A", "C"], remove: ["B"])),
        ("mklabel My label", .createLabel(name: "My label")), ("live 5", .live(steps: 5)), ("live", .live(steps: 1)),
        ("ls", .list(count: 10)), ("fault clear", .clearFaults), ("expire-history", .expireHistory),
        ("expire-tokens", .expireTokens), ("revoke", .revoke), ("stats", .stats), ("help", .help),
        (
            "fault get user-quota match=17 times=ever skip=2",
            .fault(Fault(.gmail(.messagesGet), match: "17", skip: 2, times: nil, .error(.perUserQuota)))
        ),
        ("fault token invalid-grant", .fault(Fault(.token, .oauthError(.invalidGrant)))),
        (
            "fault batch drip:10:50 mailbox=a@b",
            .fault(Fault(.batch, mailbox: "a@b", .drip(bytes: 10, every: .milliseconds(50))))
        ),
        ("fault gmail truncate:5 times=3", .fault(Fault(.anyGmail, times: 3, .truncate(bytes: 5)))),
        (
            "fault list retry-after:2026-01-21T12:57:51.196Z",
            .fault(Fault(.gmail(.messagesList), .error(.userRateRetryAfter("2026-01-21T12:57:51.196Z"))))
        ),
    ])
    func linesAreUnderstood(_ line: String, _ command: EmulatorCommand) throws {
        #expect(try EmulatorCommand.parse(line) == command)
    }

    @Test(arguments: [
        "", "   ", "nope", "read", "read 1 2", "label 1", "label 1 STARRED", "label 1 +", "live 0", "live x",
        "mklabel", "fault", "fault get", "fault nope 500", "fault get nope", "fault get 500 times=0",
        "fault get 500 what", "fault get 99", "fault get delay:-1", "fault get drip:5",
    ])
    func otherLinesAreNot(_ line: String) {
        #expect(throws: EmulatorCommand.Invalid.self) { try EmulatorCommand.parse(line) }
    }

    @Test func commandsDoWhatTheySay() async throws {
        try await EmulatorFixture.run { fixture in
            let google = fixture.google
            let address = EmulatorFixture.address
            func run(_ line: String) throws -> String {
                try EmulatorCommand.parse(line).apply(to: google, mailbox: address)
            }
            let id = String(try run("new Dinner?").split(separator: " ").last ?? "")
            #expect(try run("read last") == "\(id) read")
            #expect(try run("label \(id.suffix(5)) +STARRED") == "\(id) labels changed")
            #expect(try run("ls").contains("INBOX,STARRED  Dinner?"))
            #expect(try google.labels(ofMessage: id, in: address) == ["INBOX", "STARRED"])
            #expect(try run("trash last").hasSuffix("in the trash"))
            #expect(try run("untrash last").hasSuffix("out of the trash"))
            #expect(try run("mklabel Work").hasPrefix("label Label_"))
            #expect(try run("fault profile 503") == "fault 1 is armed")
            #expect(try await fixture.gmail("profile").status == 503)
            #expect(try run("stats").contains("gmail.users.getProfile 1"))
            #expect(try run("fault clear") == "no faults")
            #expect(try run("live 3").split(separator: "\n").count == 3)
            #expect(try run("help").contains("expire-history"))
            #expect(throws: EmulatorError.noMessage("zzz")) { try run("delete zzz") }
            let start = try google.historyID(of: address)
            _ = try run("expire-history")
            #expect(try await fixture.gmail("history?startHistoryId=\(start)").status == 404)
            _ = try run("expire-tokens")
            #expect(try await fixture.gmail("profile").status == 401)
            _ = try run("revoke")
            #expect(try await fixture.refresh().status == 400)
        }
    }
}

@Suite struct MailboxActivityTests {
    @Test func theSameSeedLivesTheSameLife() async throws {
        func live() async throws -> [String] {
            var changes: [String] = []
            try await EmulatorFixture.run { fixture in
                var activity = MailboxActivity(address: EmulatorFixture.address, seed: 21)
                for _ in 0..<200 { changes.append(try activity.step(fixture.google).description) }
            }
            return changes
        }
        let first = try await live()
        #expect(try await live() == first)
        for kind in ["new ", "label ", "trash ", "delete "] {
            #expect(first.contains { $0.hasPrefix(kind) }, "seed 21 has no \(kind)")
        }
    }

    @Test func historyTellsTheWholeStory() async throws {
        try await EmulatorFixture.run { fixture in
            let address = EmulatorFixture.address
            let start = try fixture.google.historyID(of: address)
            var activity = MailboxActivity(address: address, seed: 22)
            for _ in 0..<300 { _ = try activity.step(fixture.google) }
            var labels: [String: Set<String>] = [:]
            var token: String?
            repeat {
                let more = token.map { "&pageToken=\($0)" } ?? ""
                let page = try await fixture.object("history?startHistoryId=\(start)&maxResults=50\(more)")
                for record in page["history"] as? [[String: Any]] ?? [] { Self.apply(record, to: &labels) }
                token = page["nextPageToken"] as? String
            } while token != nil
            let truth = try fixture.google.snapshot(address).mapValues { Set($0.labels) }
            #expect(labels == truth, "seed 22")
        }
    }

    /// What a client would make of a record.
    private static func apply(_ record: [String: Any], to labels: inout [String: Set<String>]) {
        func entries(_ kind: String) -> [(id: String, shown: Set<String>, changed: Set<String>)] {
            (record[kind] as? [[String: Any]] ?? []).compactMap { entry in
                guard let message = entry["message"] as? [String: Any], let id = message["id"] as? String else {
                    return nil
                }
                return (
                    id, Set(message["labelIds"] as? [String] ?? []), Set(entry["labelIds"] as? [String] ?? [])
                )
            }
        }
        for entry in entries("messagesAdded") { labels[entry.id] = entry.shown }
        for entry in entries("labelsAdded") { labels[entry.id]?.formUnion(entry.changed) }
        for entry in entries("labelsRemoved") { labels[entry.id]?.subtract(entry.changed) }
        for entry in entries("messagesDeleted") { labels[entry.id] = nil }
    }
}
