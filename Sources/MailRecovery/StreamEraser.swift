import Foundation
import MailModel

/// Deletes one account's messages from the stream, and nobody else's.
struct StreamEraser: Sendable {
    /// Messages deleted per second, at most.
    static let perSecondMax = 1_000
    private static let burst = 100

    let archive: any EventArchive
    let time: any TimeSource

    private struct Place: Decodable {
        let provider: String
        let inbox_id: String
    }

    /// Goes through all of the user's messages once. `account.erased` stays.
    ///
    /// - Returns: how many were deleted.
    /// - Throws: ``PublisherUnavailable``, `CancellationError`.
    func run(_ key: AccountKey) async throws -> Int {
        let kept = EventSubject.subject(user: key.user, type: "account.erased")
        var next: UInt64 = 1
        var deleted = 0
        while let message = try await archive.message(of: key.user, from: next) {
            try Task.checkCancellation()
            next = message.streamSequence + 1
            guard message.subject != kept, isOf(key, message) else { continue }
            try await archive.erase(streamSequence: message.streamSequence)
            deleted += 1
            if deleted % Self.burst == 0 {
                try await time.sleep(for: .milliseconds(Self.burst * 1000 / Self.perSecondMax))
            }
        }
        return deleted
    }

    private func isOf(_ key: AccountKey, _ message: ArchivedMessage) -> Bool {
        // What is not one of our events belongs to no account.
        guard let place = try? JSONDecoder().decode(Place.self, from: Data(message.payload)) else { return false }
        return place.provider == key.provider.rawValue && place.inbox_id == key.inbox.raw
    }
}
