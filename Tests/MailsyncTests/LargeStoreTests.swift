import EventAudit
import Foundation
import GRDB
import Logging
import MailModel
import MailStore
import MailTestSupport
import Synchronization
import Testing

@testable import mailsync

/// Verifying a large store takes memory for a page, not for the store.
@Suite(.serialized) struct LargeStoreTests {
    private static let messages = 200_000
    /// A small part of what the rows are together.
    private static let bytesMax = 48 * 1024 * 1024

    private let account = AccountKey(user: UserID(uncheckedEncoded: "large"), provider: .google, inbox: .primary)

    @Test(.timeLimit(.minutes(10))) func twoHundredThousandMessagesFitIntoPages() async throws {
        let directory = try TemporaryDirectory("large")
        let stores = open(directory)
        try await stores.use(account.user) { [account] store in
            try await store.write {
                try $0.follow(account, mailbox: "a@b", cursor: MailModel.Cursor("1"), estimatedTotal: 1, at: 1)
            }
        }
        await stores.close()
        try fill("\(directory.path)/\(account.user.encoded)/events.db")

        let filled = open(directory)
        let before = Self.residentBytes()
        let peak = Mutex(0)
        let found = Mutex<[Difference]>([])
        let check = StoreCheck(user: account.user, stores: filled) { differences in
            let now = Self.residentBytes()
            peak.withLock { $0 = max($0, now) }
            found.withLock { $0 += differences }
        }
        var verification = Verification(user: account.user)
        try await check.run(&verification)
        await filled.close()
        #expect(found.withLock { $0 }.isEmpty)
        #expect(verification.messages == Self.messages && verification.events == Self.messages + 1)
        let grown = peak.withLock { $0 } - before
        #expect(grown < Self.bytesMax, "grew by \(grown / 1024) KiB")
    }

    private func open(_ directory: TemporaryDirectory) -> UserStores {
        UserStores(
            directory: directory.path, time: SystemTime(),
            logger: Logger(label: "large") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Rows as received messages leave them, all confirmed.
    private func fill(_ path: String) throws {
        let queue = try DatabaseQueue(path: path)
        let snippet = String(repeating: "lorem ipsum ", count: 20)
        try queue.write { db in
            let event = try db.makeStatement(
                sql: """
                    INSERT INTO email_received_events(seq, event_id, ts, msg_date, provider, inbox_id, user_id,
                        provider_message_id, provider_thread_id, subject, sender, to_addrs, cc_addrs, bcc_addrs, snippet,
                        headers_json, labels_json, origin)
                    VALUES (?, ?, 1, 1, 'GOOGLE', 'primary', 'large', ?, 't', 's', 'a@b', '[]', '[]', '[]', ?, '{}',
                        '["INBOX"]', 'backfill')
                    """)
            let state = try db.makeStatement(
                sql: """
                    INSERT INTO messages(seq, version, revision, is_present, provider_thread_id, labels_json)
                    VALUES (?, 1, 1, 1, 't', '["INBOX"]')
                    """)
            for seq in 2...Int64(Self.messages + 1) {
                let id = "m\(seq)"
                let eventID = EventID.make(
                    generation: 0, account: account, message: id, type: "email.received", revision: 0)
                try event.execute(arguments: [seq, eventID, id, snippet])
                try state.execute(arguments: [seq])
            }
            try db.execute(
                sql: """
                    UPDATE meta SET last_seq = \(Self.messages + 1), published_seq = \(Self.messages + 1);
                    UPDATE provider_sync_state SET stored = \(Self.messages), events = \(Self.messages + 1),
                        outbox_depth = 0;
                    DELETE FROM outbox;
                    """)
        }
        try queue.close()
    }

    private static func residentBytes() -> Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(getpagesize())
    }
}
