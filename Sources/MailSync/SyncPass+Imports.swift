import MailModel
import MailStore

/// Imports: the pass reads the next messages of one of them and commits them with the import's own place, in the batch's
/// transaction. The account's cursor stays.
extension SyncPass {
    func hasActiveImport() async throws -> Bool {
        try await context.stores.use(account.user) { store in try await store.read { try $0.hasActiveImport(account) } }
    }

    /// Does the next part of the import whose turn it is.
    ///
    /// - Returns: the account as it is now; nil when there was nothing to do.
    /// - Throws: ``SyncFailure`` that concerns the account, and not only the import.
    func advanceImport(_ state: AccountSync) async throws -> AccountSync? {
        let next = try await context.stores.use(account.user) { store in
            try await store.read { try $0.nextImport(account) }
        }
        guard let next else { return nil }
        let moved: MailImport?
        do {
            moved = next.isScanned ? try await fetch(next, state) : try await scan(next)
        } catch let failure as SyncFailure where failure.decision == .skip {
            moved = try await write { try $0.fail(next.id, failure, atMilliseconds: $1) }
        }
        if let moved { await context.importMoved(moved) }
        return try await context.stores.use(account.user) { store in try await store.read { try $0.account(account) } }
    }

    private func scan(_ next: MailImport) async throws -> MailImport? {
        let page: SelectionPage
        do {
            page = try await session.scan(next.selection, from: next.position)
        } catch let failure as SyncFailure where failure.decision == .restartListing && next.position != nil {
            return try await write { try $0.restartScan(next.id, atMilliseconds: $1) }
        }
        let unknown = try await context.stores.use(account.user) { store in
            try await store.known(account).unknown(among: page.ids)
        }
        return try await write {
            try $0.noteScanned(next.id, page, known: page.ids.count - unknown.count, atMilliseconds: $1)
        }
    }

    private func fetch(_ next: MailImport, _ state: AccountSync) async throws -> MailImport? {
        let batch = try await context.stores.use(account.user) { store in
            try await session.fetch(
                next.selection, from: next.position, cursor: state.cursor, phase: state.phase,
                known: store.known(account))
        }
        return try await write { try $0.apply(batch, of: next.id, atMilliseconds: $1) }
    }

    private func write<R: Sendable>(_ body: @Sendable (StoreTransaction, Int64) throws -> R) async throws -> R {
        let now = context.time.nowMilliseconds()
        return try await context.stores.use(account.user) { store in try await store.write { try body($0, now) } }
    }
}
