import EventAudit
import Foundation
import JetStream
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// A store that is an older copy, or gone, is filled from the stream, and everything goes on.
    @Suite struct RecoveryTests {
        private static func store(_ stage: Stage, _ user: MailUser) -> String {
            "\(stage.dataDirectory)/users/\(user.id.encoded)"
        }

        /// An older copy, whose owner numbers other events before it is noticed; or no file at all.
        @Test(.timeLimit(.minutes(3)), arguments: NatsServerKind.available, [false, true])
        func theStoreComesBackOlderOrNotAtAll(_ kind: NatsServerKind, lost: Bool) async throws {
            try await withStage(kind) { stage in
                let (user, other) = (try stage.makeUser(messages: 40), try stage.makeUser("bob", messages: 10))
                let store = Self.store(stage, user)
                let first = try await stage.serve()
                for user in [user, other] {
                    try await first.client(of: user).connect()
                    try await first.client(of: user).settle()
                }
                #expect(await first.terminate() == .code(0))
                try FileManager.default.copyItem(atPath: store, toPath: stage.dataDirectory + "/older")

                let second = try await stage.serve()
                let watch = try await stage.watch(user)
                for number in 1...5 {
                    let id = try user.receive(subject: "Number \(number)")
                    try await watch.read(until: [id])
                    try user.google.modify(id, in: user.address, add: ["STARRED"])
                    try await watch.read(until: [id])
                }
                #expect(await second.terminate() == .code(0))
                let truth = try await stage.snapshot(of: user)
                try FileManager.default.removeItem(atPath: store)
                if !lost { try FileManager.default.moveItem(atPath: stage.dataDirectory + "/older", toPath: store) }

                try user.receive(subject: "While the service is away")
                let third = try await stage.serve()
                let others = try await stage.watch(other)
                try await others.read(until: [other.receive(subject: "Others go on")])
                await others.close()
                try await stage.expectAgreement(third, user, watch)
                let after = try await stage.snapshot(of: user)
                #expect(Array(after.events.prefix(truth.events.count)) == truth.events)
                #expect(stage.log.contains("a store was filled from the stream"))
            }
        }

        /// Killed while it is being rebuilt, again and again.
        @Test(.timeLimit(.minutes(3))) func aRebuildIsKilledAndGoesOn() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 1500)
                let first = try await stage.serve()
                try await first.client(of: user).connect()
                try await first.client(of: user).settle()
                #expect(await first.terminate() == .code(0))
                let truth = try await stage.snapshot(of: user)
                try FileManager.default.removeItem(atPath: Self.store(stage, user))
                for _ in 0..<3 {
                    let process = try stage.spawn()
                    try await eventually("the file is being filled") {
                        FileManager.default.fileExists(atPath: Self.store(stage, user) + "/events.db-wal")
                    }
                    await process.kill()
                }
                let watch = try await stage.watch(user)
                try await stage.expectAgreement(stage.serve(), user, watch)
                let after = try await stage.snapshot(of: user)
                #expect(Array(after.events.prefix(truth.events.count)) == truth.events)
            }
        }

        /// `mailsync rebuild`, through the running service and without one.
        @Test(.timeLimit(.minutes(3)), arguments: [true, false]) func rebuildCommand(running: Bool) async throws {
            try await withStage { stage in
                let user = try stage.makeUser("ada", [(.google, "primary", 200), (.microsoft, "primary", 200)])
                let process = try await stage.serve()
                try await process.client(of: user).connect()
                try await process.client(of: user).settle()
                let watch = try await stage.watch(user)
                if !running { #expect(await process.terminate() == .code(0)) }
                let command = try SpawnedProgram(
                    BuiltProgram.mailsync, ["rebuild", "--user", user.id.raw, "--yes"],
                    environment: stage.environment, output: stage.logPath + ".rebuild")
                #expect(await command.waitForExit(within: MailsyncProcess.patience) == .code(0))
                let output = try String(contentsOfFile: stage.logPath + ".rebuild", encoding: .utf8)
                #expect(output.contains("the store is rebuilt up to event"))
                let kept = try FileManager.default.contentsOfDirectory(atPath: Self.store(stage, user))
                    .filter { $0.hasPrefix("events.db.before-rebuild-") }
                #expect(kept.count == 1)
                #expect(output.contains(kept.first ?? "?"))
                let before = try await stage.snapshot(of: user).events.map(\.id)
                try await stage.expectAgreement(running ? process : stage.serve(), user, watch)
                let after = try await stage.snapshot(of: user).events
                #expect(Array(after.prefix(before.count)).map(\.id) == before)
                let later = after.dropFirst(before.count).filter { $0.type.hasPrefix("email.") }
                #expect(
                    later.count == 3 * user.mailboxes.count, "the last ones of each mailbox, and no second backfill")
            }
        }

        /// What the stream held is too old for it; the store is lost after that. Mail is not told of twice, and what
        /// happens to it later is.
        @Test(.timeLimit(.minutes(3)), arguments: [true, false], ProviderKind.allCases)
        func agedOutMailIsTakenOver(partly: Bool, at provider: ProviderKind) async throws {
            try await withStage { stage in
                let user = try stage.makeUser("ada", [(provider, "primary", 120)])
                let first = try await stage.serve()
                try await first.client(of: user).connect()
                try await first.client(of: user).settle()
                let box = user.mailboxes[0].box
                let old = try box.messages().filter { $0.isInScope && !$0.labels.contains("STARRED") }.map(\.id)
                    .sorted()
                #expect(await first.terminate() == .code(0))
                try await stage.expireStream(of: user)
                let long = try await stage.serve()
                if partly {
                    let watch = try await stage.watch(user)
                    try box.setStarred(old[3], true)
                    try await watch.read(until: [old[3]])
                    try await watch.read(until: [user.receive(subject: "In the stream")])
                    await watch.close()
                }
                #expect(await long.terminate() == .code(0))
                let truth = try await stage.snapshot(of: user)
                try FileManager.default.removeItem(atPath: Self.store(stage, user))

                let last = try await stage.serve()
                let client = last.client(of: user)
                let stored = try #require(truth.accounts.first?.stored)
                try await eventually("all mail is known again") {
                    guard let account = try await client.account() else { return false }
                    return account.stored == stored && account.status == "active" && account.phase == "live"
                }
                let watch = try await stage.watch(user)
                let id = try user.receive(subject: "New")
                try box.setStarred(old[7], true)
                try await watch.read(until: [id])
                try await client.waitUntilPublished()
                await watch.drain(quiet: .milliseconds(500))
                #expect(await last.terminate() == .code(0))
                let after = try await stage.snapshot(of: user)
                let added = after.events.filter {
                    $0.seq > (truth.events.last?.seq ?? 0) && $0.type.hasPrefix("email.")
                }
                #expect(added.map(\.type).sorted() == ["email.received", "email.updated"])
                #expect(Set(added.map(\.id)).isDisjoint(with: truth.events.map(\.id)))
                if partly {
                    #expect(after.events.filter { $0.seq <= truth.events.last?.seq ?? 0 } == truth.events.suffix(2))
                }
                await watch.close()
            }
        }
    }
}

extension Stage {
    /// Everything the stream holds of the user leaves it, as if it were too old.
    fileprivate func expireStream(of user: MailUser) async throws {
        let publisher = try await JetStreamPublisher.connect(
            nats.configuration, stream: StreamConfiguration(duplicateWindowMilliseconds: 2_000), logger: logger)
        var next: UInt64 = 1
        while let message = try await publisher.message(of: user.id, from: next) {
            try await publisher.erase(streamSequence: message.streamSequence)
            next = message.streamSequence + 1
        }
        await publisher.close()
    }
}
