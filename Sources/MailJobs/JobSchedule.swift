import MailModel

/// Decides which waiting jobs run next: manual before scheduled, then the user who runs least, then the user who was
/// served longest ago, then the oldest. Equal jobs never run side by side. Pure.
struct JobSchedule: Sendable {
    /// Users whose last turn is remembered; the rest count as never served.
    static let usersRememberedMax = 10_000

    /// A job as far as the choice is concerned.
    struct Candidate: Sendable, Hashable {
        /// The order of asking.
        var number: Int64
        /// Encoded; empty for the service.
        var user: String
        var kind: JobKind
        var account: String
        var parameters: String
        var priority: JobPriority

        func isEqual(_ other: Candidate) -> Bool {
            user == other.user && kind == other.kind && account == other.account && parameters == other.parameters
        }
    }

    private let limits: JobLimits
    private var turn: Int64 = 0
    private var served: [String: Int64] = [:]

    init(limits: JobLimits) { self.limits = limits }

    /// True when a job of this sort could be started.
    func hasPlace(lasting: Bool, active: [Candidate]) -> Bool {
        active.count { $0.kind.isLasting == lasting } < limits.activeMax(lasting: lasting)
    }

    /// - Parameters:
    ///   - waiting: of each user at least the first ``JobLimits/activePerUserMax`` that could run.
    ///   - active: what runs.
    /// - Returns: the numbers of the jobs to start, in order.
    mutating func choose(waiting: [Candidate], active: [Candidate]) -> [Int64] {
        var chosen: [Int64] = []
        for lasting in [false, true] {
            var running = active.filter { $0.kind.isLasting == lasting }
            var rest = waiting.filter { $0.kind.isLasting == lasting }
            while running.count < limits.activeMax(lasting: lasting), let next = next(of: rest, beside: running) {
                rest.removeAll { $0.number == next.number }
                running.append(next)
                chosen.append(next.number)
                remember(next.user)
            }
        }
        return chosen
    }

    private func next(of waiting: [Candidate], beside running: [Candidate]) -> Candidate? {
        let load = Dictionary(running.map { ($0.user, 1) }, uniquingKeysWith: +)
        let eligible = waiting.filter { candidate in
            load[candidate.user, default: 0] < limits.activePerUserMax
                && !running.contains { $0.isEqual(candidate) }
        }
        return eligible.min { rank($0, load) < rank($1, load) }
    }

    private func rank(_ candidate: Candidate, _ load: [String: Int]) -> (Int, Int, Int64, Int64) {
        (
            candidate.priority.rawValue, load[candidate.user, default: 0], served[candidate.user, default: 0],
            candidate.number
        )
    }

    private mutating func remember(_ user: String) {
        turn += 1
        served[user] = turn
        guard served.count > Self.usersRememberedMax else { return }
        let oldest = turn - Int64(Self.usersRememberedMax / 2)
        served = served.filter { $0.value > oldest }
    }
}
