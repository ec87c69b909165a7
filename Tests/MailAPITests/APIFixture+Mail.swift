import MailModel
import MailStore

@testable import MailAPI

extension APIFixture {
    /// Messages arrive in the user's mailbox, which is followed when it was not.
    func receive(
        _ user: String, _ count: Int, inbox: String = "primary", from first: Int = 0, subject: String = "Hello"
    ) async throws {
        let key = AccountKey(user: try UserID(user), provider: .google, inbox: try InboxID(inbox))
        let changes = (first..<first + count).map { number in
            MessageChange.read(
                MessageMeta(id: "m\(number)", threadID: "t", date: 1_700_000_000, subject: subject), inScope: true)
        }
        let now = time.now()
        try await stores.use(key.user) { store in
            try await store.write { transaction in
                try transaction.follow(
                    key, mailbox: "ada@example.com", cursor: Cursor("start"), estimatedTotal: count, at: now)
                let batch = ChangeBatch(changes: changes, origin: .incremental, cursor: Cursor("next"), phase: .live)
                _ = try transaction.apply(batch, to: key, at: now)
            }
        }
        events.committed(key.user)
    }

    /// Every event, as it is published.
    func log(of user: String) async throws -> [String] {
        let events = try await stores.useExisting(UserID(user)) { store in
            try await store.read { try $0.events(after: 0, limit: .max) }
        }
        return (events ?? []).map { String(decoding: $0.payload(), as: UTF8.self) }
    }
}
