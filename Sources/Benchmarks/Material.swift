import Foundation
import Logging
import MailModel
import MailStore

/// The events of a workload in stores as the service fills them, nothing published: what is replayed.
struct Material: Sendable {
    let workload: Workload
    let directory: String

    private var users: String { directory + "/users" }
    private var accounts: [BenchmarkAccount] { BenchmarkAccount.all(workload.accounts) }

    /// The path of each account's `events.db`.
    var files: [String] { accounts.map { "\(users)/\($0.user.encoded)/events.db" } }

    /// Backfills every account of the workload from an emulator.
    func fill(logger: Logger) async throws {
        let emulator = try await EmulatorProcess.start(workload)
        let stores = UserStores(directory: users, time: SystemTime(), logger: logger)
        let sync = try SyncUnderTest(directory, emulator: emulator, stores: stores, logger: logger) { _ in }
        try await Pipeline.drive([{ try await sync.manager.run() }]) { [accounts] in
            try await sync.connect(accounts)
            while try await !sync.isLive() { try await Task.sleep(for: .milliseconds(50)) }
        }
        await stores.close()
        try await sync.close()
        await emulator.end()
    }

    /// One account's events as the batches that made them.
    struct Mailbox: Sendable {
        var account: BenchmarkAccount
        var identity: String
        var batches: [ChangeBatch]
        var events: Int
    }

    /// Reads everything into memory.
    func mailboxes(batchOf size: Int, logger: Logger) async throws -> [Mailbox] {
        let stores = UserStores(directory: users, time: SystemTime(), logger: logger)
        var mailboxes: [Mailbox] = []
        for account in accounts {
            let events = try await stores.useExisting(account.user) { store in
                try await store.read { try $0.events(after: 0, limit: .max) }
            }
            mailboxes.append(Mailbox(account, events ?? [], batchOf: size))
        }
        await stores.close()
        return mailboxes
    }
}

extension Material.Mailbox {
    init(_ account: BenchmarkAccount, _ events: [MailEvent], batchOf size: Int) {
        self.account = account
        // Checkpoints are a pass's; applying its batches alone emits none.
        self.events = events.count { event in
            if case .account(.checkpoint) = event.body { false } else { true }
        }
        identity = account.address
        batches = []
        var labels: [MailLabel]?
        var messages: [MessageChange] = []
        for event in events {
            switch event.body {
            case .received(let message): messages.append(.read(message, inScope: true))
            case .account(.connected(let mailbox)): identity = mailbox
            case .account(.labels(let known)): labels = known
            default: break
            }
        }
        for start in stride(from: 0, to: messages.count, by: size) {
            let end = min(start + size, messages.count)
            batches.append(
                ChangeBatch(
                    changes: Array(messages[start..<end]), labels: start == 0 ? labels : nil, origin: .backfill,
                    cursor: Cursor("\(end)"), phase: end == messages.count ? .live : .backfill,
                    more: end < messages.count))
        }
    }
}
