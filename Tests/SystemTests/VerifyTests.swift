import Foundation
import GRDB
import JetStream
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// `mailsync verify` and `mailsync gaps`.
    @Suite struct VerifyTests {
        /// What is not as it should be is found, each thing and only it; and healed.
        @Test(.timeLimit(.minutes(4))) func everyTamperingIsFoundAndHealed() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 60)
                let service = try await stage.serve(["VERIFY_INTERVAL": "0s"])
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                try await stage.live(user, service)
                let clean = try await stage.operate("verify", "--user", "ada", "--against-provider")
                #expect(clean.exit == .code(0), "\(clean.output)")
                #expect(clean.output.contains("AGREE: 1 users, 0 differences"))

                let hidden = try stage.hide(user)
                try await stage.live(user, service)
                try stage.emulator.google.conceal(hidden, false, in: user.address)
                #expect(await service.terminate() == .code(0))
                let seqs = try await stage.tamper(user)

                let again = try await stage.serve(["VERIFY_INTERVAL": "0s"])
                let found = try await stage.operate("verify", "--user", "ada", "--against-provider", "--json")
                #expect(found.exit == .code(1))
                #expect(
                    try Self.differences(found.output) == [
                        "counter", "provider_missing \(hidden)",
                        "state_differs \(seqs.relabelled)", "state_missing \(seqs.forgotten)",
                        "stream_missing \(seqs.lost)",
                    ], "\(found.output)")

                let healed = try await stage.operate("verify", "--against-provider", "--repair")
                #expect(healed.exit == .code(0), "\(healed.output)")
                #expect(healed.output.contains("AGREE: 1 users, 5 differences, 5 healed, 0 left"))
                let agreed = try await stage.operate("verify", "--against-provider")
                #expect(agreed.exit == .code(0), "\(agreed.output)")
                #expect(agreed.output.contains("0 differences") && agreed.output.contains("1 late"))
                let account = try #require(try await again.client(of: user).account())
                #expect(account.missing == 0 && account.last_verified_at != nil)

                let answer = try await again.client(of: user).post("/mail/verify", Data("{}".utf8))
                #expect(answer.status == 200)
                #expect(String(decoding: answer.body, as: UTF8.self).contains(#""agrees":true"#))
                // Once each in the stream, sent again or not; and the service publishes on.
                try await stage.expectAgreementOnce(again, user)
            }
        }

        /// Accounts at both providers, two of them at one.
        @Test(.timeLimit(.minutes(3))) func everyProviderIsCompared() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(
                    "ada", [(.microsoft, "primary", 60), (.google, "primary", 40), (.microsoft, "work", 20)])
                let service = try await stage.serve(["VERIFY_INTERVAL": "0s"])
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                let clean = try await stage.operate("verify", "--against-provider")
                #expect(clean.exit == .code(0), "\(clean.output)")
                #expect(clean.output.contains("AGREE: 1 users, 0 differences"), "\(clean.output)")
                let watch = try await stage.watch(user)
                try await stage.expectAgreement(service, user, watch)
            }
        }

        /// The kinds of the differences, with what they concern; sorted.
        private static func differences(_ output: String) throws -> [String] {
            struct Message: Decodable {
                struct Line: Decodable {
                    var kind: String?
                    var message: String?
                    var seq: Int64?
                }
                var line: Line?
            }
            return try output.split(separator: "\n").compactMap { text in
                let line = try JSONDecoder().decode(Message.self, from: Data(text.utf8)).line
                guard let line, let kind = line.kind else { return nil }
                if kind == "provider_missing" { return "\(kind) \(line.message ?? "")" }
                return line.seq.map { "\(kind) \($0)" } ?? kind
            }.sorted()
        }

        @Test(.timeLimit(.minutes(3))) func withoutAServiceAndWithoutTheStream() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 20)
                let service = try await stage.serve()
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                #expect(await service.terminate() == .code(0))
                let alone = try await stage.operate("verify")
                #expect(alone.exit == .code(0), "\(alone.output)")
                let provider = try await stage.operate("verify", "--against-provider")
                #expect(provider.exit == .code(2) && provider.output.contains("only a running service"))
                let stranger = try await stage.operate("verify", "--user", "nobody")
                #expect(stranger.exit == .code(2) && stranger.output.contains("no store"))
                await stage.nats.stop()
                let unreachable = try await stage.operate("verify")
                #expect(unreachable.exit == .code(2), "\(unreachable.output)")
            }
        }

        @Test(.timeLimit(.minutes(3))) func theBackgroundFindsAndHealsByItself() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 20)
                let service = try await stage.serve(["VERIFY_INTERVAL": "2s"])
                try await service.client(of: user).connect()
                try await service.client(of: user).settle()
                let hidden = try stage.hide(user)
                try await stage.live(user, service)
                try stage.emulator.google.conceal(hidden, false, in: user.address)
                let watch = try await stage.watch(user)
                try await watch.read(until: [hidden])
                await watch.close()
                let account = try #require(try await service.client(of: user).account())
                #expect(account.last_verified_at != nil && account.missing == 0)
                #expect(await service.terminate() == .code(0))
            }
        }

        @Test(.timeLimit(.minutes(3))) func gapsAreListedGivenUpAndRetried() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 10)
                let service = try await stage.serve(["VERIFY_INTERVAL": "0s"])
                let client = service.client(of: user)
                try await client.connect()
                try await client.settle()
                let id = try stage.unreadable(user)
                try await eventually("the message is a gap") { try await client.account()?.gaps == 1 }
                let list = try await stage.operate("gaps", "list", "--user", "ada")
                #expect(list.exit == .code(0) && list.output.contains(id), "\(list.output)")

                let given = try await stage.operate(
                    "gaps", "give-up", "--user", "ada", "--id", id, "--reason", "broken for good")
                #expect(given.exit == .code(0), "\(given.output)")
                try await eventually("it counts apart") {
                    let account = try await client.account()
                    return account?.gaps == 0 && account?.given_up == 1
                }
                let listed = try await stage.operate("gaps", "list", "--user", "ada")
                #expect(listed.output.contains("broken for good"))
                let absent = try await stage.operate(
                    "gaps", "give-up", "--user", "ada", "--id", "x", "--reason", "y")
                #expect(absent.exit == .code(2), "\(absent.output)")

                stage.emulator.google.faults.removeAll()
                let retried = try await stage.operate("gaps", "retry", "--user", "ada", "--id", id)
                #expect(retried.output.contains("1 messages are read again now"), "\(retried.output)")
                try await eventually("it was read") {
                    let account = try await client.account()
                    return account?.gaps == 0 && account?.given_up == 0 && account?.stored == account?.listed
                }
                #expect(await service.terminate() == .code(0))
            }
        }
    }
}

