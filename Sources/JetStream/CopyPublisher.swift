import Foundation
import Logging
import MailModel

/// Publishes copies of events under other subjects, over a connection of its own: what becomes of a copy is no concern
/// of those who publish the originals. Makes no stream.
public final class CopyPublisher: Sendable {
    private let state: PublisherState

    private init(_ state: PublisherState) { self.state = state }

    /// Connects.
    ///
    /// - Throws: ``NatsFailure`` when the first attempt fails.
    public static func connect(
        _ configuration: NatsConfiguration, logger: Logger
    ) async throws(NatsFailure) -> CopyPublisher {
        var configuration = configuration
        configuration.name = "mailsync-copies"
        try configuration.validate()
        let state = PublisherState(waker: try Waker())
        let loop = configuration
        let thread = Thread { PublisherLoop(loop, stream: nil, state: state, logger: logger).run() }
        thread.name = "nats-copies"
        thread.start()
        let publisher = CopyPublisher(state)
        if let failure = await state.firstAttempt.value() {
            await publisher.close()
            throw failure
        }
        return publisher
    }

    /// The streams that capture messages of this subject; none also where JetStream is not enabled.
    ///
    /// - Throws: ``PublisherUnavailable``.
    public func streams(capturing subject: String) async throws(PublisherUnavailable) -> [String] {
        let body = JSONValue.object(["subject": .string(subject)]).json
        switch await state.exchange("$JS.API.STREAM.NAMES", payload: body) {
        case .reply(let bytes): return JSONValue(json: bytes)?["streams"]?.list?.compactMap(\.text) ?? []
        case .noResponders: return []
        case let answer: throw Self.unavailable(answer, "$JS.API.STREAM.NAMES")
        }
    }

    /// Publishes to a subject that a stream captures, and waits until it is stored.
    ///
    /// - Parameter id: goes out as `Nats-Msg-Id`.
    /// - Returns: whether the stream had a message of this id already.
    /// - Throws: ``PublisherUnavailable``; the message may then be stored or not, and can be published again.
    public func store(_ subject: String, id: String, payload: [UInt8]) async throws(PublisherUnavailable) -> Bool {
        let answer = await state.exchange(subject, messageID: id, payload: payload)
        guard case .reply(let bytes) = answer else { throw Self.unavailable(answer, subject) }
        switch PublishAck(bytes) {
        case .stored(_, _, let duplicate): return duplicate
        case .error(let error): throw PublisherUnavailable(reason: "the stream refuses \(subject): \(error.text)")
        case .unreadable: throw PublisherUnavailable(reason: "the answer to \(subject) cannot be read")
        }
    }

    /// Hands the message to the connection: whoever listens gets it. ``flush()`` says that the server has it.
    ///
    /// - Throws: ``PublisherUnavailable``.
    public func send(_ subject: String, id: String, payload: [UInt8]) async throws(PublisherUnavailable) {
        let answer = await state.exchange(subject, messageID: id, payload: payload, asksForReply: false)
        guard case .reply = answer else { throw Self.unavailable(answer, subject) }
    }

    /// Returns when the server has processed everything sent before: it answers in order, also that nobody listens.
    ///
    /// - Throws: ``PublisherUnavailable``; what was sent since the last flush may have been lost.
    public func flush() async throws(PublisherUnavailable) {
        let answer = await state.exchange("mailsync.flush.\(UUID().uuidString)", payload: [])
        guard case .noResponders = answer else { throw Self.unavailable(answer, "a flush") }
    }

    /// Closes the connection.
    public func close() async {
        state.stop()
        await state.end.value()
    }

    private static func unavailable(_ answer: Answer, _ subject: String) -> PublisherUnavailable {
        switch answer {
        case .reply: PublisherUnavailable(reason: "somebody answers \(subject) who should not")
        case .noResponders: PublisherUnavailable(reason: "no stream answers on \(subject)")
        case .timedOut: PublisherUnavailable(reason: "\(subject) was not answered in time")
        case .disconnected, .notConnected: PublisherUnavailable(reason: "the connection was lost")
        case .closed: PublisherUnavailable(reason: "the publisher is closed")
        case .notPermitted(let text), .tooLarge(let text): PublisherUnavailable(reason: text)
        }
    }
}
