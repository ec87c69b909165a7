import Accounts
import GRDB
import MailModel
import MailTestSupport
import Testing

@testable import MailJobs

/// Random lives of a queue: processes that die at any moment, jobs that fail, are cancelled, parked, resumed and tried
/// again. Whatever happens, no job is held by two workers, none is done twice, and the counts are the table's.
@Suite struct JobPropertyTests {
    private struct World {
        let fixture: JobFixture
        var random: SeededGenerator
        var schedule: JobSchedule
        var process = 1
        /// What the living process runs.
        var held: [ClaimedJob] = []
        /// What dead processes ran.
        var stale: [ClaimedJob] = []
        var ids: [JobID] = []
        var completions: [JobID: Int] = [:]

        mutating func step() async throws {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<35: try await enqueue()
            case 35..<60: try await claim()
            case 60..<80: try await endOne()
            case 80..<84: try await die()
            case 84..<88: fixture.time.advance(by: .seconds(Int64.random(in: 1...30, using: &random)))
            case 88..<92: try await someone { _ = try await $0.cancel($1) }
            case 92..<94: try await someone { try await $0.park($1) }
            case 94..<97: try await someone { try await $0.resume($1) }
            default: try await someone { _ = try await $0.retry($1) }
            }
        }

        private mutating func enqueue() async throws {
            let kind = [JobKind.incrementalSync, .verify, .import].randomElement(using: &random) ?? .verify
            let user = UserID.numbered(Int.random(in: 0..<4, using: &random))
            do {
                ids.append(try await fixture.enqueue(kind, of: user, Int.random(in: 0..<5, using: &random)))
            } catch is TooManyJobs {}  // the limit is part of what is tested
        }

        private mutating func claim() async throws {
            let claims = try await fixture.queue.claim(
                Set(JobKind.allCases), beside: held.map(\.candidate), schedule: schedule, owner: "\(process)")
            schedule = claims.schedule
            for claimed in claims.jobs {
                #expect(!held.contains { $0.job.id == claimed.job.id })
                #expect(!held.contains { $0.candidate.isEqual(claimed.candidate) })
                #expect(claimed.job.attempts <= fixture.queue.limits.attemptsMax)
                held.append(claimed)
            }
            let perUser = Dictionary(grouping: held) { $0.candidate.user + "\($0.candidate.kind.isLasting)" }
            #expect(perUser.values.allSatisfy { $0.count <= fixture.queue.limits.activePerUserMax })
        }

        private mutating func endOne() async throws {
            // A worker that lost its job does not know that.
            if let old = stale.randomElement(using: &random), Bool.random(using: &random) {
                #expect(try await fixture.end(old) == nil)
            }
            guard let index = held.indices.randomElement(using: &random) else { return }
            let claimed = held.remove(at: index)
            let endings: [JobEnding] = [
                .returned(.completed()), .failed(JobFailure(code: "x", "x")), .interrupted, .returned(.parked),
                .failed(JobFailure(code: "y", "y", isPermanent: true)),
            ]
            let ending = endings.randomElement(using: &random) ?? .interrupted
            let ended = try #require(try await fixture.end(claimed, ending))
            if ended.state == .completed { completions[ended.id, default: 0] += 1 }
            stale.append(claimed)
        }

        private mutating func die() async throws {
            process += 1
            stale += held
            held = []
            _ = try await fixture.queue.recover(owner: "\(process)", backoff: JobBackoff())
        }

        private mutating func someone(_ body: (JobQueue, JobID) async throws -> Void) async throws {
            guard let id = ids.randomElement(using: &random) else { return }
            try await body(fixture.queue, id)
        }

        func check() async throws {
            let jobs = try await fixture.queue.jobs(of: nil, limit: 10_000)
            let counted = Dictionary(jobs.map { ($0.state, 1) }, uniquingKeysWith: +)
            #expect(try await fixture.queue.counts().byState == counted)
            #expect(Set(jobs.filter { $0.state == .active }.map(\.id)) == Set(held.map(\.job.id)))
            for job in jobs {
                #expect(job.state.isFinished == (job.finishedAt != nil))
                #expect((completions[job.id] ?? 0) == (job.state == .completed ? 1 : 0))
                #expect(job.attempts <= fixture.queue.limits.attemptsMax)
            }
            #expect(completions.values.allSatisfy { $0 == 1 })
        }

        /// Everything that is not set aside comes to an end.
        mutating func drain() async throws {
            try await die()
            for _ in 0..<10_000 {
                fixture.time.advance(by: .seconds(1000))
                try await claim()
                if held.isEmpty { break }
                for claimed in held { _ = try await fixture.end(claimed) }
                held = []
            }
            let left = try await fixture.queue.jobs(of: nil, limit: 10_000).filter { !$0.state.isFinished }
            #expect(left.filter { !$0.isParked }.isEmpty)
        }
    }

    @Test(arguments: 0..<8) func noLifeDoublesOrLosesAJob(_ run: Int) async throws {
        let seed = SeededGenerator.seedOfThisRun &+ UInt64(run)
        let fixture = try JobFixture {
            $0.completedKeptMax = 100_000
            $0.failedKeptMax = 100_000
            $0.cancelledKeptMax = 100_000
            $0.activePerUserMax = 2
            $0.shortMax = 4
            $0.lastingMax = 4
        }
        var world = World(
            fixture: fixture, random: SeededGenerator(seed: seed), schedule: JobSchedule(limits: fixture.queue.limits))
        do {
            for step in 0..<300 {
                try await world.step()
                if step % 25 == 0 { try await world.check() }
            }
            try await world.check()
            try await world.drain()
        } catch {
            Issue.record("seed \(seed): \(error)")
        }
    }
}
