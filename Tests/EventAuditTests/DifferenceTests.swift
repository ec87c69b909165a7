import EventAudit
import MailModel
import MailStore
import Testing

/// Each kind of difference is found, and nothing else is.
@Suite struct DifferenceTests {
    private let account: AccountKey

    init() throws { account = AccountKey(user: try UserID("u1"), provider: .google, inbox: .primary) }

    private func id(_ message: String, _ type: String, _ revision: Int64, generation: Int64 = 0) -> String {
        EventID.make(
            generation: generation, account: account, message: message, type: type, revision: revision)
    }

    // MARK: the log

    private func stamps(_ sequences: Int64...) -> [EventStamp] {
        sequences.map { EventStamp(seq: $0, recordedAt: 100, account: account) }
    }

    @Test func numbersWithoutHolesAgree() {
        var audit = LogAudit(generation: 0, erased: [3...4])
        #expect(audit.take(stamps(1, 2)).isEmpty && audit.take(stamps(5, 6)).isEmpty)
        #expect(audit.end(lastSeq: 6).isEmpty)
        #expect(audit.events == 4 && !audit.isCutOff)
    }

    @Test func holesAndRepeatsAreFound() {
        var audit = LogAudit(generation: 0, erased: [3...4, 20...29])
        #expect(audit.take(stamps(1, 2, 2)).map(\.kind) == [.sequenceRepeated])
        let holes = audit.take(stamps(8))
        #expect(holes.map(\.seq) == [5] && holes[0].detail.contains("3 events up to 7"))
        #expect(audit.end(lastSeq: 31).map(\.seq) == [9, 30])
    }

    @Test func aLogThatWasRebuiltMayBeginLater() {
        var audit = LogAudit(generation: 0, erased: [])
        #expect(audit.take(stamps(500, 501)).isEmpty && audit.isCutOff && audit.first == 500)
        let event = AccountEventRecord(seq: 501, account: account, eventID: "anything", type: "account.labels")
        #expect(audit.take([event]).isEmpty)
    }

    @Test func erasuresAreNumberedFromTheirOwnBeginning() {
        var audit = LogAudit(generation: 2, erased: [])
        let events = [(1, 0), (1, 1), (2, 0)].enumerated().map { index, part in
            AccountEventRecord(
                seq: Int64(index + 1), account: account,
                eventID: id("", "account.erased", Int64(part.1), generation: Int64(part.0)), type: "account.erased")
        }
        #expect(audit.take(events).isEmpty)
    }

    private func record() -> MessageRecord {
        MessageRecord(
            seq: 2, account: account, id: "m", eventID: id("m", "email.received", 0), labels: #"["INBOX"]"#,
            changes: [
                .init(seq: 3, eventID: id("m", "email.updated", 1), type: "email.updated", labels: "[]"),
                .init(seq: 4, eventID: id("m", "email.deleted", 2), type: "email.deleted", labels: nil),
            ],
            state: .init(revision: 3, isPresent: false, labels: "[]"))
    }

    @Test func aMessageThatAgreesIsNoDifference() {
        var audit = LogAudit(generation: 2, erased: [])
        var other = record()
        // Made before and after an erase of another inbox.
        other.changes[1].eventID = id("m", "email.deleted", 2, generation: 1)
        #expect(audit.take([record(), other]).isEmpty)
        #expect(audit.messages == 2)
    }

    @Test func eventIDsAreMadeAnew() {
        var audit = LogAudit(generation: 0, erased: [])
        var wrong = record()
        wrong.changes[0].eventID = id("other", "email.updated", 1)
        #expect(audit.take([wrong]).map(\.kind) == [.eventID])
        #expect(audit.take([wrong]).map(\.seq) == [3])
        let events = [
            AccountEventRecord(
                seq: 1, account: account, eventID: id("", "account.connected", 0), type: "account.connected"),
            AccountEventRecord(seq: 5, account: account, eventID: id("", "account.labels", 2), type: "account.labels"),
        ]
        #expect(audit.take(events).map(\.seq) == [5])
    }

