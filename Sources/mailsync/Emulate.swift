import ArgumentParser
import Foundation
import MailModel
import ProviderEmulator

/// `mailsync emulate`
struct Emulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emulate", abstract: "Runs the provider emulator alone, for developing against.",
        discussion: """
            Type lines to change the Gmail mailbox while it runs, or the Outlook mailbox after "outlook"; help lists \
            them. The same under /admin over HTTP.
            """)

    @Option(help: "Port to listen on; 0 takes a free one.")
    var port = 8025

    @Option(help: "Address of the Gmail mailbox.")
    var address = "someone@example.com"

    @Option(help: "Address of the Outlook mailbox.")
    var outlookAddress = "someone@outlook.example"

    @Option(help: "The mailboxes' mail: an mbox file, plain or gzip. Without it one is generated.")
    var mbox: String?

    @Option(help: "How many messages to generate in each mailbox.")
    var messages = 500

    @Option(help: "Seed of everything that is made up.")
    var seed: UInt64 = 1

    @Option(help: "Latency of every API request, in milliseconds.")
    var latency = 0

    @Option(help: "Gmail's quota units per user and minute; unlimited without it.")
    var quota: Int?

    @Option(help: "Seconds an access token lives.")
    var tokenLifetime = 3599

    @Option(help: "Where pushes from Google go, as in http://127.0.0.1:8080/webhooks/google.")
    var pushTo: String?

    @Flag(help: "Google's refresh answers with a new refresh token too, and a used one works no more at either.")
    var rotate = false

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is \(port): 0 to 65535 are accepted") }
        guard (0...1_000_000).contains(messages) else {
            throw ValidationError("--messages is \(messages): 0 to 1000000 are accepted")
        }
        if let pushTo, !pushTo.hasPrefix("http://"), !pushTo.hasPrefix("https://") {
            throw ValidationError("--push-to is \(pushTo): a URL is accepted")
        }
        guard (0...60_000).contains(latency) else {
            throw ValidationError("--latency is \(latency): 0 to 60000 are accepted")
        }
    }

    func run() async throws {
        do {
            try await emulate()
        } catch let error as EmulatorError {
            throw ValidationError("\(error)")
        }
    }

    private func emulate() async throws {
        let logger = LogSettings(level: .warning, json: false).logger("emulator")
        let emulator = try await ProviderEmulator.start(configuration(), logger: logger)
        try await fill(emulator)
        emulator.google.pushEndpoint = pushTo.map { GooglePushEndpoint(url: $0) }
        try explain(emulator)
        for await line in StandardInput.lines() { answer(line, emulator) }
        // Without anybody typing it runs until it is ended.
        try await SystemTime().sleep(for: .seconds(1 << 32))
    }

    private func fill(_ emulator: ProviderEmulator) async throws {
        try emulator.google.createMailbox(address)
        try emulator.microsoft.createMailbox(outlookAddress)
        if let mbox {
            try await emulator.google.load(mbox: mbox, into: address)
            try await emulator.microsoft.load(mbox: mbox, into: outlookAddress)
        } else {
            try emulator.google.load(MailboxGenerator(seed: seed, address: address, count: messages), into: address)
            try emulator.microsoft.load(
                MailboxGenerator(seed: seed, address: outlookAddress, count: messages), into: outlookAddress)
        }
    }

    private func configuration() -> EmulatorConfiguration {
        var configuration = EmulatorConfiguration()
        configuration.port = port
        configuration.seed = seed
        configuration.latency = .milliseconds(latency)
        configuration.quota = quota.map { GmailQuota(unitsPerMinute: $0) }
        configuration.oauth.accessTokenLifetimeSeconds = tokenLifetime
        configuration.oauth.rotatesRefreshTokens = rotate
        configuration.microsoft.accessTokenLifetimeSeconds = tokenLifetime
        if rotate { configuration.microsoft.usedRefreshTokenLifetimeSeconds = 0 }
        return configuration
    }

    private func answer(_ line: String, _ emulator: ProviderEmulator) {
        guard !line.isEmpty else { return }
        do {
            if line.hasPrefix("outlook ") {
                let command = try EmulatorCommand.parse(String(line.dropFirst("outlook ".count)))
                say(try command.apply(to: emulator.microsoft, mailbox: outlookAddress))
            } else {
                say(try EmulatorCommand.parse(line).apply(to: emulator.google, mailbox: address))
            }
        } catch {
            say("\(error)")
        }
    }

    /// Written at once, also into a pipe: `print` would keep it until the end.
    private func say(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

    /// What the service needs to take Google's pushes.
    private func pushSettings(_ emulator: ProviderEmulator) -> String {
        guard let endpoint = emulator.google.pushEndpoint else { return "" }
        return """

            export GOOGLE_PUBSUB_TOPIC=projects/emulated/topics/gmail GOOGLE_PUBSUB_AUDIENCE=\(endpoint.audience) \
            GOOGLE_PUBSUB_SERVICE_ACCOUNT=\(endpoint.serviceAccount) GOOGLE_OIDC_JWKS_URL=\(emulator.googleKeysURL)
            """
    }

    private func explain(_ emulator: ProviderEmulator) throws {
        let grant = try emulator.google.grant(address)
        let outlook = try emulator.microsoft.grant(outlookAddress)
        let oauth = OAuthConfiguration()
        let app = MicrosoftConfiguration()
        let token = emulator.issuer.issue(sub: "user-1", expiresIn: 86_400) ?? ""
        say(
            """
            provider emulator on \(emulator.baseURL), seed \(seed); \(address) holds \
            \(try emulator.google.messageIDs(of: address).count) messages, \(outlookAddress) \
            \(try emulator.microsoft.messageIDs(of: outlookAddress).count)

            export BETTER_AUTH_JWKS_URL=\(emulator.jwksURL) GOOGLE_CLIENT_ID=\(oauth.clientID) \
            GOOGLE_CLIENT_SECRET=\(oauth.clientSecret)
            export GMAIL_API_URL=\(emulator.baseURL) GOOGLE_TOKEN_URL=\(emulator.tokenURL) \
            GOOGLE_REVOKE_URL=\(emulator.revokeURL)\(pushSettings(emulator))
            export GRAPH_API_URL=\(emulator.graphURL) MICROSOFT_TOKEN_URL=\(emulator.microsoftTokenURL) \
            MICROSOFT_CLIENT_ID=\(app.clientID) MICROSOFT_CLIENT_SECRET=\(app.clientSecret)
            mailsync serve

            curl -X POST http://127.0.0.1:8080/mail/connect -H 'Content-Type: application/json' \
            -H 'Authorization: Bearer \(token)' \
            -d '{"provider":"google","access_token":"\(grant.accessToken)","refresh_token":"\(grant.refreshToken)",\
            "expires_in":\(grant.expiresIn)}'

            curl -X POST http://127.0.0.1:8080/mail/connect -H 'Content-Type: application/json' \
            -H 'Authorization: Bearer \(token)' \
            -d '{"provider":"microsoft","access_token":"\(outlook.accessToken)",\
            "refresh_token":"\(outlook.refreshToken)","expires_in":\(outlook.expiresIn)}'

            type help for what can be done to the Gmail mailbox, or outlook and a command for the other
            """)
    }
}

/// Standard input, read on a thread of its own because reading blocks.
enum StandardInput {
    /// Lines as they are typed; ends with the input.
    static func lines() -> AsyncStream<String> {
        AsyncStream { lines in
            Thread.detachNewThread {
                while let line = readLine() { lines.yield(line) }
                lines.finish()
            }
        }
    }
}
