import Foundation
import Synchronization

/// Wakes a thread that waits in `poll`. Waking twice before the thread looks costs nothing.
final class Waker: Sendable {
    let readEnd: Int32
    private let writeEnd: Int32
    private let raised = Atomic<Bool>(false)

    init() throws(NatsFailure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw .configuration("cannot make a pipe (\(String(cString: strerror(errno)))): raise the limit of open files")
        }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func wake() {
        guard !raised.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 0
        _ = write(writeEnd, &byte, 1)
    }

    /// Called by the waiting thread before it looks at what it was woken for.
    func clear() {
        guard raised.exchange(false, ordering: .acquiringAndReleasing) else { return }
        var bytes: (UInt64, UInt64) = (0, 0)
        _ = read(readEnd, &bytes, 16)
    }
}
