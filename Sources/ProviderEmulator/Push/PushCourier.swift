import HTTPTransport
import Logging
import MailModel
import Synchronization

/// Posts what the emulated providers announce, whoever they are: so many at once, each until it is acknowledged or its
/// policy gives up. Nothing is promised about the order.
///
/// Owned by ``ProviderEmulator``, whose end cancels and awaits everything under way.
public final class PushCourier: Sendable {
    /// A letter on its way.
    private struct Parcel {
        let letter: PushLetter
        /// Requests made so far.
        var tries = 0
    }
    private struct State {
        /// To be posted as soon as there is room.
        var queue: [Parcel] = []
        /// How many of the queue's first are gone: they are cut off now and then.
        var queueStart = 0
        var posting = 0
        /// Held back by a fault until the next letter was posted.
        var held: [Int: Parcel] = [:]
        /// Everything that runs, posting or waiting.
        var tasks: [Int: Task<Void, Never>] = [:]
        var nextID = 0
        var stats = PushStats()
        var transport: HTTPTransport?
        var isClosed = false
        var idle: [CheckedContinuation<Void, Never>] = []
        /// Whom to tell of lost letters.
        var losers: [@Sendable () -> Void] = []

        /// Queued, waiting or being posted.
        var underWay: Int { queue.count - queueStart + tasks.count }

        mutating func lose(_ letter: PushLetter) {
            if let whenLost = letter.whenLost { losers.append(whenLost) }
        }
    }

    /// How many requests are under way at once.
    public static let postsMax = 32
    /// Letters that wait or are under way; more are lost and counted.
    public static let lettersMax = 50_000
    /// The longest that a letter waits for another to overtake it.
    public static let holdMax: Duration = .seconds(1)
    private static let answerBytesMax = 64 * 1024

    /// What strikes letters: endpoint ``FaultEndpoint/push``.
    public let faults: FaultRegistry
    private let time: any TimeSource
    private let state = Mutex(State())

    init(faults: FaultPlan, time: any TimeSource) {
        self.faults = FaultRegistry(faults)
        self.time = time
    }

    /// What became of letters so far.
    public var stats: PushStats { state.withLock { $0.stats } }

    /// Takes a letter on; returns at once.
    public func send(_ letter: PushLetter) {
        let fault = faults.strike(.push, target: letter.url, mailbox: letter.mailbox)
        state.withLock { state in
            guard !state.isClosed else { return }
            state.stats.letters += 1
            guard state.underWay < Self.lettersMax else {
                state.stats.overflowed += 1
                state.lose(letter)
                return
            }
            place(letter, fault, &state)
            startPosting(&state)
        }
        tellLosers()
    }

    /// Posts a letter once, now, besides all others and whatever faults are set, and answers what its receiver did.
    ///
    /// - Throws: `TransportError`, `CancellationError`.
    public func exchange(_ letter: PushLetter) async throws -> HTTPResponse {
        guard let transport = state.withLock({ transport(&$0) }) else { throw CancellationError() }
        return try await transport.send(
            HTTPRequest(
                .post, letter.url, headers: letter.headers, body: letter.body, timeout: letter.policy.timeout,
                responseBytesMax: Self.answerBytesMax))
    }

    /// Returns when no letter waits or is under way.
    public func untilIdle() async {
        await withCheckedContinuation { (resume: CheckedContinuation<Void, Never>) in
            let isIdle = state.withLock { state in
                if state.underWay > 0 { state.idle.append(resume) }
                return state.underWay == 0
            }
            if isIdle { resume.resume() }
        }
    }

    func shutdown() async {
        let (tasks, transport) = close()
        for task in tasks { await task.value }
        await transport?.shutdown()
        state.withLock { wakeIfIdle(&$0) }
    }

    /// Cancels everything under way and takes nothing on any more.
    @discardableResult
    func close() -> ([Task<Void, Never>], HTTPTransport?) {
        let (tasks, transport) = state.withLock { state in
            state.isClosed = true
            (state.queue, state.queueStart, state.held) = ([], 0, [:])
            return (Array(state.tasks.values), state.transport)
        }
        for task in tasks { task.cancel() }
        return (tasks, transport)
    }
}

/// What happens to a letter before it is posted.
extension PushCourier {
    private func place(_ letter: PushLetter, _ fault: FaultResponse?, _ state: inout State) {
        let parcel = Parcel(letter: letter)
        switch fault {
        case .drop: state.stats.dropped += 1
        case .double: state.queue += [parcel, parcel]
        case .delay(let delay): park(parcel, for: delay, &state)
        case .garbage: state.queue.append(Parcel(letter: Self.garbled(letter)))
        case .forge: state.queue += [Parcel(letter: Self.forged(letter)), parcel]
        case .reorder: return hold(parcel, &state)
        default: state.queue.append(parcel)
        }
        releaseHeld(&state)
    }

