import EventAudit
import MailModel
import Testing

@Suite struct EventAuditTests {
    private let account: AccountKey
    private var events: [MailEvent] = []

    init() throws {
        account = AccountKey(user: try UserID("u1"), provider: .google, inbox: .primary)
        let bodies: [MailEvent.Body] = [
            .account(.connected(mailbox: "a@example.com")),
            .received(MessageMeta(id: "m1", threadID: "t1", date: 10, labels: ["INBOX", "UNREAD"])),
            .received(MessageMeta(id: "m2", threadID: "t2", date: 20, labels: ["INBOX"])),
            .updated(
                LabelUpdate(
                    id: "m1", threadID: "t1", labels: ["INBOX"], added: [], removed: ["UNREAD"], restored: false)),
            .deleted(id: "m2", threadID: "t2"),
            .account(.labels([MailLabel(id: "INBOX", name: "INBOX", type: "system")])),
        ]
        for (index, body) in bodies.enumerated() {
            events.append(
                MailEvent(
                    id: "e\(index + 1)", seq: Int64(index + 1), recordedAt: 100, account: account, origin: .incremental,
                    body: body))
        }
    }

    private let provider = [
        ProviderMessage(id: "m1", threadID: "t1", date: 10, labels: ["INBOX"], inScope: true),
        ProviderMessage(id: "spam", threadID: "t9", date: 10, labels: ["SPAM"], inScope: false),
    ]

    private func audit(_ events: [MailEvent], provider: [ProviderMessage]? = nil) -> AuditReport {
        var audit = EventAudit()
        for event in events {
            audit.take(StreamMessage(subject: event.subject, id: event.id, payload: event.payload()))
        }
        return audit.report(
            provider: provider ?? self.provider,
            stored: self.events.map { StoredEvent(id: $0.id, payload: $0.payload()) })
    }

    @Test func agreementHasNoFindings() {
        let report = audit(events)
        #expect(report.findings == [])
        #expect(report.agrees && report.received == 2)
    }

    @Test func aLostEventIsFound() {
        let report = audit(events.filter { $0.id != "e2" })
        #expect(report.missing == ["m1"])
        #expect(report.unpublished == ["e2"])
        #expect(!report.outOfOrder.isEmpty && !report.agrees)
    }

    @Test func aRepeatedEventIsFoundUnderItsOwnIDAndUnderAnother() {
        #expect(audit(events + [events[1]]).duplicates == ["e2"])
        var again = events[1]
        again.id = "other"
        again.seq = 7
        let report = audit(events + [again])
        #expect(report.duplicates == ["m1"])
        #expect(report.unexpected == ["other"])
    }

    @Test func reorderingIsFound() {
        #expect(audit([events[1], events[0]] + events[2...]).outOfOrder == ["seq 2 after 0", "seq 1 after 2"])
    }

    @Test func staleLabelsAndGhostsAreFound() {
        #expect(audit(events.filter { $0.id != "e4" }).different.contains { $0.hasPrefix("m1: labels") })
        #expect(audit(events.filter { $0.id != "e5" }).different.contains { $0.contains("not at the provider") })
    }

    @Test func changedContentIsFound() {
        var changed = events
        changed[1].recordedAt = 999
        #expect(audit(changed).different == ["event e2: other content in the stream"])
    }

    @Test func garbageAndAWrongMessageIDAreFound() {
        var audit = EventAudit()
        audit.take(StreamMessage(subject: "user.u1.email.received", id: "x", payload: Array("{".utf8)))
        audit.take(StreamMessage(subject: events[0].subject, id: "wrong", payload: events[0].payload()))
        audit.take(StreamMessage(subject: events[0].subject, id: events[0].id, payload: events[0].payload()))
        let report = audit.report(provider: [], stored: [])
        #expect(report.malformed == ["x", "wrong"])
        #expect(report.duplicates == ["e1"], "the same event under two message ids")
    }
}
