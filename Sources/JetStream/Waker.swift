import Dispatch
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

    /// Waits for a wake-up or the deadline.
    func wait(until deadline: UInt64) {
        var entry = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, MonotonicTime.milliseconds(until: deadline))
        clear()
    }
}

/// The monotonic clock in nanoseconds, for time-outs: setting the machine's clock does not disturb them.
enum MonotonicTime {
    static func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    static func now(plusMilliseconds milliseconds: Int) -> UInt64 {
        now() + UInt64(max(0, milliseconds)) * 1_000_000
    }

    /// What `poll` takes: rounded up, so that it does not end before the deadline.
    static func milliseconds(until deadline: UInt64) -> Int32 {
        let now = now()
        return deadline <= now ? 0 : Int32(clamping: (deadline - now + 999_999) / 1_000_000)
    }
}
