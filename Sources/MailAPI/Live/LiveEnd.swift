import MailModel
import Synchronization

/// Why a live stream ends, told to it from outside, and what wakes it.
final class LiveEnd: Sendable {
    /// The first that is told counts.
    enum Reason: Sendable, Hashable {
        /// The service ends.
        case shutdown
        /// The client closed its side.
        case departed
        /// The user's token is not valid any more.
        case expired
        /// The client did not answer a ping.
        case silent
        /// The client broke the WebSocket protocol: the code to close with (RFC 6455 §7.4.1).
        case fault(UInt16)
    }

    /// Raised by commits of the user's store as well.
    let signal = WakeSignal()
    private let state = Mutex<(reason: Reason?, whileWriting: WakeSignal?)>((nil, nil))

    var reason: Reason? { state.withLock { $0.reason } }

    func tell(_ reason: Reason) {
        let writing = state.withLock { state in
            if state.reason == nil { state.reason = reason }
            return state.whileWriting
        }
        signal.raise()
        writing?.raise()
    }

    /// Does the writing, and calls `cut` when it takes too long; less long once the stream has to end.
    ///
    /// - Parameters:
    ///   - cut: makes the writing fail.
    ///   - write: one piece of writing; only one at a time.
    func bounded(
        _ limits: LiveLimits, _ time: any TimeSource, cut: @escaping @Sendable () -> Void,
        _ write: () async throws -> Void
    ) async throws {
        let (interruption, isWritten) = (WakeSignal(), AtomicFlag())
        state.withLock { $0.whileWriting = interruption }
        defer { state.withLock { $0.whileWriting = nil } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                if self.reason == nil { await interruption.wait(atMost: limits.writeTimeout, time: time) }
                if self.reason != nil, !isWritten.isRaised {
                    // Cancelled when it is written; then there is nothing to cut.
                    try? await time.sleep(for: limits.closeTimeout)
                }
                if !isWritten.isRaised { cut() }
            }
            defer {
                isWritten.raise()
                group.cancelAll()
            }
            try await write()
        }
    }
}
