import MailModel
import Synchronization

/// Carries the dispatcher's finding to the manager, which is made after it: the one edge of the composition that points
/// backwards.
final class BehindStreamRelay: Sendable {
    private let listener = Mutex<(@Sendable (UserID) async -> Void)?>(nil)

    func connect(_ listener: @escaping @Sendable (UserID) async -> Void) {
        self.listener.withLock { $0 = listener }
    }

    func tell(_ user: UserID) async { await listener.withLock { $0 }?(user) }
}
