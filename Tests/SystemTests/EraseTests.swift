import EventAudit
import Foundation
import HTTPTransport
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// Nothing of an erased account is left anywhere.
    @Suite struct EraseTests {
        private static let planted = "Zeppelin over Friedrichshafen"

        /// A user with two inboxes whose mail comes alternately: one is erased, the other stays as it is.
        private func twoInboxes(_ stage: Stage, _ process: MailsyncProcess) async throws -> (MailUser, UserMailbox) {
            let user = try stage.makeUser("ada", [(.google, "primary", 30), (.google, "work", 20)])
            try await process.client(of: user).connect()
            try await process.client(of: user).settle()
            let watch = try await stage.watch(user)
            for number in 1...6 {
                try await watch.read(until: [user.receive(subject: "\(Self.planted) \(number)")])
                try await watch.read(until: [user.mailboxes[1].receive(subject: "Stays \(number)")])
            }
            await watch.close()
            try await process.client(of: user).settle()
            return (user, user.mailboxes[1])
        }

        @Test(.timeLimit(.minutes(3)), arguments: NatsServerKind.available)
        func nothingOfItIsLeft(_ kind: NatsServerKind) async throws {
            try await withStage(kind) { stage in
                var process = try await stage.serve(["LOG_LEVEL": "trace"])
                let (user, other) = try await twoInboxes(stage, process)
                #expect(!stage.filesHolding(text: Self.planted).isEmpty, "else the search finds nothing at all")
                let before = try await stage.snapshot(of: user)
                let answer = try await process.client(of: user).erase()
                #expect(answer.status == 200)
                let text = String(decoding: answer.body, as: UTF8.self)
                #expect(text == #"{"message":"mail sync stopped","grant_revoked":true,"erased":true}"#)

                let watch = try await stage.watch(user)
                try await watch.read(until: [other.receive(subject: "Goes on")])
                await watch.close()
                #expect(stage.filesHolding(text: Self.planted) == [])
                #expect(stage.filesHolding(text: user.address).filter { !$0.contains("mailsync.log") } == [])
                #expect(await process.terminate() == .code(0))
                #expect(stage.filesHolding(text: Self.planted) == [])

                // The stream holds the other inbox, and what says that numbers are missing.
                let rest = try await stage.watch(user)
                var seen: [StreamMessage] = []
                while let message = await rest.next(within: .milliseconds(300)) { seen.append(message) }
                await rest.close()
                let store = try await stage.snapshot(of: user)
                #expect(seen.map(\.payload) == store.events.map { $0.payload() })
                let erased = store.events.compactMap { event -> AccountErasure? in
                    if case .account(.erased(let erasure)) = event.body { erasure } else { nil }
                }
                #expect(erased.count == 1)
                #expect(erased.first?.generation == 1)
                let gone = before.events.filter { $0.account.inbox == .primary }.map(\.seq)
                #expect(erased.first?.ranges == SequenceRange.covering(gone))
                let kept = before.events.filter { $0.account.inbox != .primary }
                #expect(Array(store.events.prefix(kept.count)) == kept)
                let seqs = store.events.map(\.seq)
                #expect(Set(seqs).isDisjoint(with: gone))

                // Connecting again starts clean; numbers go on.
                let stored = before.events.filter { $0.account.inbox == .primary && $0.type == "email.received" }.count
                process = try await stage.serve()
                try await process.client(of: user).connect()
                try await eventually("all mail is read anew") {
                    let account = try await process.client(of: user).account()
                    return account?.phase == "live" && account?.stored == stored && account?.outbox_depth == 0
                }
                #expect(await process.terminate() == .code(0))
                let again = try await stage.snapshot(of: user)
                let new = again.events.dropFirst(store.events.count)
                #expect(new.first?.seq == (seqs.last ?? 0) + 1)
                #expect(Set(new.map(\.id)).isDisjoint(with: before.events.map(\.id)))
                #expect(new.filter { $0.type == "email.received" }.count == stored)
            }
        }

        /// Erased while its mailbox is being read for the first time: it stops, and does not come back.
        @Test(.timeLimit(.minutes(3))) func duringABackfill() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 3000)
                var process = try await stage.serve()
                let client = process.client(of: user)
                try await client.connect()
                try await eventually("the backfill is under way") { try await client.account()?.stored ?? 0 > 200 }
                #expect(try await client.erase().status == 200)
                #expect(try await client.account() == nil)
                #expect(await process.terminate() == .code(0))
                process = try await stage.serve()
                #expect(try await process.client(of: user).account() == nil)
                #expect(await process.terminate() == .code(0))
                let store = try await stage.snapshot(of: user)
                #expect(store.events.map(\.type) == ["account.erased"])
                #expect(store.accounts.isEmpty)
                #expect(try await process.isGone(user, stage))
            }
        }

        /// kill -9 in the middle, and NATS away: it is finished later.
        @Test(.timeLimit(.minutes(3)), arguments: [false, true]) func interrupted(byKill: Bool) async throws {
            try await withStage { stage in
                var process = try await stage.serve()
                let (user, other) = try await twoInboxes(stage, process)
                await stage.nats.stop()
                let answer = try await process.client(of: user).erase()
                #expect(answer.status == 202)
                #expect(String(decoding: answer.body, as: UTF8.self).contains(#""erased":false"#))
                let refused = try? await process.client(of: user).connect()
                #expect(refused == nil, "while it is being erased it cannot be connected")
                if byKill { await process.kill() }
                try await stage.nats.start()
                if byKill { process = try await stage.serve() }
                try await eventually("nothing is left") { stage.filesHolding(text: Self.planted).isEmpty }
                let client = process.client(of: user)
                let rest = try await stage.watch(user)
                try await rest.read(until: [other.receive(subject: "Goes on")])
                await rest.close()
                try await client.waitUntilPublished()
                #expect(await process.terminate() == .code(0))
                #expect(stage.filesHolding(text: Self.planted) == [])
                let store = try await stage.snapshot(of: user)
                #expect(store.events.filter { $0.type == "account.erased" }.count == 1)
                #expect(store.events.allSatisfy { $0.account.inbox != .primary || $0.type == "account.erased" })
            }
        }
    }
}

extension UserClient {
    fileprivate func erase() async throws -> HTTPResponse {
        try await post("/mail/disconnect", Data(#"{"provider":"google","erase":true}"#.utf8))
    }
}

extension MailsyncProcess {
    /// The stream holds nothing of the user but that the account was erased.
    fileprivate func isGone(_ user: MailUser, _ stage: Stage) async throws -> Bool {
        let watch = try await stage.watch(user)
        var subjects: Set<String> = []
        while let message = await watch.next(within: .milliseconds(300)) { subjects.insert(message.subject) }
        await watch.close()
        return subjects == [EventSubject.subject(user: user.id, type: "account.erased")]
    }
}

extension Stage {
    /// Files of the service and of its nats-server in which the text stands.
    func filesHolding(text: String) -> [String] {
        let needle = Data(text.utf8)
        let files = [dataDirectory, nats.storeDirectory].flatMap { directory in
            (FileManager.default.subpaths(atPath: directory) ?? []).map { "\(directory)/\($0)" }
        }
        return (files + [logPath]).filter { path in
            FileManager.default.contents(atPath: path)?.range(of: needle) != nil
        }
    }
}
