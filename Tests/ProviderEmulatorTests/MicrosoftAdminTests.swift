import Foundation
import HTTPTransport
import Testing

@testable import ProviderEmulator

@Suite struct MicrosoftAdminTests {
    private let address = GraphFixture.address

    private func mailbox(
        _ fixture: GraphFixture, _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil
    ) async throws -> HTTPResponse {
        try await fixture.base.send(method, "/admin/microsoft/mailboxes/\(address)/\(path)", body: body)
    }

    @Test func aMailboxIsChangedFromOutside() async throws {
        try await GraphFixture.run { fixture in
            let raw = "Subject: hi\r\n\r\nx\r\n"
            let sent = try await mailbox(fixture, .post, "messages?folder=archive", raw)
            let id = try #require(sent.object()["id"] as? String)
            let changes =
                "{\"read\":true,\"flag\":\"flagged\",\"importance\":\"high\",\"categories\":[\"Blue\"]}"
            #expect(try await mailbox(fixture, .post, "messages/\(id)/set", changes).status == 204)
            let line = try await mailbox(fixture, .get, "truth").object()
            #expect(line["id"] as? String == id && line["folder"] as? String == "ARCHIVE")
            #expect(line["labels"] as? [String] == ["ARCHIVE", "Blue", "IMPORTANT", "STARRED"])
            #expect(try await mailbox(fixture, .get, "messages/\(id)").text == raw)
            let folder = try await mailbox(fixture, .post, "folders", "{\"name\":\"Work\",\"parent\":\"inbox\"}")
            let folderID = try #require(folder.object()["id"] as? String)
            let rename = try await mailbox(fixture, .patch, "folders/\(folderID)", "{\"name\":\"Job\"}")
            #expect(rename.status == 204)
            let move = try await mailbox(fixture, .post, "messages/\(id)/move", "{\"folder\":\"Inbox/Job\"}")
            #expect(move.status == 204)
            #expect(try await mailbox(fixture, .get, "truth").object()["folder"] as? String == "Inbox/Job")
            #expect(try await mailbox(fixture, .get, "folders").text.contains("\"path\":\"Inbox/Job\""))
            #expect(try await mailbox(fixture, .post, "messages/\(id)/trash").status == 204)
            #expect(try await mailbox(fixture, .delete, "messages/\(id)").status == 204)
            #expect(try await mailbox(fixture, .delete, "messages/\(id)").status == 404)
            #expect(try await mailbox(fixture, .delete, "folders/\(folderID)").status == 204)
            #expect(try await mailbox(fixture, .post, "messages/\(id)/set", "{\"flag\":\"x\"}").status == 400)
        }
    }

    @Test func mailboxesGrantsTokensAndFaults() async throws {
        try await GraphFixture.run { fixture in
            let base = fixture.base
            let made = try await base.send(
                .post, "/admin/microsoft/mailboxes", body: "{\"address\":\"bo@example.com\",\"messages\":30}")
            #expect(try made.object()["messages"] as? Int == 30)
            let list = try await base.send(.get, "/admin/microsoft/mailboxes").object()
            #expect(list["mailboxes"] as? [String] == ["bo@example.com", address])
            let grant = try await mailbox(fixture, .post, "grant").object()
            let token = try #require(grant["access_token"] as? String)
            #expect(try await fixture.get("/me", token: token).status == 200)
            let round = try await fixture.messagesRound("inbox")
            #expect(try await mailbox(fixture, .post, "expire-delta", "{\"folder\":\"inbox\"}").status == 204)
            #expect(try await fixture.get(round.deltaLink).status == 410)
            let fault = try await base.send(.post, "/admin/microsoft/faults", body: "delta graph-gone times=2")
            #expect(try fault.object()["fault"] as? Int == 1)
            #expect(try await base.send(.get, "/admin/microsoft/faults").text.contains("SyncStateNotFound"))
            #expect(try await base.send(.get, "/admin/faults").text.isEmpty)
            #expect(try await base.send(.delete, "/admin/microsoft/faults").status == 204)
            let random = try await base.send(
                .post, "/admin/microsoft/random-faults", body: "{\"rate\":0.5,\"seed\":9}")
            #expect(random.status == 204 && fixture.microsoft.faults.randomSeed == 9)
            #expect(try await base.send(.get, "/admin/microsoft/stats").text.contains("graph.messages.delta"))
            #expect(try await mailbox(fixture, .post, "expire-tokens").status == 204)
            #expect(try await mailbox(fixture, .post, "revoke").status == 204)
            #expect(try await fixture.refresh().status == 400)
            #expect(try await base.send(.get, "/admin/microsoft/nothing").status == 404)
        }
    }

