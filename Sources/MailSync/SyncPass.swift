import MailModel
import MailStore

/// How a pass ended, when nothing went wrong.
enum PassResult: Sendable, Hashable {
    /// Everything the provider had is stored.
    case caughtUp
    /// Everything but imports is stored; they go on with the next pass, which is due at once. So whoever waits for a pass
    /// does not wait for the end of imports.
    case importing
    /// The pass gave its place to others; the rest follows in the next one.
    case sliceOver
    /// A back-off that began before the process started is not over: how long it still lasts, and the failures so far.
    case backingOff(Duration, failures: Int)
    /// Something of ours is in the way; tried again soon.
    case paused(reason: String)
}

/// The tokens open another mailbox than the one this account follows. Nothing was written.
struct WrongMailbox: Error, Sendable {}

/// What a pass needs from its surroundings.
struct PassContext: Sendable {
    var stores: UserStores
    var time: any TimeSource
    /// Backfills pause while so many rows wait in the user's outbox.
    var outboxRowsMax: Int
    /// What is in the way of writing, if anything: the disk's reserve is used up.
    var obstacle: @Sendable () -> String?
    /// Takes the account's wake-up flag.
    var takeWake: @Sendable () -> Bool
    /// Takes the flag that says that a push announced changes.
    var takeAnnouncement: @Sendable () -> Bool = { false }
    /// Changes of the mailbox made events.
    var foundChanges: @Sendable () -> Void = {}
    /// True when others wait for a place and this pass had its slice.
    var shouldYield: @Sendable () -> Bool
    /// The pass begins: what the store has of the account.
    var began: @Sendable (AccountSync?) async -> Void = { _ in }
    /// Something was committed: the account's new state.
    var committed: @Sendable (AccountSync) async -> Void
    /// Takes the wish to have mailbox and store compared, if there is one.
    var takeComparison: @Sendable () async -> ComparisonRequest? = { nil }
    /// An import moved or ended: what it is now.
    var importMoved: @Sendable (MailImport) async -> Void = { _ in }
}

/// One pass over one mailbox: asks the ``PassMachine`` what to do, does it, commits.
struct SyncPass: Sendable {
    let account: AccountKey
    let session: any MailboxSession
    let context: PassContext
    /// Only folders that are due are asked for changes; nil: all of them.
    var folders: FolderSchedule?
    /// The mailbox was checked since the account was connected or the process started.
    var mailboxKnown: Bool
    /// True for an account's first pass since the process started: the back-off that is in the store goes on.
    var resumesBackoff = false

    /// - Throws: ``SyncFailure``, ``WrongMailbox``, `StoreFailure`, `CancellationError`.
    func run() async throws -> PassResult {
        var state = try await stored()
        await context.began(state)
        // Only filling it from the stream heals it: connecting again must not number events anew.
        if state?.status == .behindStream { throw StoreBehindStream() }
        if try await needsRestoring() { throw StoreBehindStream() }
        if resumesBackoff, let state, let rest = state.backoffRest(at: context.time.now()) {
            return .backingOff(rest, failures: max(1, state.retryCount))
        }
        var machine = PassMachine(phase: state?.phase ?? .starting, mailboxKnown: mailboxKnown && state != nil)
        while true {
            try Task.checkCancellation()
            machine.noteImports(try await hasActiveImport())
            if machine.step == .done { break }
            if let obstacle = context.obstacle() { return .paused(reason: obstacle) }
            if machine.step.adds, let reason = try await fullOutbox() {
                return .paused(reason: reason)
            }
            if machine.step.isLong, context.shouldYield() { return .sliceOver }
            if context.takeAnnouncement() { machine.announced() }
            state = try await perform(&machine, state)
        }
        if let state, case let result = try await adopt(state), result != .caughtUp { return result }
        if let request = await context.takeComparison() { try await compare(request) }
        return machine.hasImports ? .importing : .caughtUp
    }

    private func needsRestoring() async throws -> Bool {
        try await context.stores.use(account.user) { try await $0.needsRestoring() }
    }

    /// What waits for the stream is the user's, whichever account it is of.
    private func fullOutbox() async throws -> String? {
        let depth = try await context.stores.use(account.user) { try await $0.read { try $0.dispatch().outboxDepth } }
        return depth >= context.outboxRowsMax ? "outbox: \(depth) events wait for the stream" : nil
    }

    private func compare(_ request: ComparisonRequest) async throws {
        let comparison = MailboxComparison(
            account: account, session: session, stores: context.stores, time: context.time, heals: request.heals,
            catchUp: catchUp, committed: context.committed)
        do {
            request.finish(.success(try await comparison.run()))
        } catch {
            request.finish(.failure(CannotCompare("\(error)")))
            throw error
        }
    }

    /// Reads and commits changes until there are no more.
    private func catchUp() async throws {
        var more = true
        while more {
            try Task.checkCancellation()
            guard let state = try await stored() else { throw StoreInconsistency(account: account) }
            let now = context.time.now()
            let (batch, next) = try await context.stores.use(account.user) { store in
                let batch = try await session.changes(since: state.cursor, known: store.known(account))
                let next = try await store.write { transaction in
                    _ = try transaction.apply(batch, to: account, at: now)
                    return try transaction.reader.account(account)
                }
                return (batch, next)
            }
            if let next { await context.committed(next) }
            more = batch.more
        }
    }

    private func stored() async throws -> AccountSync? {
        try await context.stores.use(account.user) { store in try await store.read { try $0.account(account) } }
    }

