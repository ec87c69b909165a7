import MailModel

/// One of the accounts that are measured.
struct BenchmarkAccount: Sendable, Hashable {
    let number: Int

    static func all(_ count: Int) -> [BenchmarkAccount] { (1...max(1, count)).map(BenchmarkAccount.init) }

    var address: String { "bench-\(number)@example.com" }
    var user: UserID { UserID(uncheckedEncoded: "bench-\(number)") }
    var key: AccountKey { AccountKey(user: user, provider: .google, inbox: .primary) }
}

/// What one measurement is made of.
struct Workload: Sendable, Codable {
    var accounts: Int
    /// Messages in each mailbox.
    var messagesEach: Int
    /// Mail to fill every mailbox with, in place of generated mail.
    var mbox: String?
    var seed: UInt64
}
