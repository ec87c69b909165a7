import Logging
import MailModel
import MailStore

/// How a turn of one user ended.
enum ServingEnding: Sendable, Hashable {
    /// The outbox is empty.
    case done
    /// The turn is over, rows are left.
    case more
    case retry(after: Duration)
    /// Nothing more is published for this user until an operator acts.
    case stopped
    case pauseStream(reason: String)
    case stopAll(reason: String)
}

/// One turn of one user: looks if it must, publishes rows in order, confirms what the stream acknowledged.
struct UserServing: Sendable {
    let user: UserID
    var dispatch: UserDispatch
    let settings: DispatchSettings
    let publisher: any EventPublisher
    let counters: DispatchCounters
    let time: any TimeSource
    let logger: Logger
    let stopping: AtomicFlag

    /// Events rendered and sent again at a time, when the stream lost its tail.
    private static let renderedMax = 256

    /// Progress of this turn that the store does not know yet.
    private struct Progress {
        var seq: Int64
        var streamSequence: UInt64
    }

    /// - Throws: `StoreFailure`.
    mutating func run(_ store: UserStore) async throws -> ServingEnding {
        let epoch = publisher.connectionEpoch
        var state = try await store.read { try $0.dispatch() }
        if let dead = state.deadLetter {
            counters.change { _ = $0.deadLetters.insert(user) }
            logger.debug("publishing stands at a dead letter", metadata: ["user": "\(user)", "seq": "\(dead.seq)"])
            return .stopped
        }
        if dispatch.needsLook(epoch: epoch, at: time.nowMilliseconds(), duplicateWindow: settings.duplicateWindow) {
            if let ending = try await look(store, state, epoch) { return ending }
            state = try await store.read { try $0.dispatch() }
        }
        let rows = try await store.read { [settings] in try $0.unpublished(limit: settings.quantumRows) }
        guard !rows.isEmpty else { return .done }
        let ending = try await publish(rows.map { $0.message(of: user) }, rows, store)
        return ending ?? (rows.count < settings.quantumRows ? .done : .more)
    }

    // MARK: looking

    /// Asks what the stream holds and acts on it; nil when publishing may go on.
    private mutating func look(_ store: UserStore, _ state: DispatchState, _ epoch: Int) async throws -> ServingEnding? {
        let verdict: LookVerdict
        let stream: StreamState
        do {
            let last = try await publisher.lastStored(of: user)
            stream = try await publisher.streamState()
            verdict = LookVerdict.decide(last: last, store: state, stream: stream)
        } catch let unavailable as PublisherUnavailable {
            logger.debug("the stream was not asked", metadata: ["user": "\(user)", "reason": "\(unavailable.reason)"])
            return .retry(after: dispatch.lookFailed(settings: settings, random: Double.random(in: 0..<1)))
        }
        dispatch.looked(epoch: epoch, streamCreated: stream.created)
        switch verdict {
        case .sendRest: break
        case .confirm(let last):
            try await confirm(Progress(seq: last.seq, streamSequence: last.streamSequence), store)
        case .sendAgain(let after):
            if let ending = try await sendAgain(after: after, state, store) {
                dispatch.looksAgain()
                return ending
            }
        case .storeBehind(let streamSeq):
            try await noteBehind(store, storeSeq: state.lastSeq, streamSeq: streamSeq)
            return .stopped
        }
        return nil
    }

    /// Compares without acting on anything but a store that is behind.
    func noteIfBehind(_ store: UserStore) async throws {
        let state = try await store.read { try $0.dispatch() }
        guard let last = try await publisher.lastStored(of: user), last.seq > state.lastSeq else { return }
        try await noteBehind(store, storeSeq: state.lastSeq, streamSeq: last.seq)
    }

    private func noteBehind(_ store: UserStore, storeSeq: Int64, streamSeq: Int64) async throws {
        let message =
            "the stream holds event \(streamSeq) of this user, the store only \(storeSeq): the store is an older copy"
        logger.critical("store behind stream: nothing is published", metadata: ["user": "\(user)", "why": "\(message)"])
        counters.change { _ = $0.behind.insert(user) }
        let now = time.now()
        try await store.write { transaction in
            for account in try transaction.reader.accounts() {
                try transaction.setStatus(account.key, .behindStream(message: message), at: now)
            }
        }
    }

