import MailModel
import ProviderClient
import Testing

@testable import GmailProvider

/// The history as records in, steps out.
@Suite struct HistoryTests {
    private func history(_ records: String, latest: UInt64 = 100) throws -> GmailHistory {
        let page = try ProviderJSON.decode(GmailWire.HistoryPage.self, from: Array("{\"history\":[\(records)]}".utf8))
        var history = GmailHistory()
        history.add(page.history ?? [], latest: latest)
        return history
    }

    private func record(_ id: Int, _ kind: String, _ message: String, labels: [String]? = nil, state: [String] = [])
        -> String
    {
        let changed = labels.map { ",\"labelIds\":[\($0.map { "\"\($0)\"" }.joined(separator: ","))]" } ?? ""
        let now = state.map { "\"\($0)\"" }.joined(separator: ",")
        return """
            {"id":"\(id)","\(kind)":[{"message":{"id":"\(message)","labelIds":[\(now)]}\(changed)}]}
            """
    }

    private func state(_ labels: [String], version: UInt64 = 1, exists: Bool = true) -> MessageState {
        MessageState(id: "m", labels: labels, version: version, exists: exists)
    }

    @Test func theLastOperationOnALabelCounts() throws {
        let history = try history(
            [
                record(5, "labelsAdded", "m", labels: ["A", "B"]), record(6, "labelsRemoved", "m", labels: ["A", "X"]),
                record(7, "labelsAdded", "m", labels: ["X"]),
            ].joined(separator: ","))
        #expect(
            history.step(for: "m", state: state(["X", "Z"]), isUnknown: false)
                == .apply(.labels(id: "m", labels: ["B", "X", "Z"], version: 7)))
    }

    @Test func recordsUpToTheStoredVersionAreSkipped() throws {
        let history = try history(
            [record(5, "labelsAdded", "m", labels: ["A"]), record(9, "labelsAdded", "m", labels: ["B"])].joined(
                separator: ","))
        #expect(
            history.step(for: "m", state: state([], version: 5), isUnknown: false)
                == .apply(.labels(id: "m", labels: ["B"], version: 9)))
        #expect(history.step(for: "m", state: state([], version: 9), isUnknown: false) == .nothing)
    }

    @Test func arrivalAndDeletion() throws {
        let arrived = try history(record(5, "messagesAdded", "m", state: ["INBOX"]))
        #expect(arrived.step(for: "m", state: nil, isUnknown: true) == .read)
        #expect(arrived.step(for: "m", state: nil, isUnknown: false) == .nothing)
        #expect(arrived.step(for: "m", state: state([]), isUnknown: false) == .nothing)
        #expect(arrived.step(for: "m", state: state([], exists: false), isUnknown: false) == .read)
        let gone = try history(record(5, "messagesAdded", "m") + "," + record(6, "messagesDeleted", "m"))
        #expect(gone.step(for: "m", state: nil, isUnknown: true) == .nothing)
        #expect(gone.step(for: "m", state: state(["A"]), isUnknown: false) == .apply(.deleted(id: "m")))
        #expect(gone.step(for: "m", state: state(["A"], exists: false), isUnknown: false) == .nothing)
        let back = try history(record(5, "messagesDeleted", "m") + "," + record(6, "messagesAdded", "m"))
        #expect(back.step(for: "m", state: nil, isUnknown: true) == .read)
    }

    @Test func whatMayHaveComeIntoScopeIsRead() throws {
        for (kind, label, reads) in [
            ("labelsRemoved", "SPAM", true), ("labelsRemoved", "TRASH", true), ("labelsAdded", "INBOX", true),
            ("labelsAdded", "STARRED", false), ("labelsAdded", "SPAM", false), ("labelsRemoved", "INBOX", false),
        ] {
            let step = try history(record(5, kind, "m", labels: [label])).step(for: "m", state: nil, isUnknown: true)
            #expect(step == (reads ? .read : .nothing), "\(kind) \(label)")
        }
        let draft = try history(record(5, "messagesAdded", "m", state: ["DRAFT"]))
        #expect(draft.step(for: "m", state: nil, isUnknown: true) == .nothing)
    }

    @Test func garbageIsPassedOver() throws {
        let history = try history(
            """
            {},{"id":"x","labelsAdded":[{"message":{"id":"m"},"labelIds":["A"]}]},{"id":"3","messagesAdded":[{}]},
            {"id":"4","messagesAdded":[{"message":{"id":"../x"}}]},{"id":"5","labelsAdded":[{"labelIds":["A"]}]}
            """)
        #expect(history.order == ["m"])
        // The record without a number stands for the whole answer.
        #expect(
            history.step(for: "m", state: state([], version: 99), isUnknown: false)
                == .apply(.labels(id: "m", labels: ["A"], version: 100)))
        #expect(history.step(for: "absent", state: nil, isUnknown: true) == .nothing)
    }
}

@Suite struct CursorTests {
    @Test func goesThereAndBack() throws {
        var cursor = GmailCursor(historyID: 590_000)
        #expect(cursor.cursor.document == "{\"v\":1,\"historyId\":\"590000\",\"backfill\":{\"done\":false}}")
        cursor.backfill.pageToken = "a\"b"
        cursor.labelsReadAt = 7
        #expect(try GmailCursor(cursor.cursor) == cursor)
        cursor.backfill.done = true
        #expect(try GmailCursor(cursor.cursor).phase == .live)
    }

    @Test(arguments: ["", "{}", "null", "{\"v\":1,\"historyId\":\"x\",\"backfill\":{\"done\":true}}", "{\"v\":2}"])
    func whatCannotBeReadAsksForARepair(document: String) {
        #expect { try GmailCursor(Cursor(document)) } throws: { ($0 as? SyncFailure)?.decision == .resync }
    }
}
