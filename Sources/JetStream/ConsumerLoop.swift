import CNATS
import Logging

/// The consumer's thread: creates the consumer on the server, asks for messages while the reader keeps up, starts
/// anew where it stopped after a disturbance. All its properties belong to that thread alone.
final class ConsumerLoop {
    /// Messages per request, and the most bytes of one answer.
    static let pullMessages = 512
    private static let pullBytes = 8 * 1024 * 1024
    /// The next request is sent when so few messages wait for the reader.
    static let pullBelow = 512
    /// The server forgets the consumer after being left alone for so long.
    private static let inactiveSeconds: Int64 = 60
    /// A request for messages waits so long at the server.
    private static let pullSeconds: Int64 = 20

    private let configuration: NatsConfiguration
    private let stream: String
    private let subject: String
    private let state: ConsumerState
    private let logger: Logger
    /// The first stream sequence not yet delivered.
    private var position: UInt64
    private var consumerSequence: UInt64 = 0
    private var pullEnds: UInt64?
    private var pullLeft = 0
    private var pullNumber = 0

    init(
        _ configuration: NatsConfiguration, stream: String, from: UInt64, subject: String, state: ConsumerState,
        logger: Logger
    ) {
        self.configuration = configuration
        self.stream = stream
        self.subject = subject
        self.state = state
        self.logger = logger
        position = max(1, from)
    }

    func run() {
        var failures = 0
        while !state.isStopped {
            do {
                let link = try NatsLink(configuration, waker: state.waker) { [logger] in
                    logger.error("NATS denies a subject to a consumer", metadata: ["reason": "\($0)"])
                }
                let name = try create(link)
                state.firstAttempt.keep(nil)
                failures = 0
                read(link, consumer: name)
            } catch {
                state.firstAttempt.keep(error)
                failures += 1
                logger.warning("a consumer cannot read the stream, trying again: \(error)")
            }
            pause(afterFailures: failures)
        }
        _ = state.expire()
        state.end.keep(())
        nats_ReleaseThreadMemory()
    }

    private func pause(afterFailures failures: Int) {
        let deadline = MonotonicTime.now(plusMilliseconds: min(1_000, 20 << min(failures, 6)))
        while !state.isStopped, MonotonicTime.now() < deadline {
            let next = state.expire() ?? deadline
            state.waker.wait(until: min(next, deadline))
        }
    }

    private func create(_ link: NatsLink) throws(NatsFailure) -> String {
        let body: JSONValue = .object([
            "stream_name": .string(stream),
            "config": .object([
                "deliver_policy": "by_start_sequence", "opt_start_seq": .integer(Int64(position)),
                "ack_policy": "none", "filter_subject": .string(subject), "replay_policy": "instant",
                "inactive_threshold": .integer(Self.inactiveSeconds * 1_000_000_000),
            ]),
        ])
        let request = "$JS.API.CONSUMER.CREATE.\(stream)"
        let answer = link.request(
            request, body.json, timeoutMilliseconds: configuration.answerTimeoutMilliseconds,
            interruption: { state.isStopped ? .closed : nil })
        guard let value = JSONValue(json: try answer.forSetUp(request)), let name = value["name"]?.text else {
            throw .stream("no consumer can be made on stream \(stream): the server refuses or the stream is missing")
        }
        consumerSequence = 0
        pullEnds = nil
        return name
    }

    private func read(_ link: NatsLink, consumer: String) {
        while !link.isClosed, !state.isStopped {
            pull(link, consumer)
            let deadlines = [state.expire(), pullEnds].compactMap { $0 }
            let wait = deadlines.min().map(MonotonicTime.milliseconds(until:)) ?? -1
            guard take(link.exchange(waitingMilliseconds: wait)) else { return }
            if let end = pullEnds, end <= MonotonicTime.now() { return }
        }
    }

    /// Asks for more when the last request is used up and the reader keeps up.
    private func pull(_ link: NatsLink, _ consumer: String) {
        guard pullEnds == nil, state.buffered <= Self.pullBelow else { return }
        let body: JSONValue = .object([
            "batch": .integer(Int64(Self.pullMessages)), "max_bytes": .integer(Int64(Self.pullBytes)),
            "expires": .integer(Self.pullSeconds * 1_000_000_000),
        ])
        pullLeft = Self.pullMessages
        pullNumber += 1
        // The server ends the request itself; if it does not, the connection or the consumer is gone.
        pullEnds = MonotonicTime.now(plusMilliseconds: (Int(Self.pullSeconds) + 5) * 1000)
        let request = "$JS.API.CONSUMER.MSG.NEXT.\(stream).\(consumer)"
        // A request that cannot be sent means that the link is closed, which the caller's loop sees.
        _ = link.send(request, token: String(pullNumber), messageID: nil, payload: body.json)
    }

    /// Delivers what arrived; false when a message is missing and the consumer has to be made anew.
    private func take(_ arrivals: NatsLink.Arrivals) -> Bool {
        var events: [ReceivedEvent] = []
        defer { state.deliver(events) }
        for arrival in arrivals.messages {
            guard let place = DeliveryPlace(reply: arrival.reply) else {
                guard arrival.token == String(pullNumber), let status = arrival.status else { continue }
                if !endsPull(status) { return false }
                continue
            }
            guard place.consumerSequence == consumerSequence + 1 else { return false }
            consumerSequence = place.consumerSequence
            position = place.streamSequence + 1
            pullLeft -= 1
            if pullLeft == 0 { pullEnds = nil }
            events.append(
                ReceivedEvent(
                    streamSequence: place.streamSequence, subject: arrival.subject, messageID: arrival.messageID,
                    payload: arrival.payload, remaining: place.remaining))
        }
        // Nobody answers a request for messages: the consumer is gone.
        return !arrivals.noResponders
    }
}

extension ConsumerLoop {
    /// A status message about the current request. False for a 409 that came before any message: the consumer was
    /// deleted, or a limit was met that asking again would meet again.
    private func endsPull(_ status: String) -> Bool {
        switch status {
        case "409" where pullLeft == Self.pullMessages: return false
        case "100": return true
        default:
            pullEnds = nil
            return true
        }
    }
}

/// Where a delivered message stands: read from its reply subject, `$JS.ACK.stream.consumer.deliveries.stream
/// sequence.consumer sequence.time.remaining`, which newer servers lengthen by a domain and an account in front
/// (ADR-15).
struct DeliveryPlace: Sendable, Hashable {
    var streamSequence: UInt64
    var consumerSequence: UInt64
    var remaining: UInt64

    init?(reply: String) {
        guard reply.hasPrefix("$JS.ACK.") else { return nil }
        let parts = reply.split(separator: ".")
        let shift = parts.count >= 11 ? 2 : 0
        guard parts.count >= 9, let stream = UInt64(parts[5 + shift]), let consumer = UInt64(parts[6 + shift]),
            let remaining = UInt64(parts[8 + shift])
        else { return nil }
        streamSequence = stream
        consumerSequence = consumer
        self.remaining = remaining
    }
}
