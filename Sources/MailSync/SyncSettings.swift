/// The limits of supervision.
public struct SyncSettings: Sendable, Hashable {
    /// Between two passes of an idle account (`SYNC_INTERVAL`), where its provider has no folders with intervals of their own.
    public var interval: Duration
    /// Between two passes of an account whose pushes come (`PUSH_POLL_INTERVAL`).
    public var pushInterval: Duration
    /// No pass is made because time has passed (`SYNC_TRIGGER=cron`).
    public var isClockOff: Bool
    /// So many passes run at once; further ones wait their turn, longest overdue first.
    public var passesMax: Int
    /// After so long a backfill gives its place to others that wait.
    public var slice: Duration
    /// How long after a pause (outbox full, disk reserve used up) an account is tried again.
    public var pauseRetry: Duration
    /// Accounts that missed their turn before a start have it within this time, or within ``interval``.
    public var startSpread: Duration
    /// Backfills pause while so many rows wait in the user's outbox (`OUTBOX_MAX_ROWS`).
    public var outboxRowsMax: Int
    public var backoff: Backoff

    public init(
        interval: Duration = .seconds(30), pushInterval: Duration = .seconds(900), isClockOff: Bool = false,
        passesMax: Int = 256, slice: Duration = .seconds(10),
        pauseRetry: Duration = .seconds(5), startSpread: Duration = .seconds(10), outboxRowsMax: Int = 50_000,
        backoff: Backoff = Backoff()
    ) {
        self.interval = interval
        self.pushInterval = pushInterval
        self.isClockOff = isClockOff
        self.passesMax = passesMax
        self.slice = slice
        self.pauseRetry = pauseRetry
        self.startSpread = startSpread
        self.outboxRowsMax = outboxRowsMax
        self.backoff = backoff
    }

    var polling: PollingPolicy {
        PollingPolicy(interval: interval, pushInterval: pushInterval, isClockOff: isClockOff)
    }
}
