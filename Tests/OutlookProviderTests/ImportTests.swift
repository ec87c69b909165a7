import MailModel
import MailTestSupport
import Testing

@testable import OutlookProvider

/// What only Outlook's imports do; the rest is in the conformance suite.
@Suite struct OutlookImportTests {
    private let selection = MailSelection(from: 0, until: 1_577_836_800)

    private func position() -> OutlookImportPosition {
        OutlookImportPosition(folders: [.init(id: "f", label: "INBOX"), .init(id: "g", label: "SENT")])
    }

    @Test func aPlaceIsADateThatSkipsNothing() {
        var at = position()
        #expect(
            at.filter(selection) == [
                "receivedDateTime ge 1970-01-01T00:00:00Z", "receivedDateTime lt 2020-01-01T00:00:00Z",
            ])
        at.leavePage(["a": 900, "b": 800, "c": 800], next: "https://link")
        #expect(at.before == 801 && at.seen == ["b", "c"] && at.link == nil, "the rest of the second comes again")
        #expect(at.filter(selection).last == "receivedDateTime lt 1970-01-01T00:13:21Z")
        #expect(at.cursor.flatMap(OutlookImportPosition.init) == at)
        // A page full of one second goes on by its link.
        at.leavePage(["b": 800, "c": 800, "d": 800], next: "https://link2")
        #expect(at.before == 801 && at.link == "https://link2" && Set(at.seen) == ["b", "c", "d"])
        at.leavePage(["e": 700], next: "https://link3")
        #expect(at.before == 701 && at.seen == ["e"] && at.link == nil)
        at.leavePage(["e": 700], next: nil)
        #expect(at.folders.map(\.id) == ["g"] && at.before == nil && at.seen.isEmpty)
        at.leavePage([:], next: nil)
        #expect(at.cursor == nil)
        #expect(OutlookImportPosition(Cursor("x")) == nil)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (1_709_164_799, "2024-02-28T23:59:59Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"), (1_767_225_600, "2026-01-01T00:00:00Z"),
        ] as [(UnixSeconds, String)]) func timesAreWrittenAsGraphReadsThem(_ time: UnixSeconds, _ text: String)
    {
        #expect(GraphTime.timestamp(time) == text)
        if time >= 0 { #expect(GraphTime.parse(text) == time) }
    }

    @Test func foldersAreCountedOneByOne() async throws {
        try await OutlookFixture.run {
            $0.messages = 130
        } _: { outlook in
            let session = outlook.provider.session(since: nil, tokens: outlook.tokens, budget: outlook.budget)
            var found: [String: Int] = [:]
            var units = 0
            var position: Cursor?
            repeat {
                let page = try await session.scan(MailSelection(), from: position)
                found[page.label ?? "", default: 0] += page.ids.count
                units += page.units
                position = page.next
            } while position != nil
            #expect(found["INBOX"] == 130 && found["SENT"] == 0 && found["SPAM"] == nil)
            #expect(units == 2, "a page of 100 messages is one request")
            do {
                _ = try await session.scan(MailSelection(labels: ["junkemail"]), from: nil)
                Issue.record("spam is not received")
            } catch let failure as SyncFailure {
                #expect(failure.code == SelectionRefusal.labelOutOfScope)
            }
        }
    }
}
