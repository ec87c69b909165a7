import MailModel
import MailStore

/// The stream as one connection found it. Nothing is published without one.
struct StreamPass: Sendable, Hashable {
    /// The number of the connection (``EventPublisher/connectionEpoch``).
    var connection: Int
    /// The stream before anything was published over this connection.
    var stream: StreamState
    /// Grows with every pass, so that reports about an earlier one are recognised.
    var serial = 0
}

/// What decides about one user's publishing: events in, steps out. It does no I/O and reads no clock.
///
/// A turn begins with ``begin(_:budget:)`` and ends with a step whose `next` is `end`. Between two turns the value
/// remembers on which connection the stream was asked for the user's last message, and what is unknown.
struct UserDispatch: Sendable {
    /// Something to send: a row of the outbox, or an event of the log that the stream lost.
    struct Item: Sendable, Hashable {
        var message: OutboundMessage
        var retries: Int
        var recordedAt: UnixSeconds
    }

    /// A message whose fate is not known.
    private struct Unknown: Sendable, Hashable {
        var seq: Int64
        /// When it was sent first, in milliseconds.
        var since: Int64
    }

    private struct Acked: Sendable, Hashable {
        var seq: Int64
        var streamSequence: UInt64
    }

    /// A stretch of confirmed events that the stream lost.
    private struct Resend: Sendable, Hashable {
        var after: Int64
        var through: Int64
        /// The stream was made anew and took later events before this was known: they stay where they are.
        var isBelowTail = false
        /// Of the last one sent; 0 when all were too old to be sent.
        var streamSequence: UInt64 = 0
        var lastSent: Int64?
    }

    /// How far the turn is with events whose sending again was asked for: they come last.
    private enum Requested: Sendable, Hashable {
        case notBegun
        /// The stream was asked for the user's last message, and nothing was published since.
        case looked(StoredMessage?)
        case loading
        case sending
    }

    let settings: DispatchSettings

    // Kept between turns.
    private var checkedConnection: Int?
    private var behindConnection: Int?
    private var unknown: Unknown?
    private var mustLook = false

    // Of the present turn.
    private var pass = StreamPass(
        connection: 0,
        stream: StreamState(created: "", lastSequence: 0, firstSequence: 0, duplicateWindowMilliseconds: 0))
    private var budget = 0
    private var state: DispatchState?
    private var items: ArraySlice<Item> = []
    private var chunkWasFull = false
    private var acked: Acked?
    private var resend: Resend?
    private var lookedFor: Int64?
    private var requested = Requested.notBegun
    /// The server took an event that was sent again for one that it has.
    private var isRemembered = false
    private var sentAt: Int64 = 0

    init(settings: DispatchSettings = DispatchSettings()) { self.settings = settings }

    /// Messages read and not yet acknowledged.
    var waitingCount: Int { items.count }

    // MARK: Events

    /// A turn begins.
    mutating func begin(_ pass: StreamPass, budget: Int) -> Step {
        self.pass = pass
        self.budget = budget
        items = []
        acked = nil
        resend = nil
        lookedFor = nil
        requested = .notBegun
        isRemembered = false
        return Step(next: .load(limit: settings.chunkRows))
    }

    /// The outbox was read.
    mutating func loaded(_ state: DispatchState, _ rows: [Item], now: Int64) -> Step {
        self.state = state
        items = rows[...]
        chunkWasFull = rows.count >= settings.chunkRows
        if checkedConnection != pass.connection {
            if rows.isEmpty, !mustLook, !isAtOdds(state), state.waitingResends.isEmpty { return end(.idle) }
            return behindConnection == pass.connection ? end(.blocked) : Step(next: .look)
        }
        // A new connection tries it once more: the server may take larger messages now.
        if state.deadLetter != nil { return end(.blocked) }
        if let unknown, unknown.seq == rows.first?.message.seq, isOld(unknown, now) { return Step(next: .look) }
        return send(now: now)
    }

    /// True when the stream is not the one that confirmed this user's last event.
    var meetsAnotherStream: Bool { state.map(isOfAnotherStream) ?? false }

    /// The stream was asked for the user's last message.
    ///
    /// - Parameters:
    ///   - first: the user's first message, when ``meetsAnotherStream``.
    ///   - own: what our log has under that message's number.
    ///   - held: when that message was sent again, out of its order: up to where the stream held everything by then.
    mutating func looked(
        _ stored: StoredMessage?, first: StoredMessage? = nil, own: OwnEvent, held: Int64? = nil, now: Int64
    ) -> Step {
        guard let state else { return end(.unavailable("nothing loaded")) }
        let storedSeq = max(stored?.seq ?? 0, isOfAnotherStream(state) ? 0 : held ?? 0)
        if let stored, storedSeq > state.lastSeq || own.contradicts(stored) {
            behindConnection = pass.connection
            return end(.behind, adding: .behind(Self.behindMessage(stored, state)))
        }
        checkedConnection = pass.connection
        behindConnection = nil
        unknown = nil
        mustLook = false
        requested = .looked(stored)
        if let stored, let first, first.seq > 1, isOfAnotherStream(state) { return fill(stored, below: first.seq) }
        if let stored, storedSeq > max(state.publishedSeq, acked?.seq ?? 0) {
            acked = Acked(seq: storedSeq, streamSequence: stored.streamSequence)
        } else if storedSeq < state.publishedSeq, hasLostMessages(state, last: stored) {
            resend = Resend(after: storedSeq, through: state.publishedSeq)
            items = []
            return Step(next: .loadEvents(after: storedSeq, limit: settings.chunkRows))
        }
        items = items.drop { $0.message.seq <= storedSeq }
        return send(now: now)
    }

