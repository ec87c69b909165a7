import MailModel

/// What a pass does next, decided from what happened so far. A value: events in, steps out, time as an input.
///
/// ```
/// checkMailbox ─> changes* ─> retryGaps* ─┬─(live)──────────────────────────> done
///                    ^  │resync           └─(not live)─> backfill ─┬─> done (last changes after the end)
///                    │  └─> repair* ──┘                    ^       │
///                    └──────── live mail is due ───────────┴───────┘
/// ```
struct PassMachine: Sendable {
    enum Step: Sendable, Hashable {
        /// Read the profile: is it the mailbox we know, and where to start.
        case checkMailbox
        case changes
        case repair
        case retryGaps
        case backfill
        case done
    }

    /// During a backfill, changes are asked for at least this often, in milliseconds.
    static let liveIntervalMilliseconds: Int64 = 5_000

    private(set) var step: Step
    private var phase: SyncPhase
    private var changesReadAt: Int64?
    private var gapsRetried = false
    /// A push announced what changes will be read.
    private(set) var isAnnounced = false

    /// - Parameters:
    ///   - phase: what the store says; `starting` when it knows nothing.
    ///   - mailboxKnown: the mailbox was checked since the account was connected or the process started.
    init(phase: SyncPhase, mailboxKnown: Bool) {
        self.phase = phase
        step = mailboxKnown && phase != .starting ? .changes : .checkMailbox
    }

    /// The mailbox is the right one, and the store follows it.
    mutating func mailboxChecked(phase: SyncPhase, fresh: Bool, at now: Int64) {
        self.phase = phase
        if fresh {
            changesReadAt = now
            step = .backfill
        } else {
            step = .changes
        }
    }

    /// The batch of the present step was committed.
    ///
    /// - Parameters:
    ///   - more: the step has more to give.
    ///   - woken: somebody asked for a pass meanwhile.
    mutating func committed(phase: SyncPhase, more: Bool, woken: Bool, at now: Int64) {
        let wasLive = self.phase == .live
        self.phase = phase
        switch step {
        case .changes:
            if more { return }
            changesReadAt = now
            afterChanges()
        case .repair:
            if more { return }
            changesReadAt = now
            afterChanges()
        case .retryGaps:
            afterGaps()
        case .backfill:
            if phase == .live && !wasLive {
                step = .changes
            } else if woken || now - (changesReadAt ?? 0) >= Self.liveIntervalMilliseconds {
                step = .changes
            }
        case .checkMailbox, .done:
            break
        }
    }

    /// No gap is due.
    mutating func noGapsDue() { afterGaps() }

    /// A push says that there are changes.
    mutating func announced() { isAnnounced = true }

    /// The provider no longer knows the cursor.
    mutating func cursorExpired() { step = .repair }

    private mutating func afterChanges() {
        step = gapsRetried ? (phase == .live ? .done : .backfill) : .retryGaps
    }

    private mutating func afterGaps() {
        gapsRetried = true
        step = phase == .live ? .done : .backfill
    }
}
