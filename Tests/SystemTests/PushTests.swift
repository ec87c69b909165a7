import Foundation
import HTTPTransport
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// The real process with pushes from the emulator, over HTTP and signed as providers sign them. The clock's passes are
    /// an hour apart: what arrives was announced.
    @Suite struct PushTests {
        @Test(.timeLimit(.minutes(2))) func whatIsAnnouncedIsInTheStreamAtOnce() async throws {
            var emulator = EmulatorConfiguration()
            // What comes within a second of another push is not announced at Gmail, and here everything is to be.
            emulator.googlePushes.perMailboxInterval = .zero
            try await withStage(provider: emulator) { stage in
                let user = try stage.makeUser("ada", [(.google, "primary", 20), (.microsoft, "work", 20)])
                let process = try await stage.servePushed()
                let watch = try await stage.watch(user)
                let client = process.client(of: user)
                try await client.connect()
                try await client.waitUntilPushed()
                await watch.drain(quiet: .milliseconds(500))
                for mailbox in user.mailboxes {
                    let id = try mailbox.receive(subject: "Announced")
                    let message = try await watch.read(about: id, within: .seconds(20))
                    #expect(message.firstRange(of: Array(#""origin":"push""#.utf8)) != nil)
                }
                try await stage.expectAgreement(process, user, watch)
            }
        }

        /// Lost, doubled, late, reordered, garbled, forged pushes; pushes for nobody; a thousand at once: the stream is
        /// what the providers hold.
        @Test(.timeLimit(.minutes(3))) func whateverHappensToPushesTheStreamIsTheSame() async throws {
            let seed = SeededGenerator.seedOfThisRun
            try await withStage { stage in
                let user = try stage.makeUser("ada", [(.google, "primary", 60), (.microsoft, "work", 60)], seed: seed)
                let process = try await stage.servePushed()
                let watch = try await stage.watch(user)
                try await process.client(of: user).connect()
                try await process.client(of: user).waitUntilPushed()
                let faults = stage.emulator.courier.faults
                faults.setRandom(
                    RandomFaults(rate: 0.7, seed: seed, endpoints: [.push], responses: RandomFaults.onPushes))
                let activities = try user.mailboxes.enumerated().map {
                    try MailboxActivity($1.box, seed: seed &+ UInt64($0))
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for activity in activities { group.addTask { try await activity.run(every: .milliseconds(20)) } }
                    try await stage.storm(process, user, pushes: 1000)
                    group.cancelAll()
                }
                #expect(faults.struck > 0)
                faults.removeAll()
                await stage.emulator.courier.untilIdle()
                try await stage.expectAgreement(process, user, watch, "seed \(seed)")
            }
        }

        @Test(.timeLimit(.minutes(2))) func unsignedAndWronglySignedPushesAreRefused() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 5)
                let process = try await stage.servePushed()
                let watch = try await stage.watch(user)
                try await process.client(of: user).connect()
                try await process.client(of: user).waitUntilPushed()
                let google = stage.emulator.google
                let url = stage.googleWebhook
                for token in [
                    nil, "", "x.y.z", google.pushToken(audience: "https://elsewhere.example"),
                    google.pushToken(audience: url, serviceAccount: "somebody@else.iam.gserviceaccount.com"),
                    google.pushToken(audience: url, expiresIn: -3600),
                ] {
                    #expect(try await stage.push(to: user.address, token: token) == 401, "\(token ?? "none")")
                }
                let good = google.pushToken(audience: url)
                #expect(try await stage.push(to: user.address, token: good) == 204)
                #expect(try await stage.push(to: "nobody@example.com", token: good) == 204, "acknowledged, for nobody")
                let forged = Data(#"{"value":[{"subscriptionId":"S","clientState":"guess"}]}"#.utf8)
                let answer = try await stage.transport.send(
                    HTTPRequest(
                        .post, process.baseURL + "/webhooks/microsoft", headers: [("Content-Type", "application/json")],
                        body: Array(forged)))
                #expect(answer.status == 202, "a subscription that nobody has is no forgery")
                try await stage.expectAgreement(process, user, watch)
            }
        }

        /// What the providers granted outlives the process, and ends with the account.
        @Test(.timeLimit(.minutes(2))) func grantsOutliveTheProcessAndEndWithTheAccount() async throws {
            try await withStage { stage in
                let user = try stage.makeUser("ada", [(.google, "primary", 5), (.microsoft, "work", 5)])
                let (google, microsoft) = (stage.emulator.google, stage.emulator.microsoft)
                let first = try await stage.servePushed()
                try await first.client(of: user).connect()
                try await first.client(of: user).waitUntilPushed()
                let address = user.mailboxes[1].box.address
                let granted = try microsoft.subscriptions(of: address)
                #expect(granted.count == 1 && google.watch(of: user.address) != nil)
                await first.kill()

                let second = try await stage.servePushed()
                let watch = try await stage.watch(user)
                try await second.client(of: user).waitUntilPushed()
                #expect(try microsoft.subscriptions(of: address) == granted, "nothing was asked again")
                // A start may take less than the second in which Gmail does not announce again: then a look finds it.
                try await watch.read(until: try user.mailboxes.map { try $0.receive(subject: "After the restart") })
                for provider in ["google", "microsoft"] {
                    let inbox = provider == "google" ? "primary" : "work"
                    let body = Data(#"{"provider":"\#(provider)","inbox_id":"\#(inbox)"}"#.utf8)
                    #expect(try await second.client(of: user).post("/mail/disconnect", body).status == 200)
                }
                #expect(google.watch(of: user.address) == nil)
                #expect(try microsoft.subscriptions(of: address).isEmpty)
                await watch.close()
                #expect(await second.terminate() == .code(0))
            }
        }

        /// The watch ends and cannot be had again: mail comes by the clock, and status says why.
        @Test(.timeLimit(.minutes(2))) func pollingReturnsWhenAWatchLapses() async throws {
            var provider = EmulatorConfiguration()
            provider.googlePushes.watchLifetime = .seconds(8)
            try await withStage(provider: provider) { stage in
                let user = try stage.makeUser(messages: 5)
                let process = try await stage.servePushed(["SYNC_INTERVAL": "300ms"])
                let client = process.client(of: user)
                let watch = try await stage.watch(user)
                try await client.connect()
                try await client.waitUntilPushed()
                let google = stage.emulator.google
                google.faults.add(Fault(.gmail(.watch), times: nil, .status(503)))
                try await client.waitForPushes("lapsed")
                #expect(try await client.account()?.push_error != nil)
                google.pushEndpoint = nil
                try await watch.read(until: [try user.receive(subject: "Not announced")])
                google.pushEndpoint = stage.googleEndpoint
                google.faults.removeAll()
                try await client.waitForPushes("healthy")
                #expect(try await client.account()?.push_error == nil)
                try await stage.expectAgreement(process, user, watch)
            }
        }

        /// Granted, but nothing comes: a pass by the clock finds mail that nobody announced, and a minute later polling is
        /// back. A push heals it.
        /// Two minutes of waiting, because silence counts after one: `make check-deep` runs it.
        @Test(
            .timeLimit(.minutes(5)),
            .enabled(
                if: ProcessInfo.processInfo.environment["MAILSYNC_LONG_TESTS"] != nil, "MAILSYNC_LONG_TESTS is unset"))
        func pollingReturnsWhenPushesAreSilent() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 5)
                let process = try await stage.servePushed(["SYNC_INTERVAL": "300ms", "PUSH_POLL_INTERVAL": "2s"])
                let client = process.client(of: user)
                let watch = try await stage.watch(user)
                try await client.connect()
                try await client.waitUntilPushed()
                let google = stage.emulator.google
                google.pushEndpoint = nil
                try await watch.read(until: [try user.receive(subject: "Not announced")])
                // A push shortly before, at the subscription, may still count for what is found.
                try await eventually("it is silent", within: .seconds(180), every: .seconds(2)) {
                    try user.receive(subject: "Not announced either")
                    return try await client.account()?.pushes == "silent"
                }
                google.pushEndpoint = stage.googleEndpoint
                try await watch.read(until: [try user.receive(subject: "Announced")])
                try await client.waitForPushes("healthy")
                try await stage.expectAgreement(process, user, watch)
            }
        }
    }
}

