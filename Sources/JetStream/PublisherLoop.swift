import CNATS
import Logging
import MailModel

/// The publisher's thread: makes connections, sends, reads answers, gives up on answers that do not come.
/// All its properties belong to that thread alone.
final class PublisherLoop {
    private struct Pending {
        var subject: String
        var deadline: UInt64
        var answer: CheckedContinuation<Answer, Never>
    }

    private let configuration: NatsConfiguration
    /// What has to exist before the connection is announced; nil: nothing.
    private let stream: StreamConfiguration?
    private let state: PublisherState
    private let logger: Logger
    private var pending: [UInt64: Pending] = [:]
    private var nextToken: UInt64 = 1
    /// No pending token is below this one: answers time out in the order in which they were asked for.
    private var oldestToken: UInt64 = 1

    init(
        _ configuration: NatsConfiguration, stream: StreamConfiguration?, state: PublisherState, logger: Logger
    ) {
        self.configuration = configuration
        self.stream = stream
        self.state = state
        self.logger = logger
    }

    /// Runs until the state says stop.
    func run() {
        var failures = 0
        while !state.isStopping {
            do {
                let link = try NatsLink(configuration, waker: state.waker) { [state] in state.refuse($0) }
                let facts = try setUp(link)
                state.connected(facts)
                failures = 0
                logger.info("connected to NATS", metadata: ["address": "\(facts.address)"])
                serve(link)
                abandon(state.isStopping ? nil : .unreachable("the connection to NATS was lost"))
            } catch {
                abandon(error)
                failures += 1
                report(error, failures)
            }
            if !state.isStopping { pause(afterFailures: failures) }
        }
        abandon(nil)
        state.ended()
        nats_ReleaseThreadMemory()
    }

    // MARK: Connecting

    private func setUp(_ link: NatsLink) throws(NatsFailure) -> NatsServerFacts {
        guard let stream else { return NatsServerFacts(version: nil, apiLevel: 0, address: link.address) }
        let setup = StreamSetup(stream: stream) { (subject, body) throws(NatsFailure) in
            try self.ask(link, subject, body)
        }
        let level = try setup.apiLevel()
        let address = link.address
        let version = ServerGreeting.read(url: address).flatMap { ServerVersion($0.version) }
        let facts = NatsServerFacts(version: version, apiLevel: level, address: address)
        if let done = try setup.ensure(apiLevel: level) { logger.notice("\(done)") }
        if state.epoch == 0 { warnIfNotDurable(facts) }
        return facts
    }

    private func warnIfNotDurable(_ facts: NatsServerFacts) {
        guard facts.acknowledgesBeforeWriting, let version = facts.version else { return }
        logger.critical(
            """
            ACKS ARE NOT DURABLE: nats-server \(version) acknowledges messages before they are on disk and cannot be \
            told otherwise. If its machine loses power, events of the last minutes are lost there until mailsync \
            publishes them again. Use nats-server 2.10 or newer with sync_interval: always
            """)
    }

    private func ask(_ link: NatsLink, _ subject: String, _ body: [UInt8]) throws(NatsFailure) -> [UInt8] {
        let limit = configuration.answerTimeoutMilliseconds
        let answer = link.request(subject, body, timeoutMilliseconds: limit) {
            if state.isStopping { return .closed }
            return state.take(max: 0).refusals.first.map(Answer.notPermitted)
        }
        return try answer.forSetUp(subject)
    }

    private func report(_ failure: NatsFailure, _ failures: Int) {
        let loud = failures == 1 || failures % 30 == 0
        logger.log(
            level: failure.needsOperator ? .error : loud ? .warning : .debug,
            "NATS cannot be used, trying again: \(failure)",
            metadata: ["address": "\(configuration.addresses)", "attempt": "\(failures)"])
    }

    /// 50 ms to 2 s, with jitter; a wake-up to stop ends it.
    private func pause(afterFailures failures: Int) {
        let ceiling = min(2_000, 50 << min(failures, 6))
        let deadline = MonotonicTime.now(plusMilliseconds: Int.random(in: ceiling / 2...ceiling))
        while !state.isStopping, MonotonicTime.now() < deadline { state.waker.wait(until: deadline) }
    }

    // MARK: Serving

    private func serve(_ link: NatsLink) {
        while !link.isClosed {
            let work = state.take(max: configuration.inFlightMax - pending.count)
            for item in work.outgoing {
                send(link, item)
            }
            refuse(work.refusals)
            if work.stopping, pending.isEmpty { return }
            turn(link)
        }
    }

    private func send(_ link: NatsLink, _ item: Outgoing) {
        guard item.asksForReply else {
            let failure = link.send(item.subject, token: nil, messageID: item.messageID, payload: item.payload)
            return item.answer.resume(returning: failure ?? .reply([]))
        }
        let token = nextToken
        nextToken += 1
        let deadline = MonotonicTime.now(plusMilliseconds: configuration.answerTimeoutMilliseconds)
        pending[token] = Pending(subject: item.subject, deadline: deadline, answer: item.answer)
        if let failure = link.send(
            item.subject, token: String(token), messageID: item.messageID, payload: item.payload)
        {
            settle(token, failure)
        }
    }

    /// One wait for something to happen, and what follows from it.
    private func turn(_ link: NatsLink) {
        let wait = oldestDeadline().map(MonotonicTime.milliseconds(until:)) ?? -1
        let arrivals = link.exchange(waitingMilliseconds: wait)
        for arrival in arrivals.messages {
            if let token = UInt64(arrival.token) { settle(token, .reply(arrival.payload)) }
        }
        // It does not say for which of them. For all of them "unknown" is true, and they go to the same stream.
        if arrivals.noResponders { settleAll(.noResponders) }
        while let deadline = oldestDeadline(), deadline <= MonotonicTime.now() { settle(oldestToken, .timedOut) }
    }

    private func oldestDeadline() -> UInt64? {
        guard !pending.isEmpty else {
            oldestToken = nextToken
            return nil
        }
        while pending[oldestToken] == nil { oldestToken += 1 }
        return pending[oldestToken]?.deadline
    }

    private func settle(_ token: UInt64, _ answer: Answer) {
        pending.removeValue(forKey: token)?.answer.resume(returning: answer)
    }

    private func settleAll(_ answer: Answer) {
        for token in Array(pending.keys) { settle(token, answer) }
    }

    /// The server names the denied subject: `Permissions Violation for Publish to "user.x.email.received"`.
    private func refuse(_ refusals: [String]) {
        for text in refusals {
            logger.error("NATS denies a subject", metadata: ["reason": "\(text)"])
            let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
            guard parts.count >= 2 else { continue }
            for (token, item) in pending where item.subject == parts[1] { settle(token, .notPermitted(text)) }
        }
    }

    private func abandon(_ failure: NatsFailure?) {
        let left = state.disconnected(failure)
        settleAll(.disconnected)
        for item in left { item.answer.resume(returning: .disconnected) }
    }
}
