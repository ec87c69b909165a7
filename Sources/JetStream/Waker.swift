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
            throw .configuration(
                "cannot make a pipe (\(String(cString: strerror(errno)))): raise the limit of open files")
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
        guard !raised.exchange(true, ordering: .sequentiallyConsistent) else { return }
        var byte: UInt8 = 0
        _ = write(writeEnd, &byte, 1)
    }

    /// Called by the waiting thread after `poll` and before it looks at what it was woken for. First the pipe, then
    /// the flag: the other way round, the byte of a wake-up in between would be read away while its flag stays up,
    /// and no later wake-up would be heard.
    ///
    /// - Parameter readable: what `poll` said of ``readEnd``.
    func clear(readable: Bool) {
        if readable {
            var bytes: (UInt64, UInt64) = (0, 0)
            _ = read(readEnd, &bytes, 16)
        }
        raised.store(false, ordering: .sequentiallyConsistent)
    }

    /// Waits for a wake-up or the deadline.
    func wait(until deadline: UInt64) {
        var entry = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        let ready = poll(&entry, 1, MonotonicTime.milliseconds(until: deadline))
        clear(readable: ready > 0)
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