extension Stage {
    var googleWebhook: String { "http://127.0.0.1:\(httpPort)/webhooks/google" }
    var googleEndpoint: GooglePushEndpoint { GooglePushEndpoint(url: googleWebhook) }

    /// A service to which both providers push, and whose clock makes a pass an hour.
    func servePushed(_ changes: [String: String] = [:]) async throws -> MailsyncProcess {
        emulator.google.pushEndpoint = googleEndpoint
        let pushed = [
            "PUBLIC_URL": "http://127.0.0.1:\(httpPort)", "GOOGLE_PUBSUB_TOPIC": "projects/emulated/topics/mail",
            "GOOGLE_PUBSUB_SERVICE_ACCOUNT": GooglePushEndpoint.standardServiceAccount,
            "GOOGLE_OIDC_JWKS_URL": emulator.googleKeysURL, "SYNC_INTERVAL": "3600s", "PUSH_POLL_INTERVAL": "3600s",
        ]
        return try await serve(pushed.merging(changes) { $1 })
    }

    /// Posts what Pub/Sub posts when the mailbox of this address changed.
    ///
    /// - Returns: the status of the answer.
    func push(to address: String, token: String?) async throws -> Int {
        let data = Data(#"{"emailAddress":"\#(address)","historyId":1}"#.utf8).base64EncodedString()
        let body = #"{"message":{"data":"\#(data)","messageId":"1"},"subscription":"projects/p/subscriptions/s"}"#
        let answer = try await transport.send(
            HTTPRequest(
                .post, googleWebhook,
                headers: [("Content-Type", "application/json")]
                    + (token.map { [("Authorization", "Bearer \($0)")] } ?? []),
                body: Array(body.utf8)))
        return answer.status
    }

    /// Pushes about nothing, true ones and forged ones, and for nobody, as fast as they are answered.
    func storm(_ process: MailsyncProcess, _ user: MailUser, pushes: Int) async throws {
        let good = emulator.google.pushToken(audience: googleWebhook)
        let bad = emulator.google.pushToken(audience: "https://elsewhere.example")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for number in 0..<pushes / 8 {
                        let token = (worker + number).isMultiple(of: 5) ? bad : good
                        let address = number.isMultiple(of: 3) ? "nobody-\(number)@example.com" : user.address
                        let status = try await self.push(to: address, token: token)
                        #expect(status == (token == bad ? 401 : 204))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

extension UserClient {
    /// Every mailbox was read, and its changes are announced.
    func waitUntilPushed() async throws {
        try await waitUntilLive()
        try await eventually("\(user.address) is pushed", within: .seconds(60), every: .milliseconds(50)) {
            let accounts = try await accounts()
            return accounts.count == user.mailboxes.count && accounts.allSatisfy { $0.pushes == "healthy" }
        }
    }

    func waitForPushes(_ health: String, within limit: Duration = .seconds(60)) async throws {
        try await eventually("pushes are \(health)", within: limit, every: .milliseconds(50)) {
            try await account()?.pushes == health
        }
    }
}

extension StreamWatch {
    /// Reads until there was an event about this message.
    ///
    /// - Returns: its payload.
    func read(about id: String, within limit: Duration) async throws -> [UInt8] {
        let mark = Array("\"provider_message_id\":\"\(id)\"".utf8)
        let end = ContinuousClock.now + limit
        while let message = await next(within: end - .now) {
            if message.payload.firstRange(of: mark) != nil { return message.payload }
        }
        throw NotInTime("an event about message \(id): not within \(limit)")
    }
}
