import GRDB
import MailModel
import Testing

@testable import MailStore

/// Mailboxes with folders: where messages lie, and removals that wait for an answer.
@Suite struct FolderTests {
    private func message(
        _ id: String, in folder: String, version: UInt64 = 1, labels: [String]? = nil
    ) -> MessageChange {
        var meta = MessageMeta.sample(id, labels: labels ?? [folder], version: version)
        meta.folder = folder
        return .read(meta, inScope: true)
    }

    private func pending(_ fixture: StoreFixture, after id: String? = nil) async throws -> [String] {
        try await fixture.read { [key = fixture.key] in try $0.pendingRemovals(key, after: id, limit: 100) }
    }

    private func present(
        _ fixture: StoreFixture, in folder: String, below version: UInt64 = .max, after id: String? = nil
    ) async throws -> [String] {
        try await fixture.read { [key = fixture.key] in
            try $0.present(key, inFolder: folder, below: version, after: id, limit: 100).map(\.id)
        }
    }

    @Test func aRemovalWaitsAndEmitsNothing() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(message("a", in: "F"), message("b", in: "F"))
        let applied = try await fixture.apply(.removed(id: "a", fromFolder: "F"), .removed(id: "x", fromFolder: "F"))
        #expect(applied == AppliedBatch())
        #expect(try await pending(fixture) == ["a"])
        #expect(try await pending(fixture, after: "a").isEmpty)
        #expect(try await fixture.states(of: ["a"])["a"]?.exists == true)
    }

    @Test func aRemovalSurvivesContentOfTheSameFolderUntilItIsSettled() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(message("a", in: "F"))
        try await fixture.apply(.removed(id: "a", fromFolder: "F"), message("a", in: "F", version: 2))
        #expect(try await pending(fixture) == ["a"])
        var answer = ChangeBatch.of([.deleted(id: "a")])
        answer.settledRemovals = ["a"]
        #expect(try await fixture.apply(answer).deleted == 1)
        #expect(try await pending(fixture).isEmpty)
    }

    @Test(arguments: [true, false]) func aMoveIsOneUpdateInWhateverOrderItIsTold(_ removalFirst: Bool) async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(message("a", in: "F"))
        let moved = message("a", in: "G", version: 3)
        let removed = MessageChange.removed(id: "a", fromFolder: "F")
        for change in removalFirst ? [removed, moved] : [moved, removed] { try await fixture.apply(change) }
        var answer = ChangeBatch.of([message("a", in: "G", version: 4)])
        answer.settledRemovals = ["a"]
        try await fixture.apply(answer)
        #expect(
            try await fixture.events(after: 1).map(\.line) == [#"received a ["F"]"#, #"updated a ["G"] +["G"] -["F"]"#])
        #expect(try await pending(fixture).isEmpty)
        #expect(try await fixture.states(of: ["a"])["a"]?.folder == "G")
    }

    @Test func aDeletedMessageHasNoRemovalToWaitFor() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(message("a", in: "F"))
        try await fixture.apply(.deleted(id: "a"))
        try await fixture.apply(.removed(id: "a", fromFolder: "F"))
        #expect(try await pending(fixture).isEmpty)
    }

    @Test func pendingRemovalsOutliveTheProcess() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(message("a", in: "F"))
        try await fixture.apply(.removed(id: "a", fromFolder: "F"))
        #expect(try await pending(try await fixture.reopened()) == ["a"])
    }

    @Test func aFolderIsAskedForWhatWasNotSeenSince() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(
            message("a", in: "F"), message("b", in: "F", version: 5), message("c", in: "G"), message("d", in: "F"))
        try await fixture.apply(.deleted(id: "d"))
        #expect(try await present(fixture, in: "F") == ["a", "b"])
        #expect(try await present(fixture, in: "F", below: 5) == ["a"])
        #expect(try await present(fixture, in: "F", after: "a") == ["b"])
        try await fixture.apply(.labels(id: "a", labels: ["G"], version: 6, folder: "G"))
        #expect(try await present(fixture, in: "F") == ["b"])
        #expect(try await present(fixture, in: "G") == ["a", "c"])
        try await fixture.apply(.labels(id: "a", labels: ["G", "X"], version: 7))
        #expect(try await present(fixture, in: "G") == ["a", "c"], "labels alone do not move a message")
    }

    @Test func twoInboxesMayHaveAFolderOfTheSameId() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(message("a", in: "F"))
        let other = AccountKey(user: fixture.user, provider: .microsoft, inbox: try InboxID("second"))
        let theirs = message("b", in: "F")
        try await fixture.write { [now = fixture.now] transaction in
            try transaction.follow(other, mailbox: "b", cursor: .init(""), estimatedTotal: 1, at: now)
            _ = try transaction.apply(.of([theirs]), to: other, at: now)
        }
        #expect(try await present(fixture, in: "F") == ["a"])
        #expect(try await fixture.events().map(\.seq) == [1, 2, 3, 4])
    }

    @Test func aFileOfTheFirstVersionIsBroughtUpToDate() async throws {
        let fixture = try StoreFixture()
        try await fixture.follow()
        try await fixture.apply(.of([.new("a")], gaps: ["g"], vanished: ["v"]))
        await fixture.stores.close()
        try await downgrade(fixture.path)
        let again = try StoreFixture(directory: fixture.directory)
        #expect(try await again.openGaps().map(\.id) == ["g"])
        #expect(try await again.account().gone == 1)
        try await again.apply(message("b", in: "F"))
        #expect(try await present(again, in: "F") == ["b"])
        #expect(try await again.states(of: ["a"])["a"]?.folder == nil)
    }

    /// Copies what the file holds into one of the schema's first version.
    private func downgrade(_ path: String) async throws {
        let file = try DatabaseQueue(path: path)
        try await file.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA foreign_keys = OFF")
            let tables = [
                "meta", "provider_sync_state", "email_received_events", "account_events", "message_gaps", "outbox",
            ]
            try db.execute(sql: "ATTACH ':memory:' AS kept")
            for table in tables { try db.execute(sql: "CREATE TABLE kept.\(table) AS SELECT * FROM main.\(table)") }
            let all = try String.fetchAll(db, sql: "SELECT name FROM main.sqlite_schema WHERE type = 'table'")
            for table in all { try db.execute(sql: "DROP TABLE main.\(table)") }
            try db.execute(sql: Schema.migrations[0])
            for table in tables {
                let columns = try db.columns(in: table, in: "main").map(\.name).joined(separator: ", ")
                try db.execute(sql: "INSERT INTO main.\(table)(\(columns)) SELECT \(columns) FROM kept.\(table)")
            }
            try db.execute(
                sql: """
                    INSERT INTO messages(seq, version, revision, is_present, provider_thread_id, labels_json)
                    SELECT seq, 1, 1, 1, provider_thread_id, labels_json FROM email_received_events
                    """)
            try db.execute(sql: "PRAGMA user_version = 1")
        }
        try file.close()
    }
}
