import Foundation
import MailModel
import MailTestSupport
import Testing

@testable import mailsync

@Suite struct ReplayPlanTests {
    @Test(arguments: ["copies", "replay.today", "users", "User", "a-b_c.$x", "x.user"])
    func usablePrefixesAreTaken(text: String) throws { #expect(try ReplayPrefix(text).text == text) }

    @Test(arguments: [
        "", "user", "user.ada", "$JS", "$JS.API", "_INBOX.x", "_", "a.*", "*", "a.>", ">", "a b", "a\tb", ".a", "a.",
        "a..b", "ä", "a\u{0}b", "a\n", String(repeating: "a", count: 201),
    ])
    func otherPrefixesAreRefused(text: String) {
        #expect(throws: ControlProblem.self) { try ReplayPrefix(text) }
    }

    @Test(arguments: [
        ("0", ReplayBound.seq(0)), ("4711", .seq(4711)), ("999999999", .seq(999_999_999)),
        ("1000000000", .time(1_000_000_000)), ("1767225600", .time(1_767_225_600)),
        ("2026-01-01", .time(1_767_225_600)), ("2026-01-01T01:00:00+01:00", .time(1_767_225_600)),
    ])
    func boundsAreNumbersOrTimes(text: String, bound: ReplayBound) { #expect(ReplayBound(text) == bound) }

    @Test(arguments: ["", "-1", "+1", "1.5", "0x10", "yesterday", "2026-13-01", "9999999999999999999", "٣"])
    func otherBoundsAreRefused(text: String) { #expect(ReplayBound(text) == nil) }

    @Test func aPlanTakesWhatItNames() throws {
        var request = ReplayRequest(user: "ada", subject: "copies", perSecond: nil)
        let everything = try request.plan()
        #expect(everything.perSecond == 1000 && everything.wants(event(seq: 1)) && everything.firstAfter == 0)
        #expect(everything.last(ofLogEndingWith: 9) == 9)
        (request.from, request.to) = ("3", "7")
        let numbers = try request.plan()
        #expect(numbers.firstAfter == 2)
        #expect(numbers.last(ofLogEndingWith: 9) == 7 && numbers.last(ofLogEndingWith: 5) == 5)
        (request.from, request.to) = ("1700000005", "1700000006")
        let times = try request.plan()
        #expect((1...9).filter { times.wants(event(seq: $0)) } == [5, 6])
        (request.from, request.to, request.inbox, request.provider) = (nil, nil, "work", "google")
        #expect(try !request.plan().wants(event(seq: 1)))
        #expect(try request.plan().wants(event(seq: 1, inbox: "work")))
    }

    @Test func badRequestsAreRefused() {
        let good = ReplayRequest(user: "ada", subject: "copies", perSecond: 1)
        let changes: [(inout ReplayRequest) -> Void] = [
            { $0.user = "" }, { $0.inbox = "" }, { $0.provider = "aol" }, { $0.from = "x" }, { $0.to = "x" },
            { $0.subject = "user" }, { $0.perSecond = 0 }, { $0.perSecond = 1_000_001 },
        ]
        for change in changes {
            var request = good
            change(&request)
            #expect(throws: (any Error).self) { try request.plan() }
        }
    }

    @Test func copiesAreNamedAfterTheirOriginals() throws {
        let prefix = try ReplayPrefix("copies.today")
        #expect(prefix.subject(of: event(seq: 1)) == "copies.today.ada.email.deleted")
        #expect(prefix.messageID(of: event(seq: 1)) == "copies.today:id-1")
    }

    @Test(arguments: [1, 10, 1000, 20_000]) func thePaceIsKept(perSecond: Int) async throws {
        let time = ManualTime()
        var pace = ReplayPace(perSecond: perSecond)
        let start = time.nowMilliseconds()
        var now = start
        let count = perSecond * 3
        for _ in 0..<count { now += pace.wait(atMs: now).milliseconds }
        let expected = Double(count - 1) / Double(perSecond) * 1000
        // The slack at the beginning, and the rounding at the end.
        #expect(abs(Double(now - start) - expected) <= 25)
        // After a pause nothing is made up for.
        now += 60_000
        let resumed = now
        for _ in 0..<perSecond { now += pace.wait(atMs: now).milliseconds }
        #expect(now - resumed >= 1000 * Int64(perSecond - 1) / Int64(perSecond) - 25)
    }

    private func event(seq: Int64, inbox: InboxID? = nil) -> MailEvent {
        MailEvent(
            id: "id-\(seq)", seq: seq, recordedAt: 1_700_000_000 + seq,
            account: AccountKey(
                user: UserID(uncheckedEncoded: "ada"), provider: .google, inbox: inbox ?? .primary),
            origin: .incremental, body: .deleted(id: "m", threadID: "t"))
    }

    private func event(seq: Int64, inbox: String) -> MailEvent {
        event(seq: seq, inbox: InboxID(uncheckedEncoded: inbox))
    }
}
