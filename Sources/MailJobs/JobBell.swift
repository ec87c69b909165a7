import MailModel

/// Wakes the runner, and says whether the table is to be looked at.
struct JobBell: Sendable {
    private let signal = WakeSignal()
    private let news = AtomicFlag()

    /// Something in the table changed.
    func ring() {
        news.raise()
        signal.raise()
    }

    /// Something happened to a running job.
    func nudge() { signal.raise() }

    /// True when the table changed since the last time.
    func takeNews() -> Bool { news.take() }

    func wait(atMost duration: Duration?, time: any TimeSource) async {
        await signal.wait(atMost: duration, time: time)
    }
}