    /// Renders again what the stream had confirmed and lost, and sends it in order under the same ids.
    private mutating func sendAgain(
        after: Int64, _ state: DispatchState, _ store: UserStore
    ) async throws -> ServingEnding? {
        let through = state.publishedSeq
        logger.warning(
            "the stream lost events: they are sent again",
            metadata: ["user": "\(user)", "after_seq": "\(after)", "through_seq": "\(through)"])
        let oldest = time.now() - settings.streamMaxAge.milliseconds / 1000
        var seq = after
        while seq < through, !stopping.isRaised {
            let from = seq
            let events = try await store.read { try $0.events(after: from, limit: Self.renderedMax) }
                .filter { $0.seq <= through }
            guard let last = events.last else { break }
            let young = events.filter { $0.recordedAt > oldest }.map { event in
                OutboundMessage(
                    user: user, seq: event.seq, subject: event.subject, id: event.id, payload: event.payload())
            }
            if let ending = try await publish(young, [], store) { return ending }
            seq = last.seq
        }
        return seq < through && stopping.isRaised ? .more : nil
    }

    // MARK: publishing

    /// Publishes in order and confirms what was acknowledged; nil when all of it was.
    ///
    /// - Parameter rows: the outbox rows of the messages, when they come from there.
    private mutating func publish(
        _ messages: [OutboundMessage], _ rows: [OutboxRow], _ store: UserStore
    ) async throws -> ServingEnding? {
        var progress: Progress?
        var ending: ServingEnding?
        for (index, message) in messages.enumerated() {
            if stopping.isRaised {
                ending = .more
                break
            }
            CrashPoint.reach(.beforePublish)
            let started = time.nowMilliseconds()
            let outcome = await publisher.publish(message)
            let now = time.nowMilliseconds()
            let next = dispatch.published(outcome, at: now, settings: settings, random: Double.random(in: 0..<1))
            guard case .advance(let sequence, let duplicate) = next else {
                ending = try await stopped(next, at: message, rows.isEmpty ? nil : rows[index], outcome, store)
                break
            }
            CrashPoint.reach(.afterPublish)
            counters.change { state in
                if duplicate { state.duplicates += 1 } else { state.published += 1 }
            }
            counters.note(latencyMilliseconds: Double(now - started))
            progress = Progress(seq: message.seq, streamSequence: sequence)
        }
        if let progress {
            try await confirm(progress, store)
            CrashPoint.reach(.afterConfirm)
        }
        return ending
    }

    private func stopped(
        _ next: UserDispatch.AfterPublish, at message: OutboundMessage, _ row: OutboxRow?, _ outcome: PublishOutcome,
        _ store: UserStore
    ) async throws -> ServingEnding {
        switch next {
        case .advance: return .more
        case .look: return .retry(after: .milliseconds(1))
        case .again(let delay):
            counters.change { $0.unknowns += 1 }
            if let row { try await noteAttempt(row, after: delay, outcome, store) }
            return .retry(after: delay)
        case .deadLetter(let reason):
            try await deadLetter(message, reason, store)
            return .stopped
        case .pauseStream(let reason): return .pauseStream(reason: reason)
        case .stopAll(let reason): return .stopAll(reason: reason)
        }
    }

    private func noteAttempt(
        _ row: OutboxRow, after delay: Duration, _ outcome: PublishOutcome, _ store: UserStore
    ) async throws {
        guard case .unknown(let reason) = outcome else { return }
        let next = (time.nowMilliseconds() + delay.milliseconds) / 1000
        try await store.write { transaction in
            try transaction.noteAttempt(seq: row.seq, retries: row.retries + 1, nextAttemptAt: next, reason: reason)
        }
    }

    private func deadLetter(_ message: OutboundMessage, _ reason: String, _ store: UserStore) async throws {
        logger.critical(
            "an event can never be published: this user stops here",
            metadata: ["user": "\(user)", "seq": "\(message.seq)", "reason": "\(reason)"])
        counters.change { _ = $0.deadLetters.insert(user) }
        let now = time.now()
        try await store.write { try $0.deadLetter(seq: message.seq, reason: reason, at: now) }
    }

    private func confirm(_ progress: Progress, _ store: UserStore) async throws {
        let now = time.now()
        let created = dispatch.streamCreated
        try await store.write { transaction in
            try transaction.confirm(
                through: progress.seq, streamSequence: progress.streamSequence, stream: created, at: now)
        }
    }
}