    /// The stream was made anew while we were publishing: it holds the user's events from `first` on, and after them
    /// perhaps earlier ones that were sent again before an interruption.
    private mutating func fill(_ stored: StoredMessage, below first: Int64) -> Step {
        let interrupted = stored.seq < first
        resend = Resend(after: interrupted ? stored.seq : 0, through: first - 1, isBelowTail: true)
        items = []
        let tail = StoreWrite.confirmUnderway(seq: stored.seq, streamSequence: stored.streamSequence)
        return Step(
            writes: interrupted ? [] : [tail],
            next: .loadEvents(after: resend?.after ?? 0, limit: settings.chunkRows))
    }

    /// Events that the stream lost were read from the log.
    mutating func loadedEvents(_ events: [Item], now: Int64) -> Step {
        guard var resend else { return end(.unavailable("no events were asked for")) }
        let oldest = now / 1000 - settings.streamMaxAgeSeconds
        let wanted = events.filter { $0.message.seq <= resend.through }
        resend.after = wanted.last?.message.seq ?? resend.through
        self.resend = resend
        items = wanted.filter { $0.recordedAt >= oldest }[...]
        return send(now: now)
    }

    /// Events were read whose sending again was asked for. What is too old for the stream stays away.
    mutating func loadedRequested(_ events: [Item], now: Int64) -> Step {
        requested = .sending
        let oldest = now / 1000 - settings.streamMaxAgeSeconds
        let wanted = events.filter { $0.recordedAt >= oldest }
        items = wanted[...]
        let sendable = Set(wanted.map(\.message.seq))
        let cancelled = (state?.waitingResends ?? []).filter { !sendable.contains($0) }
        state?.waitingResends = []
        return send(now: now).writing(cancelled.map { .cancelResend(seq: $0) })
    }

    /// A publish ended.
    ///
    /// - Parameter jitter: 0 up to but not including 1, for the back-off.
    mutating func published(_ outcome: PublishOutcome, now: Int64, jitter: Double) -> Step {
        guard let item = items.first else { return end(.unavailable("nothing was sent")) }
        switch outcome {
        case .stored(let streamSequence, let duplicate) where requested == .sending:
            items.removeFirst()
            unknown = nil
            if duplicate, streamSequence <= state?.streamSequence ?? 0 {
                // The server still remembers the lost one: a later turn sends it, when that is over.
                isRemembered = true
                return send(now: now)
            }
            state?.streamSequence = streamSequence
            return send(now: now).writing([.resent(seq: item.message.seq, streamSequence: streamSequence)])
        case .stored(let streamSequence, let duplicate):
            items.removeFirst()
            unknown = nil
            requested = .notBegun
            let wentBack = !duplicate && resend == nil && isBeforeLast(streamSequence)
            // What is filled in below the tail says nothing about how far the stream is filled.
            if resend?.isBelowTail != true { acked = Acked(seq: item.message.seq, streamSequence: streamSequence) }
            resend?.streamSequence = streamSequence
            resend?.lastSent = item.message.seq
            if wentBack {
                forget()
                return end(.unavailable("the stream numbers its messages anew: it was made again"))
            }
            return send(now: now)
        case .unknown(let reason):
            return retryLater(item, reason, now: now, jitter: jitter)
        case .look(let reason):
            guard lookedFor != item.message.seq, requested != .sending else {
                checkedConnection = nil
                return retryLater(item, reason, now: now, jitter: jitter)
            }
            lookedFor = item.message.seq
            return Step(writes: takeProgress(), next: .look)
        case .rejected where requested == .sending:
            items.removeFirst()
            return send(now: now).writing([.cancelResend(seq: item.message.seq)])
        case .rejected(let reason):
            return end(.blocked, adding: .deadLetter(seq: item.message.seq, reason: reason))
        case .streamTrouble(let reason): return end(.trouble(reason))
        case .forbidden(let reason): return end(.forbidden(reason))
        }
    }

    /// The stream could not be asked.
    mutating func lookFailed(_ reason: String) -> Step {
        checkedConnection = nil
        return end(.unavailable(reason))
    }

    /// The turn has to end before the next message is sent.
    mutating func interrupted() -> Step { end(.more) }

    /// The turn failed half-way, or the stream may have changed: look before sending, even when nothing waits.
    mutating func forget() {
        checkedConnection = nil
        mustLook = true
    }

    // MARK: Decisions

