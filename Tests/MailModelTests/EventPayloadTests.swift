import Foundation
import MailModel
import Testing

@Suite struct EventPayloadTests {
    private func event(_ body: MailEvent.Body, origin: EventOrigin = .backfill) throws -> MailEvent {
        MailEvent(
            id: "uuid", seq: 4711, recordedAt: 1_699_999_999,
            account: AccountKey(user: try UserID("user_abc123"), provider: .google, inbox: .primary), origin: origin,
            body: body)
    }

    private func message() -> MessageMeta {
        MessageMeta(
            id: "18c1234567890abcd", threadID: "18c1234567890abce", date: 1_699_999_990, subject: "Hello World",
            sender: "sender@example.com", to: ["recipient@example.com"], snippet: "This is a preview…",
            headers: .init(first: [
                .init(name: "From", value: "sender@example.com"), .init(name: "To", value: "recipient@example.com"),
                .init(name: "Subject", value: "Hello World"),
            ]),
            labels: ["INBOX", "UNREAD"], version: 7)
    }

    private func text(_ event: MailEvent) -> String { String(decoding: event.payload(), as: UTF8.self) }

    private let head = #""ts":1699999999,"provider":"GOOGLE","inbox_id":"primary","user_id":"user_abc123","#
    private let ids = #""provider_message_id":"m","provider_thread_id":"t""#

