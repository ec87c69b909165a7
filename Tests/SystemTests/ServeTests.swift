import Foundation
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// `mailsync serve` from start to end.
    @Suite struct ServeTests {
        /// Nobody has to connect again: every account resumes by itself, the disconnected one does not.
        @Test(.timeLimit(.minutes(2))) func everyAccountResumesAfterAKill() async throws {
            try await withStage { stage in
                let users = try ["ada", "bob", "c.d/e*>"].map { try stage.makeUser($0, messages: 20) }
                let gone = try stage.makeUser("gone", messages: 5)
                let first = try await stage.serve()
                for user in users + [gone] {
                    try await first.client(of: user).connect()
                    try await first.client(of: user).waitUntilLive()
                }
                let answer = try await first.client(of: gone).post(
                    "/mail/disconnect", Data(#"{"provider":"google"}"#.utf8))
                #expect(answer.status == 200)
                await first.kill()

                let second = try await stage.serve()
                for user in users {
                    let watch = try await stage.watch(user)
                    let id = try user.receive(subject: "After the restart")
                    try await watch.read(until: [id])
                    await watch.close()
                }
                try gone.receive(subject: "Not for us")
                #expect(await second.terminate() == .code(0))
                #expect(try await stage.snapshot(of: gone).account?.status == .stopped)
                #expect(try await stage.snapshot(of: gone).account?.stored == stage.inScope(gone) - 1)
            }
        }

        @Test(.timeLimit(.minutes(2))) func sigtermEndsAnIdleService() async throws {
            try await withStage { stage in
                let process = try await stage.serve(["SHUTDOWN_TIMEOUT": "5s"])
                #expect(await process.terminate(within: .seconds(5)) == .code(0))
            }
        }

        /// Whatever it is busy with, it ends in time and goes on later.
        @Test(.timeLimit(.minutes(2))) func sigtermEndsABackfill() async throws {
            var provider = EmulatorConfiguration()
            provider.latency = .milliseconds(100)
            try await withStage(provider: provider) { stage in
                let user = try stage.makeUser(messages: 3000)
                let process = try await stage.serve(["SHUTDOWN_TIMEOUT": "5s"])
                let watch = try await stage.watch(user)
                try await process.client(of: user).connect()
                try await watch.read(10)
                #expect(await process.terminate(within: .seconds(5)) == .code(0))
                #expect(try await stage.snapshot(of: user).account?.phase != .live, "the backfill was not over")
                try await stage.expectAgreement(stage.serve(), user, watch)
            }
        }

        @Test(.timeLimit(.minutes(2))) func sigtermEndsAServiceWithoutNATS() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 500)
                let process = try await stage.serve(["SHUTDOWN_TIMEOUT": "5s"])
                let watch = try await stage.watch(user)
                try await process.client(of: user).connect()
                try await watch.read(10)
                await stage.nats.kill()
                try await eventually("the service notices") { try await process.answers(503, "/readyz") }
                #expect(try await process.answers(200, "/healthz"))
                #expect(await process.terminate(within: .seconds(5)) == .code(0))
                try await stage.nats.start()
                try await stage.expectAgreement(stage.serve(), user, watch)
            }
        }

        /// A provider that accepts requests and never answers does not hold up the end.
        @Test(.timeLimit(.minutes(2))) func sigtermEndsAServiceWhoseProviderIsSilent() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 200)
                let process = try await stage.serve(["SHUTDOWN_TIMEOUT": "5s"])
                let google = stage.emulator.google
                google.faults.add(Fault(.anyGmail, times: nil, .stall))
                try await process.client(of: user).connect()
                try await eventually("a request waits for its answer") { google.faults.struck > 0 }
                #expect(await process.terminate(within: .seconds(5)) == .code(0))
                google.faults.removeAll()
                let again = try await stage.serve()
                try await stage.expectAgreement(again, user, stage.watch(user))
            }
        }

        /// NATS may come later than the service; until then mail is stored, up to a limit.
        @Test(.timeLimit(.minutes(2))) func startsWithoutNATSAndPausesAtTheOutboxLimit() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 2000)
                await stage.nats.stop()
                let process = try stage.spawn(["OUTBOX_MAX_ROWS": "200"])
                try await eventually("the API answers") { try await process.answers(200, "/healthz") }
                #expect(try await process.answers(503, "/readyz"))
                let client = process.client(of: user)
                try await client.connect()
                try await eventually("the backfill pauses") {
                    try await client.account()?.waiting_for?.contains("outbox") == true
                }
                let depth = try #require(try await client.account()).outbox_depth
                #expect((200..<500).contains(depth), "the limit and at most a batch more")
                try await stage.nats.start()
                try await process.waitUntilReady()
                try await stage.expectAgreement(process, user, stage.watch(user))
            }
        }

        @Test(.timeLimit(.minutes(2))) func aTakenPortIsAClearError() async throws {
            try await withStage { stage in
                let first = try await stage.serve()
                let second = try stage.spawn(["DATA_DIR": stage.dataDirectory + "-2"])
                let exit = await second.program.waitForExit(within: .seconds(30))
                #expect(exit != nil && exit != .code(0))
                #expect(stage.log.contains("\(stage.httpPort)"), "\(stage.logTail)")
                await second.kill()
                #expect(await first.terminate() == .code(0))
            }
        }

        @Test(.timeLimit(.minutes(2))) func aSecondProcessIsRefused() async throws {
            try await withStage { stage in
                let first = try await stage.serve()
                let second = try stage.spawn(["HTTP_PORT": "0"])
                let exit = await second.program.waitForExit(within: .seconds(30))
                #expect(exit != .code(0))
                #expect(exit != nil, "it runs beside the first one")
                let says = "\(stage.dataDirectory) is in use by another mailsync (process \(first.program.processID))"
                #expect(stage.log.contains(says))
                #expect(try await first.answers(200, "/readyz"))
                await second.kill()
                #expect(await first.terminate() == .code(0))
            }
        }

        /// With no `NATS_URL`, a private server, which a start after a kill adopts.
        @Test(.timeLimit(.minutes(2))) func aPrivateServerOutlivesAKill() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 50)
                let first = try await stage.serve(["NATS_URL": ""])
                try await first.client(of: user).connect()
                try await first.client(of: user).waitUntilLive()
                await first.kill()
                let second = try await stage.serve(["NATS_URL": ""])
                #expect(stage.log.contains("adopted the private nats-server"))
                try await second.client(of: user).waitUntilPublished()
                #expect(stage.readableByOthers() == [])
                #expect(await second.terminate() == .code(0))
                let left = FileManager.default.fileExists(atPath: "\(stage.dataDirectory)/nats/server.pid")
                #expect(!left, "the private server was ended")
            }
        }
    }

    /// What a bad configuration is answered with.
    @Suite struct ConfigurationTests {
        @Test func everyBadVariableIsNamedAtOnceAndNoSecretShown() async throws {
            try await withStage { stage in
                let process = try stage.spawn([
                    "HTTP_PORT": "eighty", "SYNC_INTERVAL": "soon", "STREAM_REPLICAS": "0",
                    "GMAIL_API_URL": "ftp://mail.example", "BETTER_AUTH_JWKS_URL": "", "LOG_LEVEL": "loud",
                    "NATS_URL": "http://user:Zeppelin@nats.example:4222", "ENCRYPTION_KEY": "Zeppelin-not-a-key",
                    "OPERATOR_TOKEN": "Zeppelin",
                ])
                let exit = await process.program.waitForExit(within: .seconds(30))
                #expect(exit != nil && exit != .code(0))
                let log = stage.log
                for variable in [
                    "HTTP_PORT", "SYNC_INTERVAL", "STREAM_REPLICAS", "GMAIL_API_URL", "BETTER_AUTH_JWKS_URL",
                    "LOG_LEVEL", "NATS_URL", "ENCRYPTION_KEY", "OPERATOR_TOKEN",
                ] {
                    #expect(log.contains(variable), "in: \(log)")
                }
                #expect(log.contains("eighty"), "the value is shown")
                #expect(!log.contains("Zeppelin"), "a secret is not")
                #expect(!FileManager.default.fileExists(atPath: stage.dataDirectory), "nothing was begun")
                await process.kill()
            }
        }
    }
}

extension Stage {
    /// How many of the user's messages are in scope now.
    func inScope(_ user: MailUser) throws -> Int { try user.truth().count { $0.inScope } }
}
