import MailAPI
import MailModel
import ServiceLifecycle

/// Verifications that users asked for, one per user at a time. Who asks waits for a while; who asks again joins the one
/// under way, or gets the summary that nobody waited for.
actor UserVerifications: ServiceLifecycle.Service {
    private enum State {
        case running(Task<Void, Never>)
        case finished(Result<Verification?, any Error>)
    }

    /// How long a caller waits for the summary.
    private static let patience: Duration = .seconds(20)
    private static let poll: Duration = .milliseconds(50)

    private let verifier: Verifier
    private let time: any TimeSource
    private var states: [UserID: State] = [:]
    private var isStopping = false

    init(verifier: Verifier, time: any TimeSource) {
        self.verifier = verifier
        self.time = time
    }

    /// Ends what is under way when the service shuts down.
    func run() async throws {
        // Ends by cancellation as well.
        try? await gracefulShutdown()
        isStopping = true
        let tasks = states.values.compactMap { state in
            if case .running(let task) = state { task } else { nil }
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    /// - Parameter accounts: the user's, to be compared with their mailboxes.
    /// - Throws: what the verification threw.
    func outcome(of user: UserID, accounts: [AccountKey], repairs: Bool) async throws -> VerificationOutcome {
        if states[user] == nil, !isStopping { start(user, accounts, repairs: repairs) }
        let deadline = time.nowMilliseconds() + Self.patience.milliseconds
        while time.nowMilliseconds() < deadline, let state = states[user] {
            if case .finished(let outcome) = state {
                states[user] = nil
                return try outcome.get().map { .ended(VerificationSummary($0)) } ?? .noAccount
            }
            try await time.sleep(for: Self.poll)
        }
        return .running
    }

    private func start(_ user: UserID, _ accounts: [AccountKey], repairs: Bool) {
        let options = VerificationOptions(againstProvider: true, repairs: repairs, accounts: accounts)
        states[user] = .running(
            // owner: `states`; cancelled and awaited by `run`.
            Task {
                do {
                    states[user] = .finished(.success(try await verifier.verify(user, options)))
                } catch {
                    states[user] = .finished(.failure(error))
                }
            })
    }
}

extension VerificationSummary {
    init(_ verification: Verification) {
        self.init(
            agrees: verification.agrees, events: verification.events, messages: verification.messages,
            streamed: verification.streamed, expired: verification.expired, listed: verification.listed,
            gaps: verification.gaps, givenUp: verification.givenUp, found: verification.found, left: verification.left,
            unchecked: verification.unchecked)
    }
}
