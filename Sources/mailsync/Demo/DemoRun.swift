import EventAudit
import Foundation
import HTTPTransport
import JetStream
import Logging
import MailModel
import ProviderEmulator

/// The demo from start to totals.
struct DemoRun: Sendable {
    static let address = "demo@example.com"
    static let user = "demo-user"
    /// Messages generated when no mbox is given.
    static let generatedMessages = 2000
    /// So much of the mailbox is older than what the account is connected for.
    private static let leftOutPercent = 40
    /// How often the status is asked for, in milliseconds.
    private static let pollMilliseconds: Int64 = 200
    /// How long the demo waits for something that should be there in a moment.
    private static let patience = Duration.seconds(20)

    var provider: ProviderKind
    var mbox: String?
    var messages: Int?
    var keep: Bool
    var fault: FaultyPublisher.Plan?
    var display: DemoDisplay
    private let time = SystemTime()

    init(
        provider: ProviderKind, mbox: String?, messages: Int?, keep: Bool, fault: FaultyPublisher.Plan?,
        display: DemoDisplay
    ) {
        self.provider = provider
        self.mbox = mbox
        self.messages = messages
        self.keep = keep
        self.fault = fault
        self.display = display
    }

    /// - Returns: whether provider, store and stream agree.
    func run() async throws -> Bool {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("mailsync-demo-\(getpid())").path
        defer {
            // What cannot be removed is a leftover in the temporary directory.
            if !keep { try? FileManager.default.removeItem(atPath: directory) }
        }
        let logger = LogSettings(level: .warning, json: false).logger("demo")
        var configuration = EmulatorConfiguration()
        // What one mailbox may ask of Graph would be used up in a minute of passes every second.
        configuration.microsoft.requestsPerTenMinutesMax = 0
        let emulator = try await ProviderEmulator.start(configuration, logger: logger)
        let mailbox = try await makeMailbox(emulator)
        let service = try await makeService(directory, emulator, logger)
        let agreed = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            let agreed = try await show(emulator, mailbox, service, directory, logger)
            if keep { try await group.waitForAll() }
            await service.stop()
            try await group.waitForAll()
            return agreed
        }
        await emulator.shutdown()
        return agreed
    }

    // MARK: the stage

    private func makeMailbox(_ emulator: ProviderEmulator) async throws -> any EmulatedMailbox {
        let mailbox = try emulator.createMailbox(Self.address, at: provider)
        if let mbox {
            display.line("reading \(mbox)")
            try await mailbox.load(mbox: mbox)
        } else {
            try mailbox.load(
                MailboxGenerator(seed: 1, address: Self.address, count: messages ?? Self.generatedMessages))
        }
        let count = DemoDisplay.grouped(try mailbox.messages().count)
        display.line(
            "provider emulator  \(emulator.baseURL)  \(Self.address) holds \(count) messages at \(provider.apiName)")
        return mailbox
    }

    private func makeService(_ directory: String, _ emulator: ProviderEmulator, _ logger: Logger) async throws
        -> Service
    {
        let port = try FreePort.find()
        let publicURL = "http://127.0.0.1:\(port)"
        emulator.google.pushEndpoint = GooglePushEndpoint(url: publicURL + "/webhooks/google")
        let values = SettingValues(values: [
            "DATA_DIR": directory, "HTTP_PORT": "\(port)", "PUBLIC_URL": publicURL,
            "GOOGLE_PUBSUB_TOPIC": "projects/demo/topics/mail",
            "GOOGLE_PUBSUB_SERVICE_ACCOUNT": GooglePushEndpoint.standardServiceAccount,
            "GOOGLE_OIDC_JWKS_URL": emulator.googleKeysURL, "BETTER_AUTH_JWKS_URL": emulator.jwksURL,
            "GOOGLE_CLIENT_ID": OAuthConfiguration().clientID,
            "GOOGLE_CLIENT_SECRET": OAuthConfiguration().clientSecret,
            "MICROSOFT_CLIENT_ID": MicrosoftConfiguration().clientID,
            "MICROSOFT_CLIENT_SECRET": MicrosoftConfiguration().clientSecret, "GRAPH_API_URL": emulator.graphURL,
            "MICROSOFT_TOKEN_URL": emulator.microsoftTokenURL, "GRAPH_REQUESTS_PER_MINUTE": "1000000000",
            "GMAIL_API_URL": emulator.baseURL, "GOOGLE_TOKEN_URL": emulator.tokenURL,
            "GOOGLE_REVOKE_URL": emulator.revokeURL, "GMAIL_UNITS_PER_MINUTE": "1000000000",
            "DISK_RESERVE": "0%",
        ])
        let fault = fault
        let service = try await Service.make(
            ServiceConfiguration(values), logger: logger,
            decorate: { publisher in fault.map { FaultyPublisher(publisher, plan: $0) } ?? publisher })
        display.line("nats-server        \(service.natsDescription)")
        return service
    }

    // MARK: the play

    private func show(
        _ emulator: ProviderEmulator, _ mailbox: any EmulatedMailbox, _ service: Service, _ directory: String,
        _ logger: Logger
    ) async throws -> Bool {
        let baseURL = "http://127.0.0.1:\(try await service.boundPort())"
        display.line("service            \(baseURL)")
        guard let token = emulator.issuer.issue(sub: Self.user, expiresIn: 86_400) else {
            throw DemoFailure("the emulator has no key to sign a token with")
        }
        let transport = HTTPTransport(logger: logger)
        let client = DemoClient(transport: transport, baseURL: baseURL, token: token)
        let consumer = try await EventConsumer.open(
            service.natsConfiguration, stream: service.configuration.stream.name, logger: logger)
        let watcher = DemoConsumer(display: display)
        let agreed = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await watcher.run(consumer) }
            try await connect(client, mailbox)
            try await backfill(client)
            try await older(client)
            try await live(DemoLive(mailbox: mailbox, client: client, watcher: watcher, display: display, time: time))
            let agreed = try await totals(client, mailbox, service, watcher)
            group.cancelAll()
            return agreed
        }
        await consumer.close()
        await transport.shutdown()
        if keep { explain(baseURL, directory, emulator, token) }
        return agreed
    }

    /// Connects with a `since` that leaves out the oldest of the mailbox: an import brings it in afterwards.
    private func connect(_ client: DemoClient, _ mailbox: any EmulatedMailbox) async throws {
        let grant = try mailbox.grant()
        let dates = try mailbox.messages().map(\.date).sorted()
        let since = dates.isEmpty ? 0 : dates[dates.count * Self.leftOutPercent / 100]
        var body = JSONText()
        body.object { json in
            json.field("provider", provider.apiName)
            json.field("access_token", grant.accessToken)
            json.field("refresh_token", grant.refreshToken)
            json.field("expires_in", Int64(grant.expiresIn))
            json.field("since", Date(timeIntervalSince1970: TimeInterval(since)).formatted(.iso8601))
        }
        let answer = try await client.post("/mail/connect", body.text)
        let text = String(decoding: answer.body, as: UTF8.self)
        guard answer.status == 200 else { throw DemoFailure("POST /mail/connect answered \(answer.status): \(text)") }
        display.heading("POST /mail/connect")
        display.line("  \(text)")
        display.heading("first events, as a consumer on its own connection receives them")
    }

    private func backfill(_ client: DemoClient) async throws {
        let started = time.nowMilliseconds()
        while true {
            if let account = try await client.account() {
                if account.status == "reauth_required" || account.status == "wrong_mailbox" {
                    throw DemoFailure("the account is \(account.status): \(account.lastError ?? "")")
                }
                let elapsed = Double(max(1, time.nowMilliseconds() - started)) / 1000
                if account.isCaughtUp {
                    let rate = Int(Double(account.stored) / elapsed)
                    display.line(
                        "  backfill: \(DemoDisplay.grouped(account.stored)) messages stored and published in "
                            + "\(String(format: "%.1f", elapsed)) s, \(DemoDisplay.grouped(rate))/s")
                    return
                }
                display.progress(progressLine(account, elapsed), at: time.nowMilliseconds())
            }
            try await time.sleep(for: .milliseconds(Self.pollMilliseconds))
        }
    }

    private func progressLine(_ account: DemoAccount, _ elapsed: Double) -> String {
        let total = account.listed + (account.etaSeconds ?? 0) * Int(Double(account.listed) / elapsed)
        var line =
            "  \(DemoDisplay.bar(account.listed, of: max(total, 1)))  \(DemoDisplay.grouped(account.stored)) stored  "
        line += "\(DemoDisplay.grouped(account.published)) published  \(Int(Double(account.stored) / elapsed))/s"
        if let eta = account.etaSeconds { line += "  ETA \(eta) s" }
        if let reason = account.waitingFor ?? account.lastError { line += "  waiting for \(reason)" }
        return line
    }

    private func older(_ client: DemoClient) async throws {
        display.heading("older mail is imported, with a pause on the way")
        let key = AccountKey(user: try UserID(Self.user), provider: provider, inbox: try InboxID("primary"))
        try await DemoImport(account: key.description, client: client, display: display, time: time).play()
    }

    private func live(_ live: DemoLive) async throws {
        display.heading("mail that arrives, changes and is deleted while you watch")
        try await live.play()
    }

    // MARK: the totals

    private func totals(
        _ client: DemoClient, _ mailbox: any EmulatedMailbox, _ service: Service, _ watcher: DemoConsumer
    ) async throws -> Bool {
        let account = try await settled(client)
        let stored = try await service.storedEvents(of: UserID(Self.user))
        _ = try await poll(atMost: Self.patience) { watcher.eventCount >= stored.count ? true : nil }
        let provider = try mailbox.messages().map { ProviderMessage($0, at: mailbox.provider) }
        let report = watcher.audit.report(provider: provider, stored: stored)
        display.heading("totals")
        display.line(
            "  listed \(DemoDisplay.grouped(account.listed))  stored \(DemoDisplay.grouped(account.stored))  "
                + "gone \(account.gone)  gaps \(account.gaps)  published \(DemoDisplay.grouped(account.published))  "
                + "received \(DemoDisplay.grouped(watcher.eventCount))  duplicates \(report.duplicates.count)  "
                + "missing \(report.missing.count)")
        let complete = account.gaps == 0 && account.published == stored.count
        for finding in report.findings.prefix(20) { display.line("  \(finding)") }
        if report.findings.count > 20 { display.line("  … and \(report.findings.count - 20) more") }
        if !complete {
            display.line(
                "  the status says \(account.gaps) gaps, \(account.published) published; the store holds \(stored.count) events"
            )
        }
        let agreed = report.agrees && complete
        display.line(
            agreed
                ? "  provider, store and stream agree: \(DemoDisplay.grouped(provider.count)) message ids and labels, "
                    + "\(DemoDisplay.grouped(stored.count)) content hashes"
                : "  provider, store and stream DISAGREE")
        return agreed
    }

    /// The account's numbers once everything is published.
    private func settled(_ client: DemoClient) async throws -> DemoAccount {
        let account = try await poll(atMost: Self.patience) {
            let account = try await client.account()
            return account?.isCaughtUp == true ? account : nil
        }
        guard let account else { throw DemoFailure("the account did not catch up in time") }
        return account
    }

    /// Asks again and again until there is an answer; nil when there is none in time.
    private func poll<R>(atMost patience: Duration, _ body: () async throws -> R?) async throws -> R? {
        let end = time.nowMilliseconds() + patience.milliseconds
        while time.nowMilliseconds() < end {
            if let answer = try await body() { return answer }
            try await time.sleep(for: .milliseconds(Self.pollMilliseconds / 4))
        }
        return nil
    }

    private func explain(_ baseURL: String, _ directory: String, _ emulator: ProviderEmulator, _ token: String) {
        display.heading("left running until Ctrl-C")
        display.line("  curl \(baseURL)/mail/status -H 'Authorization: Bearer \(token)'")
        display.line("  curl \(baseURL)/status -H \"Authorization: Bearer $(cat \(directory)/operator.token)\"")
        display.line("  nats --server \"$(cat \(directory)/nats/url)\" sub 'user.>'")
        display.line("  sqlite3 -readonly \(directory)/users/\(Self.user)/events.db .tables")
        display.line("  the emulated mailbox can be changed under \(emulator.baseURL)/admin")
    }
}

extension ProviderMessage {
    /// The emulator's truth, in the audit's terms.
    init(_ message: EmulatedMessage, at provider: ProviderKind) {
        self.init(
            provider: provider.rawValue, id: message.id, threadID: message.threadID, date: message.date,
            labels: message.labels, inScope: message.isInScope)
    }
}
