import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

@testable import GmailProvider

/// What only Gmail's imports do; the rest is in the conformance suite.
@Suite struct GmailImportTests {
    private func refusal(_ gmail: GmailFixture, _ selection: MailSelection) async throws -> SyncFailure? {
        do {
            _ = try await gmail.session.scan(selection, from: nil)
            return nil
        } catch let failure as SyncFailure {
            return failure
        }
    }

    @Test func searchingByDateNeedsMoreThanTheMetadataScope() async throws {
        try await GmailFixture.run {
            $0.messages = 20
            $0.scopes = [GmailScope.metadata]
        } _: { gmail in
            let failure = try await refusal(gmail, MailSelection(from: 1000))
            #expect(failure?.code == SelectionRefusal.missingScope && failure?.decision == .skip)
            let listed = try listed(gmail)
            #expect(try await Set(gmail.session.scan(MailSelection(), from: nil).ids) == listed)
        }
    }

    /// Everything but spam and trash.
    private func listed(_ gmail: GmailFixture) throws -> Set<String> {
        let all = try gmail.google.snapshot(GmailFixture.address)
        return Set(all.filter { Set(["SPAM", "TRASH"]).isDisjoint(with: $0.value.labels) }.keys)
    }

    @Test func labelsAreFoundByIdOrNameAndRefusedOutOfScope() async throws {
        try await GmailFixture.run {
            $0.messages = 20
        } _: { gmail in
            #expect(try await refusal(gmail, MailSelection(labels: ["inbox"])) == nil)
            #expect(try await refusal(gmail, MailSelection(labels: ["Spam"]))?.code == SelectionRefusal.labelOutOfScope)
            #expect(try await refusal(gmail, MailSelection(labels: ["Nope"]))?.code == SelectionRefusal.unknownLabel)
            let page = try await gmail.session.scan(MailSelection(labels: ["INBOX", "inbox"]), from: nil)
            #expect(page.label == "INBOX" && page.next == nil, "a label given twice is listed once")
            #expect(page.units == page.ids.count * 20)
        }
    }

    @Test func aListingBegunAnewCountsNothingTwice() {
        var at = GmailImportPosition(labels: ["A", "B"])
        #expect(at.advance(300) == 300)
        at.leavePage(next: "p2")
        #expect(at.advance(40) == 40)
        // The session is lost, and then the token has expired.
        at.beginPageAnew()
        at.beginLabelAnew()
        #expect(at.pageToken == nil && at.repeated == 340)
        #expect(at.advance(300) == 0)
        at.leavePage(next: "q2")
        #expect(at.advance(100) == 60)
        at.leavePage(next: nil)
        #expect(at.label == "B" && at.repeated == 0 && at.advance(5) == 5)
        #expect(at.cursor.flatMap(GmailImportPosition.init) == at)
        at.leavePage(next: nil)
        #expect(at.cursor == nil)
        #expect(GmailImportPosition(Cursor("{}")) == nil)
    }
}
