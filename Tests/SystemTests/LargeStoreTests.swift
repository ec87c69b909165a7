import Foundation
import GRDB
import Logging
import MailModel
import MailStore
import MailTestSupport
import Testing

extension SystemTests {
    /// Verifying a large store takes memory for a page, not for the store: measured on a process of its own.
    @Suite struct LargeStoreTests {
        /// What 200,000 messages may take more than 2,000; their rows are ten times as much.
        private static let growthMaxKiB = 24 * 1024

        @Test(.timeLimit(.minutes(4))) func twoHundredThousandMessagesFitIntoPages() async throws {
            try await withStage { stage in
                // The stream has to be there: what is older than it keeps is expired, not missing.
                let service = try await stage.serve()
                #expect(await service.terminate() == .code(0))
                let small = try await peak(stage, "small", messages: 2_000)
                let large = try await peak(stage, "large", messages: 200_000)
                print("verifying 2,000 messages took \(small) KiB at most, 200,000 took \(large) KiB")
                #expect(large - small < Self.growthMaxKiB)
            }
        }

        /// The memory that `mailsync verify` takes at most for a user with so many messages, in KiB.
        private func peak(_ stage: Stage, _ user: String, messages: Int) async throws -> Int {
            let account = AccountKey(user: try UserID(user), provider: .google, inbox: .primary)
            let users = "\(stage.dataDirectory)/users"
            let stores = UserStores(directory: users, time: SystemTime(), logger: stage.logger)
            try await stores.use(account.user) { store in
                try await store.write {
                    try $0.follow(account, mailbox: "a@b", cursor: MailModel.Cursor("1"), estimatedTotal: 1, at: 1)
                }
            }
            await stores.close()
            try fill("\(users)/\(user)/events.db", of: account, messages: messages)
            let program = try SpawnedProgram(
                BuiltProgram.mailsync, ["verify", "--user", user], environment: stage.environment,
                output: "\(stage.logPath).\(user)")
            var peak = 0
            while program.exit == nil {
                peak = max(peak, Self.peakKiB(of: program.processID))
                _ = await program.waitForExit(within: .milliseconds(20))
            }
            #expect(program.exit == .code(0), "\(program.output)")
            #expect(peak > 0)
            return peak
        }

        private static func peakKiB(of process: pid_t) -> Int {
            // Gone when the process has just ended.
            guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) else { return 0 }
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
            return line.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? 0
        }

        /// Rows as received messages leave them, all confirmed.
        private func fill(_ path: String, of account: AccountKey, messages: Int) throws {
            let queue = try DatabaseQueue(path: path)
            let snippet = String(repeating: "lorem ipsum ", count: 20)
            try queue.write { db in
                let event = try db.makeStatement(
                    sql: """
                        INSERT INTO email_received_events(seq, event_id, ts, msg_date, provider, inbox_id, user_id,
                            provider_message_id, provider_thread_id, subject, sender, to_addrs, cc_addrs, bcc_addrs, snippet,
                            headers_json, labels_json, origin)
                        VALUES (?, ?, 1, 1, 'GOOGLE', 'primary', '\(account.user.encoded)', ?, 't', 's', 'a@b', '[]', '[]', '[]', ?, '{}',
                            '["INBOX"]', 'backfill')
                        """)
                let state = try db.makeStatement(
                    sql: """
                        INSERT INTO messages(seq, version, revision, is_present, provider_thread_id, labels_json)
                        VALUES (?, 1, 1, 1, 't', '["INBOX"]')
                        """)
                for seq in 2...Int64(messages + 1) {
                    let id = "m\(seq)"
                    let eventID = EventID.make(
                        generation: 0, account: account, message: id, type: "email.received", revision: 0)
                    try event.execute(arguments: [seq, eventID, id, snippet])
                    try state.execute(arguments: [seq])
                }
                try db.execute(
                    sql: """
                        UPDATE meta SET last_seq = \(messages + 1), published_seq = \(messages + 1);
                        UPDATE provider_sync_state SET stored = \(messages), events = \(messages + 1),
                            outbox_depth = 0;
                        DELETE FROM outbox;
                        """)
            }
            try queue.close()
        }
    }
}
