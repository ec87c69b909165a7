import Foundation
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// NATS goes away in the middle of publishing, for longer than it remembers event ids (2 s here).
    @Suite struct OutageTests {
        /// Longer than the duplicate window of the stage.
        static let outage = Duration.milliseconds(2_500)

        /// The stream stores an event and its acknowledgement is lost; the process stays, or is killed meanwhile.
        @Test(.timeLimit(.minutes(3)), arguments: NatsServerKind.available, [false, true])
        func lostAcknowledgement(_ kind: NatsServerKind, killed: Bool) async throws {
            try await withStage(kind) { stage in
                let proxy = try TCPProxy(to: stage.nats.port)
                let throughProxy = ["NATS_URL": "nats://127.0.0.1:\(proxy.port)"]
                let user = try stage.makeUser(messages: 400)
                var process = try await stage.serve(throughProxy)
                let watch = try await stage.watch(user)
                let client = process.client(of: user)
                try await client.connect()
                try await watch.read(30)
                proxy.mode = .losesAnswers
                try await eventually("an event is stored and not known to be") {
                    await watch.drain()
                    guard let account = try await client.account() else { return false }
                    return account.published < watch.messageCount
                }
                #expect(proxy.bytesLost > 0)
                proxy.mode = .away
                if killed { await process.kill() }
                try user.receive(subject: "While NATS is away")
                try await outlast(Self.outage)
                proxy.mode = .open
                if killed { process = try await stage.serve(throughProxy) }
                try await stage.expectAgreement(process, user, watch)
            }
        }

        /// Killed around a publish; NATS restarts and forgets the ids.
        @Test(
            .timeLimit(.minutes(3)), arguments: NatsServerKind.available,
            [CrashPoint.beforePublish, .afterPublish, .afterConfirm])
        func killedAroundAPublish(_ kind: NatsServerKind, at point: CrashPoint) async throws {
            try await withStage(kind) { stage in
                let user = try stage.makeUser(messages: 300)
                let times = point == .afterConfirm ? 1 : 40
                let process = try await stage.serve(["MAILSYNC_CRASH_AT": "\(point.rawValue):\(times)"])
                let watch = try await stage.watch(user)
                try await process.client(of: user).connect()
                let exit = await process.program.waitForExit(within: MailsyncProcess.patience)
                #expect(exit == .signal(SIGKILL))
                let store = try await stage.snapshot(of: user)
                await watch.drain()
                if point == .afterPublish {
                    #expect(watch.messageCount > store.events.count - store.unpublished, "the last one is not marked")
                }
                await stage.nats.kill()
                try await outlast(Self.outage)
                try await stage.nats.start()
                try await stage.expectAgreement(stage.serve(), user, watch)
            }
        }

        /// kill -9 of the server during publishing, more than once, and at last for longer than its memory.
        @Test(.timeLimit(.minutes(3)), arguments: NatsServerKind.available)
        func serverKilledWhilePublishing(_ kind: NatsServerKind) async throws {
            try await withStage(kind) { stage in
                let user = try stage.makeUser(messages: 1500)
                let process = try await stage.serve()
                let watch = try await stage.watch(user)
                try await process.client(of: user).connect()
                for _ in 0..<3 {
                    try await watch.read(40)
                    await stage.nats.kill()
                    try await stage.nats.start()
                }
                try await watch.read(40)
                await stage.nats.kill()
                try user.receive(subject: "While NATS is away")
                try await outlast(Self.outage)
                try await stage.nats.start()
                try await stage.expectAgreement(process, user, watch)
            }
        }
    }
}