    /// Something that no receiver can read, sent once: the letter itself is lost.
    private static func garbled(_ letter: PushLetter) -> PushLetter {
        var letter = letter
        letter.body = Array("{\"message\": {\"data\": \u{0}".utf8) + [0xff, 0xfe]
        letter.policy.triesMax = 1
        return letter
    }

    /// What a forger posts, once, besides the letter itself.
    private static func forged(_ letter: PushLetter) -> PushLetter {
        var forged = letter
        if let forge = letter.forge { forge(&forged) } else { forged.headers.removeAll { $0.name == "Authorization" } }
        forged.policy.triesMax = 1
        forged.whenLost = nil
        return forged
    }

    /// Posts the parcel after the next letter, or after ``holdMax`` when none comes.
    private func hold(_ parcel: Parcel, _ state: inout State) {
        let id = run(&state) { [self] id in
            // Cut short when it was released, or when everything ends: the state tells which.
            try? await time.sleep(for: Self.holdMax)
            return { state in
                if let parcel = state.held.removeValue(forKey: id) { state.queue.append(parcel) }
            }
        }
        state.held[id] = parcel
    }

    private func releaseHeld(_ state: inout State) {
        for (id, parcel) in state.held.sorted(by: { $0.key < $1.key }) {
            state.tasks[id]?.cancel()
            state.queue.append(parcel)
        }
        state.held = [:]
    }

    /// Posts the parcel later.
    private func park(_ parcel: Parcel, for delay: Duration, _ state: inout State) {
        run(&state) { [self] _ in
            // Cut short only when everything ends.
            try? await time.sleep(for: delay)
            return { state in
                if !state.isClosed { state.queue.append(parcel) }
            }
        }
    }
}

/// Posting.
extension PushCourier {
    private func startPosting(_ state: inout State) {
        while state.posting < Self.postsMax, state.queueStart < state.queue.count, !state.isClosed {
            var parcel = state.queue[state.queueStart]
            state.queueStart += 1
            state.posting += 1
            parcel.tries += 1
            post(parcel, &state)
        }
        if state.queueStart == state.queue.count { (state.queue, state.queueStart) = ([], 0) }
    }

    private func post(_ parcel: Parcel, _ state: inout State) {
        state.stats.posts += 1
        run(&state) { [self] _ in
            // What kept an answer from coming makes no difference to a provider: it sends again.
            let status = (try? await exchange(parcel.letter))?.status ?? 0
            return { [self] state in
                state.posting -= 1
                settle(parcel, status, &state)
            }
        }
    }

    private func settle(_ parcel: Parcel, _ status: Int, _ state: inout State) {
        if parcel.letter.policy.acknowledged.contains(status) {
            state.stats.acknowledged += 1
            return
        }
        guard !state.isClosed else { return }
        state.stats.refused[status, default: 0] += 1
        if let wait = parcel.letter.policy.wait(afterTry: parcel.tries) {
            park(parcel, for: wait, &state)
        } else {
            state.stats.givenUp += 1
            state.lose(parcel.letter)
        }
    }

    /// Starts a task that the courier owns; what it returns happens to the state when it ends.
    @discardableResult
    private func run(
        _ state: inout State, _ work: @escaping @Sendable (Int) async -> (@Sendable (inout State) -> Void)
    ) -> Int {
        state.nextID += 1
        let id = state.nextID
        state.tasks[id] = Task { [self] in
            let finish = await work(id)
            self.state.withLock { state in
                state.tasks[id] = nil
                finish(&state)
                startPosting(&state)
            }
            // They may have more to send.
            tellLosers()
            self.state.withLock { wakeIfIdle(&$0) }
        }
        return id
    }

    private func tellLosers() {
        let losers = state.withLock { state in
            defer { state.losers = [] }
            return state.losers
        }
        for loser in losers { loser() }
    }

    private func wakeIfIdle(_ state: inout State) {
        guard state.underWay == 0 else { return }
        for waiter in state.idle { waiter.resume() }
        state.idle = []
    }

    /// Made for the first letter: most emulators never send one. Nil when the courier has ended.
    private func transport(_ state: inout State) -> HTTPTransport? {
        guard !state.isClosed else { return nil }
        if let transport = state.transport { return transport }
        var configuration = HTTPTransport.Configuration()
        configuration.connectionsPerHostMax = Self.postsMax
        var quiet = Logger(label: "emulator.pushes")
        quiet.logLevel = .critical
        let transport = HTTPTransport(configuration: configuration, logger: quiet)
        state.transport = transport
        return transport
    }
}
