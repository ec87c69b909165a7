import MailModel
import Synchronization

/// Passes everything on to a publisher and tells when so many messages were stored.
final class CountingPublisher: EventPublisher {
    private let publisher: any EventPublisher
    private let left: Atomic<Int>
    private let finished: AsyncStream<Void>
    private let finish: AsyncStream<Void>.Continuation

    init(_ publisher: any EventPublisher, expecting expected: Int) {
        self.publisher = publisher
        left = Atomic(expected)
        (finished, finish) = AsyncStream.makeStream()
    }

    func waitUntilAllStored() async { for await _ in finished {} }

    var connectionEpoch: Int { publisher.connectionEpoch }
    func connections() -> AsyncStream<Int> { publisher.connections() }
    func lastStored(of user: UserID) async throws -> StoredMessage? { try await publisher.lastStored(of: user) }
    func firstStored(of user: UserID) async throws -> StoredMessage? { try await publisher.firstStored(of: user) }
    func streamState() async throws -> StreamState { try await publisher.streamState() }

    func publish(_ message: OutboundMessage) async -> PublishOutcome {
        let outcome = await publisher.publish(message)
        if case .stored = outcome, left.subtract(1, ordering: .relaxed).newValue == 0 { finish.finish() }
        return outcome
    }
}
