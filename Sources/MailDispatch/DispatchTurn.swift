import Logging
import MailModel
import MailStore
import Synchronization

/// Counts of what turns did, shared by all of them.
final class DispatchCounters: Sendable {
    struct Values: Sendable {
        var metrics = DispatchMetrics()
        var latencies: LatencyRing
        var oldest: [UserID: UnixSeconds] = [:]
        var deadLetters: Set<UserID> = []
        var behind: Set<UserID> = []
        /// The highest stream sequence that was acknowledged.
        var streamSequenceMax: UInt64 = 0
    }

    private let values: Mutex<Values>

    init(latenciesKept: Int) { values = Mutex(Values(latencies: LatencyRing(capacity: latenciesKept))) }

    func update<R: Sendable>(_ body: (inout Values) -> R) -> R { values.withLock { body(&$0) } }
}

/// One turn of one user: does what ``UserDispatch`` says, and tells it what came of it.
struct DispatchTurn: Sendable {
    let user: UserID
    let publisher: any EventPublisher
    let counters: DispatchCounters
    let time: any TimeSource
    let logger: Logger
    /// True when the turn should end before the next message.
    let mustStop: @Sendable () -> Bool

    /// Runs the turn on the user's open store.
    ///
    /// - Throws: what the store throws.
    func run(_ store: UserStore, _ dispatch: inout UserDispatch, _ pass: StreamPass, budget: Int) async throws
        -> TurnEnd
    {
        var step = dispatch.begin(pass, budget: budget)
        while true {
            try await write(step.writes, store, pass)
            switch step.next {
            case .load(let limit): step = try await load(store, &dispatch, limit)
            case .loadEvents(let after, let limit):
                let items = try await store.read { try $0.events(after: after, limit: limit).map(Self.item) }
                step = dispatch.loadedEvents(items, now: time.nowMilliseconds())
                let waiting = dispatch.waitingCount
                counters.update { $0.metrics.resent += waiting }
            case .loadRequested(let sequences):
                let items = try await store.read { reader in
                    try sequences.compactMap { try reader.event(seq: $0).map(Self.item) }
                }
                step = dispatch.loadedRequested(items, now: time.nowMilliseconds())
                let waiting = dispatch.waitingCount
                counters.update { $0.metrics.resent += waiting }
            case .look: step = try await look(store, &dispatch)
            case .publish(let message):
                step = mustStop() ? dispatch.interrupted() : await publish(message, &dispatch)
            case .end(let end):
                report(end)
                return end
            }
        }
    }

    private func load(_ store: UserStore, _ dispatch: inout UserDispatch, _ limit: Int) async throws -> Step {
        let (state, rows) = try await store.read { (try $0.dispatch(), try $0.unpublished(limit: limit)) }
        noteLoaded(state, rows)
        let items = rows.map {
            UserDispatch.Item(message: $0.message(of: user), retries: $0.retries, recordedAt: $0.recordedAt)
        }
        return dispatch.loaded(state, items, now: time.nowMilliseconds())
    }

    private func noteLoaded(_ state: DispatchState, _ rows: [OutboxRow]) {
        let isNew = counters.update { values in
            values.oldest[user] = rows.first?.recordedAt
            if state.deadLetter != nil { return values.deadLetters.insert(user).inserted }
            values.deadLetters.remove(user)
            return false
        }
        guard isNew, let dead = state.deadLetter else { return }
        logger.error(
            "a user's publishing is stopped at an event that could not be published",
            metadata: ["user": "\(user)", "seq": "\(dead.seq)", "reason": "\(dead.reason)"])
    }

    private static func item(_ event: MailEvent) -> UserDispatch.Item {
        let message = OutboundMessage(
            user: event.account.user, seq: event.seq, subject: event.subject, id: event.id, payload: event.payload())
        return UserDispatch.Item(message: message, retries: 0, recordedAt: event.recordedAt)
    }

