import JetStream
import MailModel
import MailStore

/// One replay: pages of the event log, published one message after the other, over a connection of its own.
struct ReplayRun: Sendable {
    /// Events in memory at once; each is up to half a megabyte.
    private static let pageEvents = 50
    private static let reportEveryMs: Int64 = 1000
    /// Attempts to store one copy; the stream takes it once however many arrive.
    private static let attemptsMax = 5
    private static let retryPause = Duration.milliseconds(200)

    let plan: ReplayPlan
    let context: ControlContext
    let report: @Sendable (ReplayRequest.Line) async throws -> Void

    private struct Progress {
        var replayed = 0
        var duplicates = 0
        var firstSeq: Int64?
        var lastSeq: Int64?
        /// Everything up to here has arrived.
        var confirmedSeq: Int64?
        /// The streams by subject; empty when none captures it. There are as many as types of events.
        var streams: [String: [String]] = [:]
        var pace: ReplayPace
        var reportedAtMs: Int64
    }

    func run() async throws -> ReplayRequest.Result {
        guard
            let lastSeq = try await context.stores.useExisting(
                plan.user, { try await $0.read { try $0.dispatch().lastSeq } })
        else {
            throw ControlProblem(message: "there is no store of user \(plan.user): nothing was ever recorded for it")
        }
        let publisher = try await CopyPublisher.connect(
            context.streamAccess().nats.configuration, logger: context.logger)
        do {
            let result = try await replay(through: plan.last(ofLogEndingWith: lastSeq), publisher)
            await publisher.close()
            return result
        } catch {
            await publisher.close()
            throw error
        }
    }

    private func replay(through last: Int64, _ publisher: CopyPublisher) async throws -> ReplayRequest.Result {
        var progress = Progress(
            pace: ReplayPace(perSecond: plan.perSecond), reportedAtMs: context.time.nowMilliseconds())
        var after = plan.firstAfter
        while after < last, let page = try await page(after: after), let end = page.last?.seq {
            for event in page where event.seq <= last && plan.wants(event) {
                try await publish(event, publisher, &progress)
            }
            try await confirm(publisher, &progress)
            after = end
        }
        return ReplayRequest.Result(
            replayed: progress.replayed, duplicates: progress.duplicates, firstSeq: progress.firstSeq,
            lastSeq: progress.lastSeq, streams: Set(progress.streams.values.joined()).sorted())
    }

    /// nil when the user was erased meanwhile.
    private func page(after seq: Int64) async throws -> [MailEvent]? {
        try await context.stores.useExisting(plan.user) { store in
            try await store.read { try $0.events(after: seq, limit: Self.pageEvents) }
        }
    }

    private func publish(_ event: MailEvent, _ publisher: CopyPublisher, _ progress: inout Progress) async throws {
        try Task.checkCancellation()
        let wait = progress.pace.wait(atMs: context.time.nowMilliseconds())
        if wait > .zero { try await context.time.sleep(for: wait) }
        let subject = plan.prefix.subject(of: event)
        let streams = try await streams(of: subject, publisher, &progress)
        do {
            if try await publish(event, subject, isStored: !streams.isEmpty, publisher) { progress.duplicates += 1 }
        } catch let failure as PublisherUnavailable {
            throw stopped(failure, progress)
        }
        progress.replayed += 1
        progress.firstSeq = progress.firstSeq ?? event.seq
        progress.lastSeq = event.seq
        try await tell(&progress)
    }

    /// - Returns: whether the copy had been stored by an earlier replay.
    private func publish(
        _ event: MailEvent, _ subject: String, isStored: Bool, _ publisher: CopyPublisher
    ) async throws -> Bool {
        let (id, payload) = (plan.prefix.messageID(of: event), event.payload())
        guard isStored else {
            try await publisher.send(subject, id: id, payload: payload)
            return false
        }
        for attempt in 1..<Self.attemptsMax {
            do {
                return try await publisher.store(subject, id: id, payload: payload)
            } catch {
                try await context.time.sleep(for: Self.retryPause * attempt)
            }
        }
        return try await publisher.store(subject, id: id, payload: payload)
    }

    private func streams(
        of subject: String, _ publisher: CopyPublisher, _ progress: inout Progress
    ) async throws -> [String] {
        if let known = progress.streams[subject] { return known }
        let streams = try await publisher.streams(capturing: subject)
        guard !streams.contains(context.configuration.stream.name) else {
            throw ControlProblem(
                message:
                    "the live stream \(context.configuration.stream.name) captures \(subject): choose another prefix")
        }
        progress.streams[subject] = streams
        return streams
    }

    /// What was sent without an answer has reached the server.
    private func confirm(_ publisher: CopyPublisher, _ progress: inout Progress) async throws {
        do {
            if progress.streams.values.contains([]) { try await publisher.flush() }
        } catch {
            throw stopped(error, progress)
        }
        progress.confirmedSeq = progress.lastSeq
    }

    private func tell(_ progress: inout Progress) async throws {
        let now = context.time.nowMilliseconds()
        guard let seq = progress.lastSeq, now - progress.reportedAtMs >= Self.reportEveryMs else { return }
        progress.reportedAtMs = now
        try await report(.init(replayed: progress.replayed, seq: seq))
    }

    private func stopped(_ failure: PublisherUnavailable, _ progress: Progress) -> ControlProblem {
        let place = progress.confirmedSeq.map { "all up to seq \($0) have arrived: go on with --from \($0 + 1)" }
        return ControlProblem(message: "\(failure); \(place ?? "begin again")")
    }
}
