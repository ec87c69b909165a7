import MailModel
import Synchronization

/// A publisher that lies, so that it can be shown that the demo's comparison notices: it claims to have stored an
/// event that it dropped, or stores one twice under different ids. Only the demo can be told to use it.
final class FaultyPublisher: EventPublisher {
    /// Which events, counted from 1, are lost or doubled.
    struct Plan: Sendable, Equatable {
        var lost: Int?
        var doubled: Int?

        /// Reads `lost=17,doubled=23`; nil when it says anything else.
        init?(_ text: String) {
            for item in text.split(separator: ",") {
                let parts = item.split(separator: "=")
                guard parts.count == 2, let number = Int(parts[1]), number > 0 else { return nil }
                switch parts[0] {
                case "lost": lost = number
                case "doubled": doubled = number
                default: return nil
                }
            }
        }
    }

    private let publisher: any EventPublisher
    private let plan: Plan
    private let count = Counter()

    init(_ publisher: any EventPublisher, plan: Plan) {
        self.publisher = publisher
        self.plan = plan
    }

    var connectionEpoch: Int { publisher.connectionEpoch }
    func connections() -> AsyncStream<Int> { publisher.connections() }
    func lastStored(of user: UserID) async throws -> StoredMessage? { try await publisher.lastStored(of: user) }
    func firstStored(of user: UserID) async throws -> StoredMessage? { try await publisher.firstStored(of: user) }
    func streamState() async throws -> StreamState { try await publisher.streamState() }

    func publish(_ message: OutboundMessage) async -> PublishOutcome {
        let number = count.increment()
        if number == plan.lost { return .stored(streamSequence: UInt64(number), duplicate: false) }
        if number == plan.doubled {
            var again = message
            again.id += "-again"
            _ = await publisher.publish(again)
        }
        return await publisher.publish(message)
    }
}
