import Accounts
import Logging
import MailModel
import MailTestSupport
import Synchronization

@testable import MailJobs

/// A queue in a file of its own, and a clock that stands still.
struct JobFixture: Sendable {
    let time = ManualTime()
    let directory: TemporaryDirectory
    let registry: AccountRegistry
    let queue: JobQueue

    init(_ change: (inout JobLimits) -> Void = { _ in }) throws {
        directory = try TemporaryDirectory("jobs")
        registry = try AccountRegistry(path: directory.path + "/control.db")
        var limits = JobLimits()
        change(&limits)
        queue = JobQueue(registry: registry, limits: limits, time: time)
    }

    /// The same file as the next process sees it.
    func reopened() throws -> JobQueue {
        try registry.close()
        return JobQueue(
            registry: try AccountRegistry(path: directory.path + "/control.db"), limits: queue.limits, time: time)
    }

    func enqueue(_ number: Int) async throws -> JobID { try await enqueue(.incrementalSync, of: nil, number) }

    func enqueue(_ kind: JobKind, _ number: Int) async throws -> JobID { try await enqueue(kind, of: nil, number) }

    func enqueue(
        _ kind: JobKind = .incrementalSync, of user: UserID? = nil, _ number: Int = 0
    ) async throws -> JobID {
        try await queue.enqueue(
            JobRequest(
                kind, of: user ?? .ada, parameters: JobDocument(["n": number]))
        ).id
    }

    func state(_ id: JobID) async throws -> JobState? { try await queue.job(id)?.state }

    func waitFor(_ id: JobID, _ state: JobState) async throws {
        try await eventually("job \(id) is \(state)") { try await self.state(id) == state }
    }

    /// Claims like a runner without handlers does.
    func claim(_ owner: String = "runner", beside active: [JobSchedule.Candidate] = []) async throws -> [ClaimedJob] {
        try await queue.claim(
            Set(JobKind.allCases), beside: active, schedule: JobSchedule(limits: queue.limits), owner: owner
        ).jobs
    }

    func end(_ claimed: ClaimedJob, _ ending: JobEnding = .returned(.completed())) async throws -> Job? {
        try await queue.end([JobReport(lease: claimed.lease, ending: ending)], backoff: JobBackoff()).first
    }

    /// Runs the body beside a runner with these handlers, and ends the runner.
    func run(
        _ handlers: [JobKind: JobHandler], times: JobTimes = JobTimes(), _ body: @Sendable () async throws -> Void
    ) async throws {
        let runner = JobRunner(queue: queue, handlers: handlers, times: times, time: time, logger: .silent)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await runner.run() }
            do { try await body() } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}

extension UserID {
    static let ada = UserID(uncheckedEncoded: "ada")
    static let bob = UserID(uncheckedEncoded: "bob")

    static func numbered(_ number: Int) -> UserID { UserID(uncheckedEncoded: "user-\(number)") }
}

extension AccountKey {
    static let adas = AccountKey(user: .ada, provider: .google, inbox: .primary)
    static let adasOther = AccountKey(user: .ada, provider: .microsoft, inbox: .primary)
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// Holds handlers until the test lets them go.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [Int: CheckedContinuation<Void, any Error>] = [:]
        var entered = 0
    }
    private let state = Mutex(State())

    /// Handlers that came so far.
    var entered: Int { state.withLock { $0.entered } }

    /// Waits for ``open()``.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    func pass() async throws {
        let id = state.withLock { state in
            state.entered += 1
            return state.entered
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let ready = state.withLock { state in
                    if state.isOpen || Task.isCancelled { return true }
                    state.waiting[id] = continuation
                    return false
                }
                guard ready else { return }
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    continuation.resume()
                }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(throwing: CancellationError())
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [:] }
            return state.waiting.values.map { $0 }
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// What handlers did, in order.
final class Diary: Sendable {
    private let lines = Mutex<[String]>([])

    func write(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}