    private func look(_ store: UserStore, _ dispatch: inout UserDispatch) async throws -> Step {
        counters.update { $0.metrics.lookups += 1 }
        let (stored, first): (StoredMessage?, StoredMessage?)
        do {
            stored = try await publisher.lastStored(of: user)
            first = dispatch.meetsAnotherStream ? try await publisher.firstStored(of: user) : nil
        } catch let unavailable as PublisherUnavailable {
            return dispatch.lookFailed(unavailable.reason)
        }
        var own = OwnEvent.unasked
        var held: Int64?
        if let stored {
            (own, held) = try await store.read { reader in
                (
                    try OwnEvent(stored.seq, reader),
                    try reader.heldAtResend(of: stored.seq, streamSequence: stored.streamSequence)
                )
            }
        }
        return dispatch.looked(stored, first: first, own: own, held: held, now: time.nowMilliseconds())
    }

    private func publish(_ message: OutboundMessage, _ dispatch: inout UserDispatch) async -> Step {
        CrashPoint.reach(.beforePublish)
        counters.update { $0.metrics.inFlight += 1 }
        let began = ContinuousClock.now
        let outcome = await publisher.publish(message)
        let took = (ContinuousClock.now - began).inSeconds * 1000
        if case .stored = outcome { CrashPoint.reach(.afterPublish) }
        counters.update { $0.count(outcome, took: took, seq: message.seq) }
        return dispatch.published(outcome, now: time.nowMilliseconds(), jitter: Double.random(in: 0..<1))
    }

    private func write(_ writes: [StoreWrite], _ store: UserStore, _ pass: StreamPass) async throws {
        guard !writes.isEmpty else { return }
        let now = time.now()
        try await store.write { transaction in
            for write in writes { try apply(write, to: transaction, pass, now) }
        }
        if case .confirm = writes.first { CrashPoint.reach(.afterConfirm) }
    }

    private func apply(_ write: StoreWrite, to transaction: StoreTransaction, _ pass: StreamPass, _ now: UnixSeconds)
        throws
    {
        switch write {
        case .confirm(let seq, let streamSequence):
            try transaction.confirm(
                through: seq, streamSequence: streamSequence, stream: pass.stream.created, at: now)
        case .confirmUnderway(let seq, let streamSequence):
            try transaction.confirm(through: seq, streamSequence: streamSequence, stream: nil, at: now)
        case .attempt(let seq, let retries, let nextAttemptAt, let reason):
            try transaction.noteAttempt(seq: seq, retries: retries, nextAttemptAt: nextAttemptAt, reason: reason)
        case .resent(let seq, let streamSequence):
            try transaction.resent(
                seq: seq, streamSequence: streamSequence, stream: pass.stream.created, at: now)
        case .cancelResend(let seq): try transaction.cancelResend(seq: seq)
        case .deadLetter(let seq, let reason):
            logger.critical(
                "an event can never be published: this user's publishing stops",
                metadata: ["user": "\(user)", "seq": "\(seq)", "reason": "\(reason)"])
            try transaction.deadLetter(seq: seq, reason: reason, at: now)
            counters.update { _ = $0.deadLetters.insert(user) }
        case .behind(let message):
            logger.critical("\(message)", metadata: ["user": "\(user)"])
            for account in try transaction.reader.accounts() {
                try transaction.setStatus(account.key, .behindStream(message: message), at: now)
            }
            counters.update { _ = $0.behind.insert(user) }
        }
    }

    private func report(_ end: TurnEnd) {
        switch end {
        case .idle:
            counters.update {
                $0.oldest[user] = nil
                $0.behind.remove(user)
            }
        case .wait(let milliseconds, let reason):
            logger.debug(
                "a publish has an unknown outcome",
                metadata: ["user": "\(user)", "reason": "\(reason)", "again_in_ms": "\(milliseconds)"])
        case .more, .blocked, .behind, .unavailable, .trouble, .forbidden, .storeFailed: break
        }
    }
}

extension DispatchCounters.Values {
    fileprivate mutating func count(_ outcome: PublishOutcome, took milliseconds: Double, seq: Int64) {
        metrics.inFlight -= 1
        switch outcome {
        case .stored(let streamSequence, let duplicate):
            metrics.published += 1
            if duplicate { metrics.duplicates += 1 }
            streamSequenceMax = max(streamSequenceMax, streamSequence)
            latencies.add(milliseconds)
        case .unknown: metrics.unknowns += 1
        case .look, .rejected, .streamTrouble, .forbidden: break
        }
    }
}
