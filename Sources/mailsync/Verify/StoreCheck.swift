import EventAudit
import MailModel
import MailStore

/// Goes through a user's store, page by page: the log with itself, with current state, with the counters and with the
/// outbox.
struct StoreCheck: Sendable {
    private static let pageSize = 1_000
    /// So many differences of one look are shown that pages do not bound.
    private static let shownMax = 1_000

    let user: UserID
    let stores: UserStores
    /// Gets what is found, as it is found.
    let report: @Sendable ([Difference]) async throws -> Void

    /// - Throws: `StoreFailure`, or what `report` throws.
    func run(_ verification: inout Verification) async throws {
        var audit = try await read { reader in
            try LogAudit(generation: reader.dispatch().generation, erased: reader.erasedSequences())
        }
        try await numbers(&audit)
        try await messages(&audit)
        try await accountEvents(&audit)
        try await counters(&verification)
        try await outbox()
        verification.events = audit.events
        verification.messages = audit.messages
    }

    private func numbers(_ audit: inout LogAudit) async throws {
        var after: Int64 = 0
        while true {
            let from = after
            let (stamps, lastSeq) = try await read { reader in
                (try reader.stamps(after: from, limit: Self.pageSize), try reader.dispatch().lastSeq)
            }
            try await report(audit.take(stamps))
            guard stamps.count < Self.pageSize else {
                after = stamps.last?.seq ?? after
                continue
            }
            return try await report(audit.end(lastSeq: lastSeq))
        }
    }

    private func messages(_ audit: inout LogAudit) async throws {
        var after: Int64? = 0
        while let from = after {
            let records = try await read { try $0.messageRecords(after: from, limit: Self.pageSize) }
            try await report(audit.take(records))
            after = records.count < Self.pageSize ? nil : records.last?.seq
        }
        let isCutOff = audit.isCutOff
        let (changes, states) = try await read { reader in
            (
                isCutOff ? [] : try reader.changesWithoutMessage(limit: Self.shownMax),
                try reader.statesWithoutMessage(limit: Self.shownMax)
            )
        }
        try await report(changes.map { Difference(.changeWithoutMessage, seq: $0) })
        try await report(states.map { Difference(.stateWithoutMessage, seq: $0) })
    }

    private func accountEvents(_ audit: inout LogAudit) async throws {
        var after: Int64? = 0
        while let from = after {
            let records = try await read { try $0.accountEventRecords(after: from, limit: Self.pageSize) }
            try await report(audit.take(records))
            after = records.count < Self.pageSize ? nil : records.last?.seq
        }
    }

    private func counters(_ verification: inout Verification) async throws {
        let accounts = try await read { reader in
            try reader.accounts().map { account in
                (account, try reader.counters(account.key), try reader.recounted(account.key))
            }
        }
        for (account, kept, counted) in accounts {
            try await report(LogAudit.counters(of: account.key, kept: kept, counted: counted))
            verification.gaps += account.gaps
            verification.givenUp += account.givenUp
        }
    }

    private func outbox() async throws {
        var next: Int64? = 0
        while let after = next {
            let found = try await read { reader in
                let stretch = try reader.outboxStretch(after: after, limit: Self.pageSize)
                return (OutboxAudit.differences(stretch), stretch.next)
            }
            try await report(found.0)
            next = found.1
        }
    }

    private func read<R: Sendable>(_ body: @escaping @Sendable (StoreReader) throws -> R) async throws -> R {
        try Task.checkCancellation()
        return try await stores.use(user) { try await $0.read(body) }
    }
}