    @Test func receivedIsAsDocumented() throws {
        let event = try event(.received(message()))
        #expect(
            text(event) == """
                {"event_id":"uuid","ts":1699999999,"msg_date":1699999990,"provider":"GOOGLE","inbox_id":"primary",\
                "user_id":"user_abc123","provider_message_id":"18c1234567890abcd",\
                "provider_thread_id":"18c1234567890abce","subject":"Hello World","sender":"sender@example.com",\
                "to_addrs":["recipient@example.com"],"cc_addrs":[],"bcc_addrs":[],"snippet":"This is a preview…",\
                "headers":{"From":"sender@example.com","To":"recipient@example.com","Subject":"Hello World"},\
                "labels":["INBOX","UNREAD"],"schema":1,"seq":4711,"origin":"backfill"}
                """)
        #expect(event.type == "email.received")
        #expect(event.subject == "user.user_abc123.email.received")
    }

    @Test func repeatedHeadersHaveTheirOwnField() throws {
        var message = message()
        message.headers.repeated = [.init(name: "Received", values: ["b", "c"])]
        let payload = text(try event(.received(message)))
        #expect(payload.contains(#"},"headers_repeated":{"Received":["b","c"]},"labels":"#))
    }

    @Test func updatedAndDeletedAreAsDocumented() throws {
        var update = LabelUpdate(
            id: "m", threadID: "t", labels: ["A", "B"], added: ["B"], removed: ["C"], restored: false)
        let labels = #""labels":["A","B"],"labels_added":["B"],"labels_removed":["C"]"#
        let tail = #""schema":1,"seq":4711,"origin":"repair"}"#
        #expect(
            text(try event(.updated(update), origin: .repair))
                == #"{"event_id":"uuid",\#(head)\#(ids),\#(labels),\#(tail)"#)
        update.restored = true
        #expect(
            text(try event(.updated(update), origin: .repair))
                == #"{"event_id":"uuid",\#(head)\#(ids),\#(labels),"restored":true,\#(tail)"#)
        #expect(
            text(try event(.deleted(id: "m", threadID: "t"), origin: .repair))
                == #"{"event_id":"uuid",\#(head)\#(ids),\#(tail)"#)
    }

    @Test(arguments: [
        (AccountEvent.connected(mailbox: "a@b.c"), "connected", #""mailbox":"a@b.c","#),
        (.disconnected, "disconnected", ""),
        (.reauthRequired(reason: "revoked"), "reauth_required", #""reason":"revoked","#),
        (
            .labels([.init(id: "L1", name: "Work", type: "user")]), "labels",
            #""labels":[{"id":"L1","name":"Work","type":"user"}],"#
        ),
    ])
    func accountEvents(fact: AccountEvent, kind: String, fields: String) throws {
        let event = try event(.account(fact), origin: .incremental)
        #expect(
            text(event) == #"{"event_id":"uuid",\#(head)\#(fields)"schema":1,"seq":4711,"origin":"incremental"}"#)
        #expect(event.type == "account.\(kind)")
    }

    // MARK: - The size limit

    private func parsed(_ payload: [UInt8]) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(payload)) as? [String: Any])
    }

    private func cut(_ message: MessageMeta) throws -> [String: Any] {
        let event = try event(.received(message))
        let payload = event.payload()
        #expect(payload == event.payload())
        #expect(payload.count <= EventPayload.bytesMax)
        let json = try parsed(payload)
        #expect(json["truncated"] as? Bool == true)
        return json
    }

    private static let big = String(repeating: "é", count: 270_000)

    @Test func aPayloadOfExactlyTheLimitIsNotCut() throws {
        var message = message()
        let room = EventPayload.bytesMax - (try event(.received(message)).payload().count)
        message.snippet += String(repeating: "x", count: room)
        let payload = try event(.received(message)).payload()
        #expect(payload.count == EventPayload.bytesMax)
        #expect(try parsed(payload)["truncated"] == nil)
        message.snippet += "x"
        #expect(try cut(message)["snippet"] as? String == String(message.snippet.utf8.prefix(4096)))
    }

    @Test func repeatedHeadersGoFirst() throws {
        var message = message()
        message.headers.repeated = [.init(name: "Received", values: [Self.big])]
        let json = try cut(message)
        #expect(json["headers_repeated"] == nil)
        #expect((json["headers"] as? [String: String])?["Subject"] == "Hello World")
    }

    @Test func longHeadersAreCutNext() throws {
        var message = message()
        message.headers.first[0].value = "x" + Self.big
        let headers = try #require(try cut(message)["headers"] as? [String: String])
        #expect(headers["From"] == "x" + String(repeating: "é", count: 2047))
        #expect(headers["Subject"] == "Hello World")
    }

    @Test func longListsAndTextsAreCutLast() throws {
        var message = message()
        message.to = (0..<30_000).map { "address\($0)@example.com" }
        message.subject = Self.big
        let json = try cut(message)
        #expect((json["to_addrs"] as? [String])?.count == 1000)
        #expect((json["subject"] as? String)?.utf8.count == 4096)
        #expect((json["headers"] as? [String: String]) == [:])
    }

    @Test func theLastCutAlwaysFits() throws {
        let worst = String(repeating: "\0", count: 400)
        let list = Array(repeating: worst, count: 120)
        var message = message()
        (message.to, message.cc, message.bcc, message.labels) = (list, list, list, list)
        (message.subject, message.sender, message.snippet) = (worst, worst, worst)
        #expect((try cut(message)["bcc_addrs"] as? [String])?.count == 40)
        let update = LabelUpdate(id: "m", threadID: "t", labels: list, added: list, removed: list, restored: true)
        let labels = AccountEvent.labels(list.map { MailLabel(id: $0, name: $0, type: $0) })
        for body in [MailEvent.Body.updated(update), .account(labels), .account(.reauthRequired(reason: Self.big))] {
            let payload = try event(body).payload()
            #expect(payload.count <= EventPayload.bytesMax)
            #expect(try parsed(payload)["truncated"] as? Bool == true)
        }
    }

    @Test func cuttingNeverSplitsACharacter() {
        let text = "aé漢😀"
        let cuts = (0...11).map { text.cut(toBytes: $0) }
        #expect(cuts == ["", "a", "a", "aé", "aé", "aé", "aé漢", "aé漢", "aé漢", "aé漢", text, text])
    }
}
