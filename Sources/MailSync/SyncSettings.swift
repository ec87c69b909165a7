/// The limits of supervision.
public struct SyncSettings: Sendable, Hashable {
    /// Between two passes of an idle account (`SYNC_INTERVAL`), before jitter of a tenth.
    public var interval: Duration
    /// The same while pushes announce its changes (`PUSH_POLL_INTERVAL`).
    public var pushInterval: Duration
    /// So many passes run at once; further ones wait their turn, longest overdue first.
    public var passesMax: Int
    /// After so long a backfill gives its place to others that wait.
    public var slice: Duration
    /// How long after a pause (outbox full, disk reserve used up) an account is tried again.
    public var pauseRetry: Duration
    /// All accounts are scheduled within this time of a start.
    public var startSpread: Duration
    /// Backfills pause while so many rows wait in the user's outbox (`OUTBOX_MAX_ROWS`).
    public var outboxRowsMax: Int
    public var backoff: Backoff

    public init(
        interval: Duration = .seconds(30), pushInterval: Duration = .seconds(900), passesMax: Int = 256,
        slice: Duration = .seconds(10),
        pauseRetry: Duration = .seconds(5), startSpread: Duration = .seconds(10), outboxRowsMax: Int = 50_000,
        backoff: Backoff = Backoff()
    ) {
        self.interval = interval
        self.pushInterval = pushInterval
        self.passesMax = passesMax
        self.slice = slice
        self.pauseRetry = pauseRetry
        self.startSpread = startSpread
        self.outboxRowsMax = outboxRowsMax
        self.backoff = backoff
    }
}