    @Test func commandsDoWhatTheySay() async throws {
        try await GraphFixture.run { fixture in
            let microsoft = fixture.microsoft
            func run(_ line: String) throws -> String {
                try EmulatorCommand.parse(line).apply(to: microsoft, mailbox: address)
            }
            let id = String(try run("new Dinner?").split(separator: " ").last ?? "")
            #expect(try run("read last") == "\(id) read")
            #expect(try run("label \(id.dropLast(4).suffix(4)) +STARRED +Blue") == "\(id) labels changed")
            #expect(try run("ls").contains("Blue,INBOX,STARRED  Dinner?"))
            #expect(try run("mklabel Work").hasPrefix("folder AQMk"))
            #expect(try run("mklabel Work/Deep down").hasPrefix("folder AQMk"))
            #expect(try run("move last Work/Deep down") == "\(id) in Work/Deep down")
            #expect(try run("mvfolder Work=Job") == "Work is now Job")
            #expect(try microsoft.labels(ofMessage: id, in: address) == ["Blue", "Job/Deep down", "STARRED"])
            #expect(try run("trash last").hasSuffix("in deleteditems"))
            #expect(try run("untrash last").hasSuffix("in inbox"))
            #expect(try run("rmfolder Job") == "Job is gone")
            #expect(try run("fault me graph-503") == "fault 1 is armed")
            #expect(try await fixture.get("/me").status == 503)
            #expect(try run("stats").contains("graph.me 1"))
            #expect(try run("fault clear") == "no faults")
            #expect(try run("live 30").split(separator: "\n").count == 30)
            let round = try await fixture.messagesRound("inbox")
            _ = try run("expire-history")
            #expect(try await fixture.get(round.deltaLink).status == 410)
            _ = try run("expire-tokens")
            #expect(try await fixture.get("/me").status == 401)
            _ = try run("revoke")
            #expect(try await fixture.refresh().status == 400)
            #expect(throws: EmulatorError.self) { try run("delete zzz") }
            let answer = try await mailbox(fixture, .post, "command", "new Over HTTP")
            #expect(answer.text.hasPrefix("new message "))
            let live = try await mailbox(fixture, .post, "live", "{\"steps\":20,\"seed\":3}")
            #expect(live.text.split(separator: "\n").count == 20)
            let google = try EmulatorCommand.parse("move last archive")
            #expect(throws: EmulatorError.unsupported("folders")) {
                try google.apply(to: fixture.base.google, mailbox: EmulatorFixture.address)
            }
        }
    }

    @Test(arguments: [
        ("move 7 Inbox/My folder", EmulatorCommand.move(id: "7", folder: "Inbox/My folder")),
        ("rmfolder A b", .deleteFolder(path: "A b")), ("mvfolder A/b=C d", .renameFolder(path: "A/b", name: "C d")),
        ("fault delta repeat", .fault(Fault(.graph(.messagesDelta), .page(.repeatItems)))),
        (
            "fault delta foreign:http://192.0.2.1 match=skiptoken",
            .fault(Fault(.graph(.messagesDelta), match: "skiptoken", .page(.foreignLink("http://192.0.2.1"))))
        ),
        ("fault graph cut:9 times=ever", .fault(Fault(.anyGraph, times: nil, .cut(bytes: 9)))),
        ("fault token ms-interaction", .fault(Fault(.token, .microsoftError(.interactionRequired)))),
    ])
    func linesAreUnderstood(_ line: String, _ command: EmulatorCommand) throws {
        #expect(try EmulatorCommand.parse(line) == command)
    }

    @Test(arguments: ["move 7", "rmfolder", "mvfolder", "mvfolder A", "fault delta graph-nonsense"])
    func otherLinesAreNot(_ line: String) {
        #expect(throws: EmulatorCommand.Invalid.self) { try EmulatorCommand.parse(line) }
    }

    @Test func theSameSeedLivesTheSameLife() async throws {
        func live() async throws -> [String] {
            var changes: [String] = []
            try await GraphFixture.run { fixture in
                var activity = MailboxActivity(address: address, seed: 21)
                for _ in 0..<300 { changes.append(try activity.step(fixture.microsoft).description) }
            }
            return changes
        }
        let first = try await live()
        #expect(try await live() == first)
        for kind in ["new ", "label ", "move ", "trash ", "delete ", "folder "] {
            #expect(first.contains { $0.hasPrefix(kind) }, "seed 21 has no \(kind)")
        }
    }
}

@Suite struct ItemIDTests {
    @Test func idsLeadBackToWhatTheyName() {
        let salt: UInt64 = 0x0123_4567_89ab_cdef
        for key in [0, 1, 2, 3, 4095, 1 << 30] {
            for kind in [ItemID.Kind.folder, .immutable, .mutable(generation: 0), .mutable(generation: 77)] {
                let item = ItemID(key: key, kind: kind)
                #expect(ItemID(item.text(salt: salt), salt: salt) == item)
                #expect(ItemID(item.text(salt: salt), salt: salt &+ 1 << 50) == nil)
            }
        }
        for text in ["", "AAA=", "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AAAA=", "nonsense"] {
            #expect(ItemID(text, salt: salt) == nil)
        }
    }

    @Test func neighboursDifferInCaseOnly() {
        let even = ItemID(key: 8, kind: .immutable).text(salt: 5)
        let odd = ItemID(key: 9, kind: .immutable).text(salt: 5)
        #expect(even != odd && even.lowercased() == odd.lowercased())
    }
}
