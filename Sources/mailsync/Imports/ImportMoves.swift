import MailStore
import Synchronization

/// Tells whoever follows an import that it moved.
final class ImportMoves: Sendable {
    private struct State {
        var lastNumber = 0
        var following: [String: [Int: AsyncStream<MailImport>.Continuation]] = [:]
    }
    private let state = Mutex(State())
    /// Moves of imports that nobody follows.
    let unfollowed: AsyncStream<MailImport>
    private let others: AsyncStream<MailImport>.Continuation
    /// More than so many at once are not remembered: each comes again with the import's next move.
    private static let unfollowedMax = 1000

    init() {
        (unfollowed, others) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.unfollowedMax))
    }

    /// Never blocks.
    func tell(_ entry: MailImport) {
        let followers = state.withLock { $0.following[entry.id] }
        if let followers {
            for follower in followers.values { follower.yield(entry) }
        } else {
            others.yield(entry)
        }
    }

    /// The import's latest move, whenever there is one.
    func follow(_ id: String) -> AsyncStream<MailImport> {
        let (stream, continuation) = AsyncStream<MailImport>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.lastNumber += 1
            state.following[id, default: [:]][state.lastNumber] = continuation
            return state.lastNumber
        }
        continuation.onTermination = { [weak self] _ in self?.leave(id, number) }
        return stream
    }

    private func leave(_ id: String, _ number: Int) {
        state.withLock { state in
            state.following[id]?[number] = nil
            if state.following[id]?.isEmpty == true { state.following[id] = nil }
        }
    }
}