    @Test func stateIsDerivedAnew() {
        let changes: [(inout MessageRecord) -> Void] = [
            { $0.state?.labels = #"["INBOX"]"# }, { $0.state?.isPresent = true }, { $0.state?.revision = 2 },
        ]
        for change in changes {
            var wrong = record()
            change(&wrong)
            #expect(LogAudit.state(wrong).map(\.kind) == [.stateDiffers])
        }
        var missing = record()
        missing.state = nil
        #expect(LogAudit.state(missing).map(\.kind) == [.stateMissing])
    }

    @Test func everyCounterIsCompared() {
        let right = AccountCounters(
            stored: 1, gone: 2, gaps: 3, givenUp: 4, events: 5, accountEvents: 6, outboxDepth: 7)
        #expect(LogAudit.counters(of: account, kept: right, counted: right).isEmpty)
        let counters: [WritableKeyPath<AccountCounters, Int64>] = [
            \.stored, \.gone, \.gaps, \.givenUp, \.events, \.accountEvents, \.outboxDepth,
        ]
        for counter in counters {
            var wrong = right
            wrong[keyPath: counter] += 1
            #expect(LogAudit.counters(of: account, kept: wrong, counted: right).map(\.kind) == [.counter])
        }
    }

    // MARK: the outbox

    private func event(_ seq: Int64, at recordedAt: UnixSeconds = 100) -> MailEvent {
        MailEvent(
            id: "e\(seq)", seq: seq, recordedAt: recordedAt, account: account, origin: .incremental,
            body: .deleted(id: "m\(seq)", threadID: "t"))
    }

    private func row(_ event: MailEvent) -> OutboxRow {
        OutboxRow(
            seq: event.seq, subject: event.subject, eventType: event.type, payload: event.payload(),
            eventID: event.id, recordedAt: event.recordedAt)
    }

    private func outbox(_ events: [MailEvent], _ rows: [OutboxRow]) -> [Difference] {
        let dispatch = DispatchState(
            lastSeq: 9, publishedSeq: 4, streamSequence: nil, streamCreated: nil, outboxDepth: 0,
            oldestUnpublishedAt: nil, generation: 0, deadLetter: nil)
        return OutboxAudit.differences(OutboxStretch(dispatch: dispatch, events: events, rows: rows, next: nil))
    }

    @Test func theOutboxHoldsWhatWaitsAndNothingElse() {
        let events = (5...7).map { event(Int64($0)) }
        let rows = events.map(row)
        #expect(outbox(events, rows).isEmpty)
        #expect(outbox(events, [rows[0], rows[2]]).map(\.seq) == [6])
        #expect(outbox(events, [rows[0], rows[2]]).map(\.kind) == [.outboxMissing])
        let confirmed = outbox(events, [row(event(4))] + rows)
        #expect(confirmed.map(\.kind) == [.outboxSuperfluous] && confirmed[0].detail.contains("confirmed"))
        let unknown = outbox(events, rows + [row(event(8))])
        #expect(unknown.map(\.kind) == [.outboxSuperfluous] && unknown[0].detail.contains("no such event"))
        let changes: [(inout OutboxRow) -> Void] = [
            { $0.payload[0] = 0 }, { $0.eventID = "x" }, { $0.subject = "user.other.email.deleted" },
        ]
        for change in changes {
            var wrong = rows
            change(&wrong[1])
            let found = outbox(events, wrong)
            #expect(found.map(\.kind) == [.outboxDiffers] && found.map(\.seq) == [6])
        }
    }

    // MARK: the stream

    private func place(_ event: MailEvent, at sequence: UInt64) -> StreamAudit.Place {
        .init(
            streamSequence: sequence,
            message: StreamMessage(subject: event.subject, id: event.id, payload: event.payload()), event: event)
    }

    @Test func aStreamThatHoldsEverythingOnceAgrees() {
        var audit = StreamAudit()
        for seq in 1...50 { #expect(audit.take(place(event(Int64(seq)), at: UInt64(seq * 3))).isEmpty) }
        #expect(audit.absent(confirmed: 50).isEmpty && audit.messages == 50 && audit.late == 0)
        #expect(StreamAudit.sequence(of: place(event(7), at: 1).message) == 7)
        #expect(StreamAudit.sequence(of: StreamMessage(subject: "", id: nil, payload: Array("{}".utf8))) == nil)
    }

    @Test func missingRepeatedAndForeignMessagesAreFound() {
        var audit = StreamAudit()
        #expect(audit.take(place(event(1), at: 1)).isEmpty)
        #expect(audit.take(place(event(4), at: 2)).isEmpty)
        let repeated = audit.take(place(event(1), at: 3))
        #expect(repeated.map(\.kind) == [.streamRepeated] && repeated.map(\.seq) == [1])
        var foreign = place(event(9), at: 4)
        foreign.event = nil
        #expect(audit.take(foreign).map(\.kind) == [.streamForeign])
        #expect(audit.absent(confirmed: 6) == [2...3, 5...6])
        // Sent again, after the others.
        #expect(audit.take(place(event(2), at: 5)).isEmpty)
        #expect(audit.late == 1 && audit.absent(confirmed: 4) == [3...3])
    }

    @Test func otherBytesAreFound() {
        let changes: [(inout StreamMessage) -> Void] = [
            { $0.payload += [32] }, { $0.id = nil }, { $0.subject = "user.u1.email.received" },
        ]
        for change in changes {
            var wrong = place(event(1), at: 1)
            change(&wrong.message)
            var audit = StreamAudit()
            #expect(audit.take(wrong).map(\.kind) == [.streamDiffers])
        }
    }

    @Test func everyKindSaysWhatHealsIt() {
        for kind in DifferenceKind.allCases {
            let line = Difference(kind, account: account, message: "m", seq: 4, "detail").line
            #expect(line.contains(kind.rawValue) && line.contains("seq 4") && line.contains(kind.remedy))
            #expect(!(kind.damagesLog && kind.isHealable))
        }
    }
}
