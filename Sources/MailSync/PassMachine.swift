import MailModel

/// What a pass does next, decided from what happened so far. A value: events in, steps out, time as an input.
///
/// ```
/// checkMailbox ─> changes* ─> retryGaps* ─┬─(live, no import)───────────────> done <─ importing (live mail is due)
///                    ^  │resync           └─> backfill, importing ─┬─> done (last changes after the backfill's end)
///                    │  └─> repair* ──┘              ^             │
///                    └──────── live mail is due ─────┴─────────────┘
/// ```
/// A backfill and imports take turns.
struct PassMachine: Sendable {
    enum Step: Sendable, Hashable {
        /// Read the profile: is it the mailbox we know, and where to start.
        case checkMailbox
        case changes
        case repair
        case retryGaps
        case backfill
        /// Read the next messages of one of the account's imports.
        case importing
        case done

        /// It goes on for long, and gives way to others.
        var isLong: Bool { self == .backfill || self == .importing }
        /// It may add many events at once.
        var adds: Bool { isLong || self == .repair }
    }

    /// During a backfill or an import, changes are asked for at least this often, in milliseconds.
    static let liveIntervalMilliseconds: Int64 = 5_000

    private(set) var step: Step
    private var phase: SyncPhase
    private var changesReadAt: Int64?
    private var gapsRetried = false
    /// The account has imports to go on with.
    private(set) var hasImports = false
    /// Whose turn it is, when there are both.
    private var importsAreNext = true
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
        case .backfill, .importing:
            importsAreNext = step == .backfill
            let wasImporting = step == .importing
            let isLiveDue = woken || now - (changesReadAt ?? 0) >= Self.liveIntervalMilliseconds
            step = isLiveDue || (phase == .live && !wasLive) ? .changes : longWork
            // The next pass begins with changes; this one is over for whoever waits for it.
            if wasImporting, isLiveDue, phase == .live { step = .done }
        case .checkMailbox, .done:
            break
        }
    }

    /// No gap is due.
    mutating func noGapsDue() { afterGaps() }

    /// Whether the account has imports to go on with, by now.
    mutating func noteImports(_ areActive: Bool) {
        hasImports = areActive
        if step == .importing, !areActive { step = longWork }
    }

    /// A push says that there are changes.
    mutating func announced() { isAnnounced = true }

    /// The provider no longer knows the cursor.
    mutating func cursorExpired() { step = .repair }

    private mutating func afterChanges() {
        step = gapsRetried ? longWork : .retryGaps
    }

    private mutating func afterGaps() {
        gapsRetried = true
        step = longWork
    }

    /// What goes on for long, as far as there is any.
    private var longWork: Step {
        switch (phase == .live, hasImports) {
        case (true, false): .done
        case (true, true): .importing
        case (false, false): .backfill
        case (false, true): importsAreNext ? .importing : .backfill
        }
    }
}
