import MailModel
import MailStore

/// The supervision of one account: a small value, which costs a task only while a pass runs.
///
/// ```mermaid
/// stateDiagram-v2
///     [*] --> scheduled: connect, start of the process
///     [*] --> unscheduled: start of the process, inner clock off
///     running --> unscheduled: pass ended, inner clock off
///     unscheduled --> scheduled: woken
///     scheduled --> running: due, or woken
///     running --> scheduled: pass ended (interval), failed (back-off), paused
///     running --> parked: the user must sign in again, wrong mailbox, store behind stream
///     parked --> scheduled: connect
///     running --> [*]: disconnect
///     scheduled --> [*]: disconnect
/// ```
struct AccountWorker: Sendable {
    enum State: Sendable, Hashable {
        case scheduled
        /// Up to date, and due only when somebody asks: the inner clock is off.
        case unscheduled
        case running
        /// Not tried again until somebody connects.
        case parked
    }

    let key: AccountKey
    var since: UnixSeconds?
    /// Its place among the others in any interval.
    let phase: Int64
    /// How often its user wants it to be polled; nil: as the service does by itself.
    var own: AccountSchedule?
    /// New with every connect: the end of a pass started before it concerns nobody.
    var epoch = 0
    var state = State.scheduled
    var pass: Task<Void, Never>?
    /// Somebody asked for a pass while one was running.
    let wake = AtomicFlag()
    /// A push announced what the next pass will find.
    let announced = AtomicFlag()
    /// The present pass knows of an announcement.
    let wasAnnounced = AtomicFlag()
    /// The present pass read changes of the mailbox that made events.
    let foundChanges = AtomicFlag()
    /// What the present pass finds, a healthy push would have announced: it was begun by the clock, over a mailbox that
    /// was followed before.
    var isPoll = false
    /// How well the account's changes are announced.
    var pushes = PushHealth.off
    /// Somebody, or a push, asked for a pass, and none has found the end since: every folder is asked.
    var isAsked = false
    /// It is due because its turn has come, and for nothing else.
    var isDueByClock = false
    /// The last pass found the end of what there is.
    var isSettled = true
    /// When a pass last found the end, since the start, in Unix milliseconds.
    var caughtUpAt: Int64?
    /// When a pass last found something, since the start, in Unix milliseconds.
    var changedAt: Int64?
    /// Passes begun since the account has this worker.
    var passes = 0
    /// The account's events when the present pass began; nil when it was not loaded yet.
    var eventsBefore: Int?
    /// How the last pass ended, and its number.
    var ended: (pass: Int, report: PassReport)?
    /// Who waits for the end of a pass, with the number of the pass.
    var waiting: [PassWaiter] = []
    /// The mailbox was checked since the account was connected or the process started.
    var mailboxKnown = false
    /// Consecutive failures; reset by a pass that succeeded or stored something.
    var failures = 0
    var dueAt: Int64?
    /// Why the account is not progressing, for people.
    var waitingFor: String?
    /// Somebody waits for the next pass to compare mailbox and store.
    var comparison: ComparisonRequest?
    /// The comparison that the present pass was asked for.
    var comparing: ComparisonRequest?
    var meter = ProgressMeter()
    /// The account as last committed or loaded; nil before.
    var stored: AccountSync?

    init(key: AccountKey, since: UnixSeconds?) {
        self.key = key
        self.since = since
        phase = PollingPolicy.phase(of: key)
    }
}

/// An account as operators and users see it.
public struct AccountSnapshot: Sendable {
    public var key: AccountKey
    /// What the store says; nil before the first pass of a new account.
    public var stored: AccountSync?
    public var isRunning: Bool
    public var isParked: Bool
    /// Why the account is not progressing; nil when it is.
    public var waitingFor: String?
    /// How well the account's changes are announced by pushes.
    public var pushes = PushHealth.off
    /// How often the user wants the account to be polled; nil: as the service does by itself.
    public var schedule: AccountSchedule?
    /// How long it rests between two passes that nobody asks for; nil: the inner clock is off, or it is parked.
    public var interval: Duration?
    /// When the next pass is due, in Unix seconds.
    public var nextAttemptAt: UnixSeconds?
    public var failures: Int
    /// Seconds until the backfill is done; nil when it is or nothing is known.
    public var etaSeconds: Int?
    /// Messages per second over the last half minute of a backfill.
    public var messagesPerSecond: Double?
}
