import Foundation
import Logging
import Synchronization

/// A message as a consumer of the stream receives it.
public struct ReceivedEvent: Sendable, Hashable {
    public var streamSequence: UInt64
    public var subject: String
    /// The `Nats-Msg-Id` header.
    public var messageID: String?
    public var payload: [UInt8]
    /// How many messages of the consumer's subject the stream held after this one when it was sent; 0 means that
    /// the consumer is up to date.
    public var remaining: UInt64
}

/// Reads a stream in order, from a given message on, through a connection of its own: what others than mailsync see.
/// It is an ephemeral pull consumer without acknowledgements; after a lost connection, or a message missing between
/// two others, it goes on from the message after the last one delivered.
public final class EventConsumer: Sendable {
    private let state: ConsumerState

    private init(_ state: ConsumerState) { self.state = state }

    /// Connects and starts reading.
    ///
    /// - Parameters:
    ///   - from: the first stream sequence wanted.
    ///   - subject: which messages, with wildcards.
    /// - Throws: ``NatsFailure`` when the first attempt fails, also when the stream does not exist.
    public static func open(
        _ configuration: NatsConfiguration, stream: String, from: UInt64 = 1, subject: String = "user.>",
        logger: Logger
    ) async throws(NatsFailure) -> EventConsumer {
        try configuration.validate()
        let state = ConsumerState(waker: try Waker())
        let thread = Thread {
            ConsumerLoop(
                configuration, stream: stream, from: from, subject: subject, state: state, logger: logger
            ).run()
        }
        thread.name = "nats-consumer"
        thread.start()
        if let failure = await state.firstAttempt.value() {
            state.stop()
            throw failure
        }
        return EventConsumer(state)
    }

    /// The next message; nil when none came in time, when the task was cancelled or the consumer closed.
    public func next(timeout: Duration) async -> ReceivedEvent? {
        let (seconds, attoseconds) = timeout.components
        let milliseconds =
            seconds >= 1 << 40 ? Int.max / 2_000_000 : Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
        return await state.next(deadline: MonotonicTime.now(plusMilliseconds: milliseconds))
    }

    /// Every message from here on; ends when the task is cancelled or the consumer closed.
    public var events: Events { Events(consumer: self) }

    /// Ends reading and closes the connection.
    public func close() async {
        state.stop()
        await state.end.value()
    }

    /// The deliveries, as they come.
    public struct Events: AsyncSequence, Sendable {
        let consumer: EventConsumer

        public struct AsyncIterator: AsyncIteratorProtocol {
            let consumer: EventConsumer
            public mutating func next() async -> ReceivedEvent? { await consumer.next(timeout: .seconds(1 << 40)) }
        }

        public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(consumer: consumer) }
    }
}

/// What readers and the consumer's thread share.
final class ConsumerState: Sendable {
    private struct Reader {
        var id: Int
        var deadline: UInt64
        var resume: CheckedContinuation<ReceivedEvent?, Never>
    }

    private struct State {
        var buffer: [ReceivedEvent] = []
        var head = 0
        var readers: [Reader] = []
        var cancelled: Set<Int> = []
        var nextReader = 0
        var stopped = false

        var buffered: Int { buffer.count - head }

        mutating func pop() -> ReceivedEvent? {
            guard head < buffer.count else { return nil }
            defer {
                head += 1
                if head == buffer.count {
                    buffer.removeAll(keepingCapacity: true)
                    head = 0
                }
            }
            return buffer[head]
        }
    }

    let waker: Waker
    let firstAttempt = Promise<NatsFailure?>()
    let end = Promise<Void>()
    private let state = Mutex(State())

    init(waker: Waker) { self.waker = waker }

    var isStopped: Bool { state.withLock { $0.stopped } }
    var buffered: Int { state.withLock { $0.buffered } }

    func next(deadline: UInt64) async -> ReceivedEvent? {
        let id = state.withLock { state in
            state.nextReader += 1
            return state.nextReader
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { resume in
                register(Reader(id: id, deadline: deadline, resume: resume))
            }
        } onCancel: {
            let reader = state.withLock { state -> Reader? in
                guard let index = state.readers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.readers.remove(at: index)
            }
            reader?.resume.resume(returning: nil)
        }
    }

    private func register(_ reader: Reader) {
        let (answer, wake): (ReceivedEvent??, Bool) = state.withLock { state in
            if state.cancelled.remove(reader.id) != nil { return (.some(nil), false) }
            if let event = state.pop() { return (event, state.buffered == ConsumerLoop.pullBelow) }
            if state.stopped { return (.some(nil), false) }
            state.readers.append(reader)
            return (nil, true)
        }
        if let answer { reader.resume.resume(returning: answer) }
        if wake { waker.wake() }
    }

    func deliver(_ events: [ReceivedEvent]) {
        let served = state.withLock { state -> [(Reader, ReceivedEvent)] in
            state.buffer.append(contentsOf: events)
            var served: [(Reader, ReceivedEvent)] = []
            while let reader = state.readers.first, let event = state.pop() {
                state.readers.removeFirst()
                served.append((reader, event))
            }
            return served
        }
        for (reader, event) in served { reader.resume.resume(returning: event) }
    }

    /// Ends the waits whose time is over; returns when the next one is.
    func expire() -> UInt64? {
        let now = MonotonicTime.now()
        let (late, next) = state.withLock { state in
            let late = state.readers.filter { $0.deadline <= now }
            state.readers.removeAll { $0.deadline <= now }
            return (late, state.readers.map(\.deadline).min())
        }
        for reader in late { reader.resume.resume(returning: nil) }
        return next
    }

    func stop() {
        let readers = state.withLock { state in
            state.stopped = true
            defer { state.readers = [] }
            return state.readers
        }
        for reader in readers { reader.resume.resume(returning: nil) }
        waker.wake()
    }
}