    private mutating func send(now: Int64) -> Step {
        if let item = items.first {
            guard budget > 0 else { return end(.more) }
            budget -= 1
            sentAt = now
            if unknown?.seq != item.message.seq { unknown = nil }
            var message = item.message
            message.connection = pass.connection
            return Step(next: .publish(message))
        }
        if let resend {
            if resend.after < resend.through {
                return Step(writes: takeProgress(), next: .loadEvents(after: resend.after, limit: settings.chunkRows))
            }
            self.resend = nil
            acked = nil
            var writes = [StoreWrite.confirm(seq: resend.through, streamSequence: resend.streamSequence)]
            // What the stream ends with now is not all that it holds.
            if resend.isBelowTail, let seq = resend.lastSent {
                writes.append(.resent(seq: seq, streamSequence: resend.streamSequence))
            }
            return Step(writes: writes, next: .load(limit: settings.chunkRows))
        }
        if chunkWasFull { return Step(writes: takeProgress(), next: .load(limit: settings.chunkRows)) }
        return sendRequested() ?? end(.idle)
    }

    /// What is next for events that are to be sent again; nil when there are none. One may have been sent already, and
    /// its acknowledgement lost: then it is the user's last message.
    private mutating func sendRequested() -> Step? {
        guard let state, !state.waitingResends.isEmpty else {
            // There may be more than were read at once.
            return requested == .sending && !isRemembered ? end(.more) : nil
        }
        guard case .looked(let last) = requested else { return Step(writes: takeProgress(), next: .look) }
        requested = .loading
        var writes = takeProgress()
        if let last, state.waitingResends.contains(last.seq), !isOfAnotherStream(state),
            last.streamSequence > state.streamSequence ?? 0
        {
            writes.append(.resent(seq: last.seq, streamSequence: last.streamSequence))
            self.state?.waitingResends.removeAll { $0 == last.seq }
        }
        return Step(writes: writes, next: .loadRequested(self.state?.waitingResends ?? []))
    }

    private mutating func retryLater(_ item: Item, _ reason: String, now: Int64, jitter: Double) -> Step {
        unknown = Unknown(seq: item.message.seq, since: unknown?.since ?? sentAt)
        let retries = item.retries + 1
        let delay = Backoff.milliseconds(attempts: retries, jitter: jitter)
        let attempt = StoreWrite.attempt(
            seq: item.message.seq, retries: retries, nextAttemptAt: (now + delay + 999) / 1000, reason: reason)
        return end(.wait(milliseconds: delay, reason: reason), adding: attempt)
    }

    /// Ends the turn; what was acknowledged is written first. A stretch being sent again is looked for anew.
    private mutating func end(_ end: TurnEnd, adding write: StoreWrite? = nil) -> Step {
        if resend != nil { forget() }
        items = []  // Between turns there may be very many of us: none keeps payloads.
        state = nil
        return Step(writes: takeProgress() + (write.map { [$0] } ?? []), next: .end(end))
    }

    private mutating func takeProgress() -> [StoreWrite] {
        defer { acked = nil }
        return acked.map { [.confirm(seq: $0.seq, streamSequence: $0.streamSequence)] } ?? []
    }

    /// What is older may have left the server's memory of ids when it is sent again.
    private func isOld(_ unknown: Unknown, _ now: Int64) -> Bool {
        now - unknown.since > pass.stream.duplicateWindowMilliseconds / 2
    }

    /// True when the stream cannot be the one that confirmed this user's last event, or went back behind it.
    private func isAtOdds(_ state: DispatchState) -> Bool {
        guard state.publishedSeq > 0, let confirmedAt = state.streamSequence, confirmedAt > 0 else { return false }
        if isOfAnotherStream(state) { return true }
        return confirmedAt > pass.stream.lastSequence
    }

    /// The stream holds less than it confirmed: lost, unless the messages merely grew too old for it, or the last one was
    /// sent again, out of its order, and its acknowledgement lost.
    private func hasLostMessages(_ state: DispatchState, last: StoredMessage?) -> Bool {
        guard let confirmedAt = state.streamSequence else { return false }
        if let last, state.waitingResends.contains(last.seq), last.streamSequence > confirmedAt,
            !isOfAnotherStream(state)
        {
            return false
        }
        return isOfAnotherStream(state) || confirmedAt >= max(1, pass.stream.firstSequence)
    }

    private func isOfAnotherStream(_ state: DispatchState) -> Bool {
        state.streamCreated.map { $0 != pass.stream.created } ?? false
    }

    /// True for a stream sequence that lies before one that this stream has given to the user: numbers only grow, so
    /// the stream was deleted and made again since.
    private func isBeforeLast(_ streamSequence: UInt64) -> Bool {
        if let acked { return streamSequence <= acked.streamSequence }
        guard let state, state.streamCreated == pass.stream.created, let last = state.streamSequence else {
            return false
        }
        return streamSequence <= last
    }

    private static func behindMessage(_ stored: StoredMessage, _ state: DispatchState) -> String {
        """
        the stream holds event \(stored.seq) (\(stored.id)) of this user, but the store ends at \(state.lastSeq) \
        or has another event there: the store is older than the stream (restored or lost?). Nothing is published for this \
        user until the store is rebuilt from the stream
        """
    }
}
