import EventAudit
import JetStream
import Logging
import MailModel
import MailStore

/// Reads a user's part of the stream, as any consumer could, and holds it against the event log.
struct StreamCheck: Sendable {
    private static let pageSize = 500
    /// The stream must deliver the next message within this time.
    private static let patience: Duration = .seconds(20)
    /// Around its age limit a message may be in the stream or not, in seconds.
    private static let ageMarginSeconds: Int64 = 120

    let user: UserID
    let stores: UserStores
    let access: StreamAccess
    let streamName: String
    let streamMaxAgeSeconds: Int64
    let time: any TimeSource
    let logger: Logger
    let report: @Sendable ([Difference]) async throws -> Void

    /// - Throws: `PublisherUnavailable` or `NatsFailure` when the stream cannot be read, `StoreFailure`, or what `report`
    ///   throws.
    func run(_ verification: inout Verification) async throws {
        let confirmed = try await read { try $0.dispatch().publishedSeq }
        let state = try await access.publisher.streamState()
        var audit = StreamAudit()
        if try await !isEmpty(state) { try await readStream(state, &audit) }
        verification.streamed = audit.messages
        verification.late = audit.late
        try await lookForAbsent(audit.absent(confirmed: confirmed), &verification)
    }

    private func isEmpty(_ state: StreamState) async throws -> Bool {
        if state.lastSequence < state.firstSequence || state.lastSequence == 0 { return true }
        do {
            return try await access.publisher.lastStored(of: user) == nil
        } catch let unavailable as PublisherUnavailable {
            // The last message may be somebody else's; then there is one.
            if access.publisher.isConnected { return false }
            throw unavailable
        }
    }

    private func readStream(_ state: StreamState, _ audit: inout StreamAudit) async throws {
        let consumer = try await EventConsumer.open(
            access.nats.configuration, stream: streamName, from: max(1, state.firstSequence),
            subject: EventSubject.wildcard(user: user), logger: logger)
        do {
            try await readStream(through: state.lastSequence, consumer, &audit)
        } catch {
            await consumer.close()
            throw error
        }
        await consumer.close()
    }

    private func readStream(
        through end: UInt64, _ consumer: EventConsumer, _ audit: inout StreamAudit
    ) async throws {
        var window = LogWindow(user: user, stores: stores)
        while true {
            try Task.checkCancellation()
            guard let received = await consumer.next(timeout: Self.patience) else {
                try Task.checkCancellation()
                throw PublisherUnavailable(reason: "the stream does not deliver its messages")
            }
            // What came after the beginning is looked at another time.
            if received.streamSequence > end { return }
            let message = StreamMessage(
                subject: received.subject, id: received.messageID, payload: received.payload)
            var event: MailEvent?
            if let seq = StreamAudit.sequence(of: message) { event = try await window.event(seq) }
            try await report(
                audit.take(.init(streamSequence: received.streamSequence, message: message, event: event)))
            if received.remaining == 0 { return }
        }
    }

    /// Tells what is merely too old, or on its way again, from what is missing.
    private func lookForAbsent(_ ranges: [ClosedRange<Int64>], _ verification: inout Verification) async throws {
        let oldest = time.now() - streamMaxAgeSeconds + Self.ageMarginSeconds
        for range in ranges {
            var after = range.lowerBound - 1
            while after < range.upperBound {
                let from = after
                let (stamps, waiting) = try await read { reader in
                    (
                        try reader.stamps(after: from, limit: Self.pageSize).filter { $0.seq <= range.upperBound },
                        try reader.waitingResends(after: from, limit: Self.pageSize)
                    )
                }
                guard let last = stamps.last else { break }
                after = last.seq
                let young = stamps.filter { $0.recordedAt > oldest }
                let missing = young.filter { !waiting.contains($0.seq) }
                verification.expired += stamps.count - young.count
                verification.resending += young.count - missing.count
                try await report(missing.map { Difference(.streamMissing, account: $0.account, seq: $0.seq) })
            }
        }
    }

    private func read<R: Sendable>(_ body: @escaping @Sendable (StoreReader) throws -> R) async throws -> R {
        try Task.checkCancellation()
        return try await stores.use(user) { try await $0.read(body) }
    }
}

/// Events of the log by number, for somebody who asks mostly in order: a page of them is kept.
private struct LogWindow {
    private static let pageSize = 200

    let user: UserID
    let stores: UserStores
    private var events: ArraySlice<MailEvent> = []
    /// The page began after this.
    private var after: Int64 = 0

    init(user: UserID, stores: UserStores) {
        self.user = user
        self.stores = stores
    }

    mutating func event(_ seq: Int64) async throws -> MailEvent? {
        while let first = events.first, first.seq < seq { events.removeFirst() }
        if let first = events.first, first.seq == seq { return events.removeFirst() }
        // Before the page, or in a hole of it.
        if seq <= after || !events.isEmpty { return try await read { try $0.event(seq: seq) } }
        after = seq - 1
        let from = after
        events = try await read { try $0.events(after: from, limit: Self.pageSize) }[...]
        guard let first = events.first, first.seq == seq else { return nil }
        after = events.last?.seq ?? after
        return events.removeFirst()
    }

    private func read<R: Sendable>(_ body: @escaping @Sendable (StoreReader) throws -> R) async throws -> R {
        try await stores.use(user) { try await $0.read(body) }
    }
}
