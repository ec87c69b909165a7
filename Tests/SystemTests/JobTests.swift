import Foundation
import GRDB
import HTTPTransport
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// What people ask for: `POST /api/email/sync` and its like, from the request to the event.
    @Suite struct JobTests {
        /// Nothing but what is asked for wakes a worker.
        private static let quiet = ["SYNC_INTERVAL": "3600s", "VERIFY_INTERVAL": "0s"]
        private static let adas = #"{"accountId":"ada:primary:GOOGLE"}"#

        @Test(.timeLimit(.minutes(3))) func whatIsAskedForIsDone() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 20)
                let service = try await stage.serve(Self.quiet)
                let client = service.client(of: user)
                try await client.connect()
                try await client.settle()
                let watch = try await stage.watch(user)
                let arrived = try user.receive(subject: "Asked for")
                let synced = try await client.finish(client.queue(Self.adas))
                #expect(synced.state == "completed" && synced.attempts == 1, "\(synced)")
                try await watch.read(until: [arrived])

                // What history never tells, a full sync finds.
                let google = stage.emulator.google
                let missed = try google.deliver(
                    Array("From: eve@example.org\r\nSubject: Missed\r\n\r\nHello.\r\n".utf8), to: user.address,
                    isConcealed: true)
                _ = try await client.finish(client.queue(Self.adas))
                try google.conceal(missed, false, in: user.address)
                #expect(try await client.finish(client.queue(#"{"type":"full_sync"}"#)).state == "completed")
                try await watch.read(until: [missed])
                await watch.close()

                #expect(try await client.finish(client.queue(#"{"type":"verify"}"#)).state == "completed")
                let folder = #"{"type":"folder_sync","accountId":"ada:primary:GOOGLE","folder":"INBOX"}"#
                #expect(try await client.finish(client.queue(folder)).state == "completed")
                let nowhere = folder.replacingOccurrences(of: "INBOX", with: "Nowhere")
                let failed = try await client.finish(client.queue(nowhere))
                #expect(failed.state == "failed" && failed.error?.code == "unknown_folder" && failed.attempts == 1)
                #expect(await service.terminate() == .code(0))
                try await stage.expectAgreement(stage.serve(), user, stage.watch(user))
            }
        }

        @Test(.timeLimit(.minutes(2))) func nobodySeesAnothersJobs() async throws {
            try await withStage { stage in
                let (ada, bob) = (try stage.makeUser(messages: 3), try stage.makeUser("bob", messages: 3))
                let service = try await stage.serve(Self.quiet)
                for user in [ada, bob] { try await service.client(of: user).connect() }
                let id = try await service.client(of: ada).queue(Self.adas)
                let client = service.client(of: bob)
                #expect(try await client.jobs().isEmpty)
                #expect(try await service.get("/api/sync/jobs/\(id)", token: bob.token).status == 404)
                let cancel = Data(#"{"jobId":"\#(id)"}"#.utf8)
                #expect(try await client.post("/api/sync/cancel", cancel).status == 404)
                #expect(try await client.post("/api/email/sync", Data(Self.adas.utf8)).status == 404)
                #expect(try await service.client(of: ada).finish(id).state == "completed")
                #expect(await service.terminate() == .code(0))
            }
        }

        /// A provider that fails makes jobs that fail, and an operator has them tried again.
        @Test(.timeLimit(.minutes(4))) func aFailedSyncIsAFailedJob() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 5)
                let service = try await stage.serve(Self.quiet)
                let client = service.client(of: user)
                try await client.connect()
                try await client.settle()
                let google = stage.emulator.google
                google.faults.add(Fault(.anyGmail, times: nil, .error(.backendError)))
                let job = try await client.finish(client.queue(Self.adas), within: .seconds(120))
                #expect(job.state == "failed" && job.attempts == 3 && job.error != nil, "\(job)")
                let letters = try await stage.operate("jobs", "list", "--state", "failed")
                #expect(letters.exit == .code(0))
                #expect(letters.output.contains(job.jobId) && letters.output.contains("1 job"), "\(letters.output)")

                google.faults.removeAll()
                let retried = try await stage.operate("jobs", "retry", job.jobId)
                #expect(retried.exit == .code(0), "\(retried.output)")
                #expect(try await client.finish(job.jobId).state == "completed")
                #expect(try await stage.operate("jobs", "retry", job.jobId).exit == .code(2))
                #expect(try await stage.operate("jobs", "show", job.jobId).output.contains("completed"))

                // Where only the user can help, nothing is tried again and again.
                google.revokeGrant(of: user.address)
                let gone = try await client.finish(client.queue(Self.adas))
                #expect(gone.state == "failed" && gone.attempts == 1, "\(gone)")
                let parked = try await client.finish(client.queue(Self.adas))
                #expect(parked.state == "failed" && parked.attempts == 1, "\(parked)")
                #expect(parked.error?.code == "reauth_required")
                #expect(await service.terminate() == .code(0))
            }
        }

        @Test(.timeLimit(.minutes(3))) func aKilledJobRunsAgainAndIsDoneOnce() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 30)
                var service = try await stage.serve(Self.quiet)
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                let google = stage.emulator.google
                google.faults.add(Fault(.anyGmail, times: nil, .stall))
                try user.receive(subject: "While it is killed")
                let id = try await service.client(of: user).queue(Self.adas)
                try await eventually("the job waits for the provider") {
                    try await service.client(of: user).job(id).state == "active" && google.faults.struck > 0
                }
                await service.kill()
                google.faults.removeAll()
                service = try await stage.serve(Self.quiet)
                let job = try await service.client(of: user).finish(id)
                #expect(job.state == "completed" && job.attempts == 2, "\(job)")
                #expect(try await service.client(of: user).jobs().map(\.jobId) == [id])

                // A graceful end puts it back, and the attempt does not count.
                google.faults.add(Fault(.anyGmail, times: nil, .stall))
                let next = try await service.client(of: user).queue(Self.adas)
                try await eventually("the job runs") { try await service.client(of: user).job(next).state == "active" }
                #expect(await service.terminate() == .code(0))
                google.faults.removeAll()
                service = try await stage.serve(Self.quiet)
                let again = try await service.client(of: user).finish(next)
                #expect(again.state == "completed" && again.attempts == 1, "\(again)")
                #expect(await service.terminate() == .code(0))
                try await stage.expectAgreement(stage.serve(), user, stage.watch(user))
            }
        }

        @Test(.timeLimit(.minutes(2))) func nothingOfAnErasedAccountsJobsIsLeft() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 5)
                let service = try await stage.serve(Self.quiet)
                let client = service.client(of: user)
                try await client.connect()
                try await client.settle()
                _ = try await client.finish(client.queue(Self.adas))
                _ = try await client.finish(client.queue(#"{"type":"full_sync"}"#))
                let erased = try await client.post(
                    "/mail/disconnect", Data(#"{"provider":"google","erase":true}"#.utf8))
                #expect((200...202).contains(erased.status))
                #expect(await service.terminate() == .code(0))
                let database = try DatabaseQueue(path: "\(stage.dataDirectory)/control.db")
                let left = try await database.read { db in
                    try Int.fetchOne(
                        db,
                        sql: """
                            SELECT (SELECT count(*) FROM jobs WHERE user_id = 'ada')
                                + (SELECT count(*) FROM job_counts WHERE user_id = 'ada')
                            """)
                }
                #expect(left == 0)
            }
        }

        /// Twenty mailboxes are being read for the first time meanwhile.
        @Test(.timeLimit(.minutes(3))) func askingIsQuickBesideBackfills() async throws {
            try await withStage { stage in
                let users = try (0..<20).map { try stage.makeUser("user\($0)", messages: 2000, seed: UInt64($0)) }
                let service = try await stage.serve(["GMAIL_UNITS_PER_MINUTE": "6000", "LOG_LEVEL": "error"])
                for user in users { try await service.client(of: user).connect() }
                try await eventually("all mailboxes are being read") {
                    for user in users {
                        let phases = try await service.client(of: user).accounts().map(\.phase)
                        if phases != ["backfill"] { return false }
                    }
                    return true
                }
                var best = Double.infinity
                // The best of three: what is measured is the service, not who else uses the machine.
                for _ in 0..<3 where best >= 100 { best = min(best, try await percentile(service, users)) }
                print("POST /api/email/sync beside 20 backfills: p99 \(best) ms")
                #expect(best < 100)
                let phases = try await service.client(of: users[0]).accounts().map(\.phase)
                #expect(phases == ["backfill"], "else this measured nothing")
                #expect(await service.terminate() == .code(0))
            }
        }

        /// The 99th percentile of what each user waits for ten answers, in milliseconds.
        private func percentile(_ service: MailsyncProcess, _ users: [MailUser]) async throws -> Double {
            let times = try await withThrowingTaskGroup(of: [Double].self) { group in
                for user in users {
                    group.addTask {
                        var times: [Double] = []
                        for _ in 0..<10 {
                            let start = ContinuousClock.now
                            let answer = try await service.client(of: user).post("/api/email/sync", Data("{}".utf8))
                            times.append((ContinuousClock.now - start).inSeconds * 1000)
                            #expect(answer.status == 200)
                        }
                        return times
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            return times.sorted()[times.count * 99 / 100]
        }
    }
}

/// What tests read of a job, under the names of the API.
private struct JobView: Decodable, Sendable {
    struct Failure: Decodable, Sendable {
        let code: String
        let message: String
    }
    let jobId: String
    let type: String
    let state: String
    let attempts: Int
    let error: Failure?

    var isFinished: Bool { ["completed", "failed", "cancelled"].contains(state) }
}

extension UserClient {
    private struct Queued: Decodable { let jobId: String }
    private struct One: Decodable { let job: JobView }
    private struct Many: Decodable { let jobs: [JobView] }

    /// Asks for a sync, or for a job of the type that the body names.
    ///
    /// - Returns: the job's id.
    fileprivate func queue(_ body: String) async throws -> String {
        let path = body.contains(#""type""#) ? "/api/sync/jobs" : "/api/email/sync"
        let answer = try await post(path, Data(body.utf8))
        let text = String(decoding: answer.body, as: UTF8.self)
        guard (200...202).contains(answer.status) else {
            throw Refused(description: "\(path): \(answer.status) \(text)")
        }
        return try JSONDecoder().decode(Queued.self, from: Data(answer.body)).jobId
    }

    fileprivate func job(_ id: String) async throws -> JobView {
        let answer = try await process.get("/api/sync/jobs/\(id)", token: user.token)
        return try JSONDecoder().decode(One.self, from: Data(answer.body)).job
    }

    fileprivate func jobs() async throws -> [JobView] {
        let answer = try await process.get("/api/sync/jobs", token: user.token)
        return try JSONDecoder().decode(Many.self, from: Data(answer.body)).jobs
    }

    /// The job as it is when it is over.
    fileprivate func finish(_ id: String, within limit: Duration = .seconds(60)) async throws -> JobView {
        var last: JobView?
        do {
            try await eventually("job \(id) is over", within: limit, every: .milliseconds(50)) {
                last = try await job(id)
                return last?.isFinished == true
            }
        } catch is NotInTime {
            throw NotInTime("job \(id) is not over within \(limit): \(last.map { "\($0)" } ?? "unknown")")
        }
        return try await job(id)
    }
}
