import MailModel
import MailStore

/// Compares what a mailbox lists with what its store says, at the end of a pass. A difference in a listing is a
/// candidate only: after changes were read once more, each is read, and what reading says counts.
struct MailboxComparison: Sendable {
    let account: AccountKey
    let session: any MailboxSession
    let stores: UserStores
    let time: any TimeSource
    let heals: Bool
    /// Reads and commits changes: live mail does not wait for a long listing, and what is on its way is not missing.
    let catchUp: @Sendable () async throws -> Void
    let committed: @Sendable (AccountSync) async -> Void

    /// Candidates looked into at once; the next comparison finds the rest.
    static let candidatesMax = 10_000
    /// Stored messages, and candidates, asked for at once.
    private static let stepSize = 500
    private static let readMax = 100
    /// While listing, changes are asked for at least this often, in milliseconds.
    private static let liveIntervalMilliseconds: Int64 = 5_000
    private static let restartsMax = 3

    /// - Throws: ``SyncFailure``, `StoreFailure`, `CancellationError`.
    func run() async throws -> MailboxFindings {
        var findings = MailboxFindings()
        var digests = IDDigests()
        var candidates = try await listed(&findings, &digests)
        digests.seal()
        candidates += try await unlisted(digests, &findings)
        try await catchUp()
        for start in stride(from: 0, to: candidates.count, by: Self.readMax) {
            let slice = candidates[start..<min(start + Self.readMax, candidates.count)]
            try await lookInto(Array(slice), &findings)
        }
        try await record(findings)
        return findings
    }

    /// Lists the mailbox; returns what the store does not have.
    private func listed(_ findings: inout MailboxFindings, _ digests: inout IDDigests) async throws -> [String] {
        var candidates: [String] = []
        var position: Cursor?
        var restarts = 0
        var changesReadAt = time.nowMilliseconds()
        while true {
            do {
                let page = try await session.list(from: position)
                for id in page.inScope + page.outOfScope { digests.insert(id) }
                findings.listed += page.inScope.count + page.outOfScope.count
                candidates += try await absent(page.inScope)
                guard let next = page.next else { break }
                position = next
            } catch let failure as SyncFailure where failure.decision == .restartListing {
                restarts += 1
                if restarts > Self.restartsMax { throw failure }
                position = nil
                findings.listed = 0
                candidates = []
            }
            if time.nowMilliseconds() - changesReadAt >= Self.liveIntervalMilliseconds {
                try await catchUp()
                changesReadAt = time.nowMilliseconds()
            }
        }
        return cut(candidates, &findings)
    }

    /// Those that the store does not have, or takes for gone.
    private func absent(_ ids: [String]) async throws -> [String] {
        try await stores.use(account.user) { store in
            let known = store.known(account)
            let unknown = Set(try await known.unknown(among: ids))
            let states = try await known.states(of: ids)
            return ids.filter { unknown.contains($0) || states[$0]?.exists == false }
        }
    }

    /// Walks through the store for messages that the mailbox does not list.
    private func unlisted(_ digests: IDDigests, _ findings: inout MailboxFindings) async throws -> [String] {
        var candidates: [String] = []
        var after: String?
        while true {
            let from = after
            let states = try await stores.use(account.user) { store in
                try await store.known(account).present(after: from, limit: Self.stepSize)
            }
            guard let last = states.last else { return cut(candidates, &findings) }
            candidates += states.lazy.map(\.id).filter { !digests.contains($0) }
            after = last.id
        }
    }

    private func cut(_ candidates: [String], _ findings: inout MailboxFindings) -> [String] {
        guard candidates.count > Self.candidatesMax else { return candidates }
        findings.isCut = true
        return Array(candidates.prefix(Self.candidatesMax))
    }

    /// Reads candidates, and applies what is to be healed.
    private func lookInto(_ ids: [String], _ findings: inout MailboxFindings) async throws {
        guard let state = try await stored() else { return }
        var batch = try await session.read(ids: ids, cursor: state.cursor, phase: state.phase)
        batch.origin = .repair
        let (states, givenUp) = try await stores.use(account.user) { store in
            try await store.read { reader in
                (try reader.states(account, of: ids), Set(try reader.givenUpGaps(account).map(\.id)))
            }
        }
        for case .read(let message, let inScope) in batch.changes {
            if states[message.id].map({ !$0.exists }) ?? inScope { findings.missing.append(message.id) }
        }
        findings.gone += batch.vanished.filter { states[$0]?.exists == true }
        // What an operator gave up counts apart.
        findings.unreadable += batch.gaps.map(\.id).filter { states[$0] == nil && !givenUp.contains($0) }
        if heals { findings.emitted += try await apply(batch) }
    }

    private func apply(_ batch: ChangeBatch) async throws -> Int {
        let now = time.now()
        let (applied, next) = try await stores.use(account.user) { store in
            try await store.write { transaction in
                (try transaction.apply(batch, to: account, at: now), try transaction.reader.account(account))
            }
        }
        if let next { await committed(next) }
        return applied.received + applied.updated + applied.deleted
    }

    private func record(_ findings: MailboxFindings) async throws {
        let now = time.now()
        let missing = heals ? findings.unreadable.count : findings.missing.count + findings.unreadable.count
        let next = try await stores.use(account.user) { store in
            try await store.write { transaction in
                try transaction.recordVerification(account, missing: missing, at: now)
                return try transaction.reader.account(account)
            }
        }
        if let next { await committed(next) }
    }

    private func stored() async throws -> AccountSync? {
        try await stores.use(account.user) { store in try await store.read { try $0.account(account) } }
    }
}
