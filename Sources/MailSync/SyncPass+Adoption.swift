import MailModel
import MailStore

/// Taking over older mail whose events the stream no longer holds, after the store was filled from the stream.
///
/// The pass has just read all changes. First the mailbox is listed, by ids only, and what the store does not know is
/// remembered. Then a whole pass reads the changes once more: mail that arrived while the list was made is known as events
/// after that. What is left is read, and stored as state. In between, other passes go on.
extension SyncPass {
    /// Messages read for one transaction.
    static let adoptedAtOnceMax = 100

    /// Does what can be done now; the next pass goes on.
    func adopt(_ state: AccountSync) async throws -> PassResult {
        let began = context.time.nowMilliseconds()
        var hasListed = false
        while let adoption = try await read({ try $0.adoption(account) }) {
            try Task.checkCancellation()
            if let obstacle = context.obstacle() { return .paused(reason: obstacle) }
            switch adoption.stage {
            case .listing:
                try await listPage(adoption)
                hasListed = true
            case .changes:
                // The changes that this pass has read are older than the list.
                if hasListed { return .sliceOver }
                try await write { try $0.setAdoption(account, .reading) }
            case .reading:
                guard try await readCandidates(state) else { return .caughtUp }
            case .blind: try await write { try $0.setAdoption(account, nil) }
            }
            // New mail goes before old mail.
            let spent = context.time.nowMilliseconds() - began
            if context.takeWake() || context.shouldYield() || spent >= PassMachine.liveIntervalMilliseconds {
                return .sliceOver
            }
        }
        return .caughtUp
    }

    /// The cursor expired while mail is being taken over: the comparison that follows must not take it for new.
    func adoptBlindly() async throws {
        guard try await read({ try $0.adoption(account) }) != nil else { return }
        try await write { try $0.setAdoption(account, .blind) }
    }

    private func listPage(_ adoption: Adoption) async throws {
        do {
            let page = try await session.list(from: adoption.position)
            try await write { try $0.noteListed(page.inScope, next: page.next, of: account) }
        } catch let failure as SyncFailure where failure.decision == .restartListing {
            try await write { try $0.noteListed([], next: nil, of: account) }
            try await write { try $0.setAdoption(account, .listing) }
        }
    }

    /// - Returns: false when nothing can be read now.
    private func readCandidates(_ state: AccountSync) async throws -> Bool {
        let now = context.time.now()
        let ids = try await read { try $0.adoptionCandidates(account, at: now, limit: Self.adoptedAtOnceMax) }
        if ids.isEmpty {
            guard try await read({ try $0.adoptionCandidateCount(account) }) == 0 else { return false }
            try await write { try $0.setAdoption(account, nil) }
            return true
        }
        let batch = try await session.read(ids: ids, cursor: state.cursor, phase: state.phase)
        try await write { try $0.adopt(batch, candidates: ids, of: account, at: now) }
        return true
    }

    private func read<R: Sendable>(_ body: @Sendable (StoreReader) throws -> R) async throws -> R {
        try await context.stores.use(account.user) { try await $0.read(body) }
    }

    private func write(_ body: @Sendable (StoreTransaction) throws -> Void) async throws {
        try await context.stores.use(account.user) { try await $0.write(body) }
        if let state = try await read({ try $0.account(account) }) { await context.committed(state) }
    }
}