extension Stage {
    /// Mail arrives and is in the stream: everything before it was seen.
    fileprivate func live(_ user: MailUser, _ service: MailsyncProcess) async throws {
        let watch = try await watch(user)
        try await watch.read(until: [try user.receive(subject: "Something new")])
        await watch.close()
        try await service.client(of: user).waitUntilPublished()
    }

    private func bytes(_ user: MailUser, _ subject: String) -> [UInt8] {
        Array("From: a@b.example\r\nTo: \(user.address)\r\nSubject: \(subject)\r\n\r\nHello\r\n".utf8)
    }

    /// A message arrives that neither listings nor the history show.
    fileprivate func hide(_ user: MailUser) throws -> String {
        try emulator.google.deliver(bytes(user, "Unseen"), to: user.address, isConcealed: true)
    }

    /// A message arrives that cannot be read.
    fileprivate func unreadable(_ user: MailUser) throws -> String {
        let id = try emulator.google.deliver(bytes(user, "Broken"), to: user.address, isConcealed: true)
        emulator.google.faults.add(Fault(.gmail(.messagesGet), match: id, times: nil, .error(.backendError)))
        try emulator.google.conceal(id, false, in: user.address)
        // A record of its own for it.
        try emulator.google.modify(id, in: user.address, remove: ["INBOX"])
        try emulator.google.modify(id, in: user.address, add: ["INBOX"])
        return id
    }

    /// Falsifies one thing of each kind; no service runs.
    ///
    /// - Returns: the event numbers concerned.
    fileprivate func tamper(_ user: MailUser) async throws -> (relabelled: Int64, forgotten: Int64, lost: Int64) {
        let queue = try DatabaseQueue(path: "\(dataDirectory)/users/\(user.id.encoded)/events.db")
        let seqs = try await queue.write { db in
            let seqs = try Int64.fetchAll(db, sql: "SELECT seq FROM messages ORDER BY seq LIMIT 3 OFFSET 10")
            try db.execute(sql: "UPDATE messages SET labels_json = '[\"SPAM\"]' WHERE seq = ?", arguments: [seqs[0]])
            try db.execute(sql: "DELETE FROM messages WHERE seq = ?", arguments: [seqs[1]])
            try db.execute(sql: "UPDATE provider_sync_state SET stored = stored + 1")
            return seqs
        }
        try queue.close()
        let stream = try await stream("MAIL_EVENTS", ["user.>"])
        let held = try await messages(of: "MAIL_EVENTS", through: stream.streamState().lastSequence)
        let lost = try #require(held.first { $0.messageID != nil && $0.payload.contains(seq: seqs[2]) })
        try await stream.erase(streamSequence: lost.streamSequence)
        await stream.close()
        return (seqs[0], seqs[1], seqs[2])
    }

    /// Every event of the store is in the stream once.
    fileprivate func expectAgreementOnce(_ service: MailsyncProcess, _ user: MailUser) async throws {
        try await live(user, service)
        #expect(await service.terminate() == .code(0))
        let store = try await snapshot(of: user)
        let stream = try await stream("MAIL_EVENTS", ["user.>"])
        let held = try await messages(of: "MAIL_EVENTS", through: stream.streamState().lastSequence)
        await stream.close()
        #expect(held.compactMap(\.messageID).sorted() == store.events.map(\.id).sorted())
    }
}

extension [UInt8] {
    /// The event in these bytes has this number.
    fileprivate func contains(seq: Int64) -> Bool { firstRange(of: Array("\"seq\":\(seq),".utf8)) != nil }
}
