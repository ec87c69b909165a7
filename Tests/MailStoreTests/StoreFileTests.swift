import Foundation
import GRDB
import Logging
import MailModel
import MailTestSupport
import Testing

@testable import MailStore

@Suite struct StoreFileTests {
    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? NSNumber).intValue
    }

    @Test func onlyTheOwnerCanReadAnything() async throws {
        let fixture = try await StoreFixture().follow()
        let users = "\(fixture.directory.path)/users"
        #expect(try mode(users) == 0o700)
        #expect(try mode("\(users)/user_abc123") == 0o700)
        for suffix in ["", "-wal", "-shm"] { #expect(try mode(fixture.path + suffix) == 0o600) }
    }

    @Test func aFileThatOthersCouldReadIsClosedToThem() async throws {
        let fixture = try await StoreFixture().follow()
        await fixture.stores.close()
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: fixture.path)
        let again = try StoreFixture(directory: fixture.directory)
        _ = try await again.account()
        #expect(try mode(again.path) == 0o600)
    }

    @Test func nastyUserIdsGetDirectoriesOfTheirOwn() async throws {
        let ids = [
            "a", "A", "a.b", "a/b", "../a", "..", ".", "a b", "a\u{0}b", "*", ">", "%61", "é", "e\u{301}", "u1", "u12",
            ".unpublished",
        ]
        let directory = try TemporaryDirectory()
        let stores = UserStores(
            directory: directory.path + "/users", openMax: 4, time: ManualTime(), logger: Logger(label: "test"))
        for id in ids {
            let key = AccountKey(user: try UserID(id), provider: .google, inbox: .primary)
            try await stores.use(key.user) {
                try await $0.write {
                    try $0.follow(key, mailbox: id, cursor: .init(""), estimatedTotal: 0, at: 1)
                }
            }
        }
        let users = try await stores.users()
        #expect(Set(users) == Set(try ids.map { try UserID($0) }))
        for user in users {
            let mailboxes = try await stores.use(user) { try await $0.read { try $0.accounts().map(\.mailbox) } }
            #expect(mailboxes.map { Array($0.utf8) } == [Array(user.raw.utf8)])
        }
        await stores.close()
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/users")
        #expect(names.count == ids.count + 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["users"])
    }

    @Test func aCleanCloseRemovesTheWalAndKeepsEverything() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.of([.new("a")], gaps: ["g"], cursor: "there"))
        let (account, events) = (try await fixture.account(), try await fixture.events())
        let again = try await fixture.reopened()
        #expect(!FileManager.default.fileExists(atPath: fixture.path + "-wal"))
        #expect(try await again.account() == account)
        #expect(try await again.events() == events)
        #expect(try await again.apply(.new("a")) == AppliedBatch())
        #expect(try await again.apply(.new("b")).lastSeq == 3)
    }

    @Test func theDocumentedNamesAreThere() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.new("a"))
        await fixture.stores.close()
        let synced = try fixture.sql(
            """
            SELECT provider, inbox_id, cursor, last_synced_at, status, last_error, retry_count, updated_at
            FROM provider_sync_state
            """)
        #expect(synced.map { $0["status"] as String } == ["STARTING"])
        let received = try fixture.sql(
            """
            SELECT event_id, ts, msg_date, provider, inbox_id, user_id, provider_message_id, provider_thread_id,
                subject, sender, to_addrs, cc_addrs, bcc_addrs, snippet, headers_json, labels_json
            FROM email_received_events WHERE json_extract(labels_json, '$[1]') = 'UNREAD'
            """)
        let row = try #require(received.first)
        #expect(row["provider_message_id"] as String == "a")
        #expect(row["user_id"] as String == "user_abc123")
        #expect(row["to_addrs"] as String == #"["recipient@example.com"]"#)
        #expect(row["headers_json"] as String == #"{"From":"sender@example.com"}"#)
        let outbox = try fixture.sql(
            """
            SELECT id, ts, subject, event_type, payload, msg_id, published_at, retries, next_attempt_at,
                json_extract(payload, '$.seq') AS seq
            FROM outbox ORDER BY id
            """)
        #expect(outbox.map { $0["id"] as Int } == [1, 2])
        #expect(outbox.map { $0["seq"] as Int } == [1, 2])
    }

    @Test func queriesThatRunOftenUseAnIndex() async throws {
        let fixture = try await StoreFixture().follow()
        await fixture.stores.close()
        let plans = [
            "SELECT 1 FROM email_received_events WHERE provider = '' AND inbox_id = '' AND provider_message_id = ''",
            "SELECT * FROM outbox ORDER BY id LIMIT 1",
            """
            SELECT * FROM message_gaps WHERE account_id = 1 AND state = 'open' AND next_attempt_at <= 1
            ORDER BY next_attempt_at
            """,
            "SELECT * FROM email_change_events WHERE seq > 1 ORDER BY seq LIMIT 1",
        ]
        for plan in plans {
            let steps = try fixture.sql("EXPLAIN QUERY PLAN " + plan).map { $0["detail"] as String }
            #expect(!steps.contains { $0.contains("TEMP B-TREE") }, "\(plan): \(steps)")
            #expect(
                steps.contains { $0.contains("INDEX") || $0.contains("KEY") || plan.contains("outbox") }, "\(steps)")
        }
    }

    @Test func everyRowIsUniquePerMessage() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.new("a"))
        await fixture.stores.close()
        let queue = try DatabaseQueue(path: fixture.path)
        #expect(throws: DatabaseError.self) {
            try queue.write {
                try $0.execute(
                    sql: """
                        INSERT INTO email_received_events SELECT 99, event_id, ts, msg_date, provider, inbox_id,
                            user_id, provider_message_id, provider_thread_id, subject, sender, to_addrs, cc_addrs,
                            bcc_addrs, snippet, headers_json, labels_json, headers_repeated_json, origin
                        FROM email_received_events
                        """)
            }
        }
    }

    @Test func theSettingsAreInForce() async throws {
        let fixture = try await StoreFixture().follow()
        let settings = try await fixture.read { reader in
            try [
                "journal_mode", "synchronous", "foreign_keys", "trusted_schema", "cell_size_check", "mmap_size",
                "cache_size", "journal_size_limit", "busy_timeout", "application_id", "user_version",
            ]
            .map { name in try reader.db.row("PRAGMA \(name)").map { "\(name) \($0[0] as DatabaseValue)" } ?? name }
        }
        #expect(
            settings == [
                "journal_mode \"wal\"", "synchronous 2", "foreign_keys 1", "trusted_schema 0", "cell_size_check 1",
                "mmap_size 0", "cache_size -512", "journal_size_limit 4194304", "busy_timeout 5000",
                "application_id \(Schema.applicationID)", "user_version \(Schema.currentVersion)",
            ])
    }
}