    private func perform(_ machine: inout PassMachine, _ state: AccountSync?) async throws -> AccountSync? {
        guard machine.step != .checkMailbox, let state else {
            let (followed, fresh) = try await checkMailbox(state)
            machine.mailboxChecked(phase: followed.phase, fresh: fresh, at: context.time.nowMilliseconds())
            return followed
        }
        guard let next = try await commitNextBatch(&machine, state) else { return state }
        await context.committed(next)
        return next
    }

    /// Reads the profile; follows the mailbox when it is new, refuses when it is another one.
    private func checkMailbox(_ state: AccountSync?) async throws -> (AccountSync, fresh: Bool) {
        let profile = try await session.profile()
        // A restored account of which nothing was left has no mailbox yet.
        if let state, !state.mailbox.isEmpty, state.mailbox != profile.identity { throw WrongMailbox() }
        let now = context.time.now()
        let followed = try await context.stores.use(account.user) { store in
            try await store.write { transaction in
                try transaction.follow(
                    account, mailbox: profile.identity, cursor: profile.startingCursor,
                    estimatedTotal: profile.messagesTotal, at: now)
                if let state, state.status.wasRefused {
                    _ = try transaction.record(
                        .connected(mailbox: profile.identity), of: account, origin: .incremental, at: now)
                }
                return try transaction.reader.account(account)
            }
        }
        guard let followed else { throw StoreInconsistency(account: account) }
        await context.committed(followed)
        return (followed, fresh: state == nil)
    }

    /// Fetches and commits one batch; nil when there was nothing to do.
    private func commitNextBatch(_ machine: inout PassMachine, _ state: AccountSync) async throws -> AccountSync? {
        let now = context.time.now()
        let step = machine.step
        if step == .importing { return try await commitNextOfImport(&machine, state) }
        var batch: ChangeBatch?
        do {
            // A push tells of a change in whichever folder.
            let folders = machine.isAnnounced ? nil : folders
            batch = try await context.stores.use(account.user) { store in
                try await fetch(step, folders, state, store, now)
            }
        } catch let failure as SyncFailure where failure.decision == .resync && step != .repair {
            try await adoptBlindly()
            machine.cursorExpired()
            return nil
        }
        if machine.isAnnounced, step == .changes, batch?.origin == .incremental { batch?.origin = .push }
        guard let batch else {
            machine.noGapsDue()
            return nil
        }
        let next = try await context.stores.use(account.user) { store in
            try await store.write { transaction in
                _ = try transaction.applyNoting(batch, to: account, at: now)
                return try transaction.reader.account(account)
            }
        }
        guard let next else { throw StoreInconsistency(account: account) }
        if step == .changes, next.events > state.events { context.foundChanges() }
        machine.committed(
            phase: next.phase, more: batch.more, woken: step.isLong && context.takeWake(),
            at: context.time.nowMilliseconds())
        return next
    }

    private func commitNextOfImport(_ machine: inout PassMachine, _ state: AccountSync) async throws -> AccountSync? {
        do {
            guard let next = try await advanceImport(state) else { return nil }
            machine.committed(
                phase: next.phase, more: true, woken: context.takeWake(), at: context.time.nowMilliseconds())
            return next
        } catch let failure as SyncFailure where failure.decision == .resync {
            machine.cursorExpired()
            return nil
        }
    }

    private func fetch(
        _ step: PassMachine.Step, _ folders: FolderSchedule?, _ state: AccountSync, _ store: UserStore,
        _ now: UnixSeconds
    ) async throws -> ChangeBatch? {
        let known = store.known(account)
        switch step {
        case .changes:
            guard let folders else { return try await session.changes(since: state.cursor, known: known) }
            return try await session.dueChanges(since: state.cursor, known: known, schedule: folders)
        case .backfill: return try await session.backfill(from: state.cursor, known: known)
        case .repair: return try await session.repair(from: state.cursor, known: known)
        case .retryGaps:
            let due = try await store.read { try $0.dueGaps(account, at: now, limit: Self.gapsPerPassMax) }
            if due.isEmpty { return nil }
            // Those of imports first; the others with the next pass.
            let wanted = try await store.read { try $0.gapsOfAnyDate(account, among: due) }
            return try await session.read(
                ids: wanted.isEmpty ? due : due.filter(wanted.contains), cursor: state.cursor, phase: state.phase,
                anyDate: !wanted.isEmpty)
        case .checkMailbox, .importing, .done: return nil
        }
    }

    /// At most so many messages of the gap ledger are retried in one pass.
    static let gapsPerPassMax = 50
}

/// A row that was just written is not there: only possible if the store is broken.
struct StoreInconsistency: Error, CustomStringConvertible {
    let account: AccountKey
    var description: String { "the sync state of \(account) is missing right after it was written" }
}

extension AccountSync {
    /// How long the account still waits after its last failure; nil when it does not.
    fileprivate func backoffRest(at now: UnixSeconds) -> Duration? {
        guard status == .error, let nextAttemptAt, nextAttemptAt > now else { return nil }
        return .seconds(nextAttemptAt - now)
    }
}

extension AccountStatus {
    /// The tokens were of no use until somebody connected again. (A disconnected account is announced by `follow`.)
    fileprivate var wasRefused: Bool {
        switch self {
        case .reauthRequired, .wrongMailbox: true
        case .stopped, .starting, .active, .error, .behindStream: false
        }
    }
}
