import Accounts
import GmailProvider
import HTTPTransport
import JetStream
import Logging
import MailAPI
import MailDispatch
import MailModel
import MailSync
import OutlookProvider

/// The configuration, in the terms of the parts it configures.
extension ServiceConfiguration {
    /// The adapters: nothing but this knows which providers there are.
    func providers(over transport: HTTPTransport, time: any TimeSource, logger: Logger) -> [any MailProvider] {
        [
            GmailProvider(configuration: gmail, transport: transport, time: time, logger: logger),
            OutlookProvider(configuration: outlook, transport: transport, time: time, logger: logger),
        ]
    }

    /// Our registrations with the providers that have credentials.
    func oauthClients(over transport: HTTPTransport) -> [OAuthClient] {
        google.oauthClients(over: transport) + microsoft.oauthClients(over: transport)
    }

    /// Where grants are withdrawn, at the providers that can.
    func revocation(over transport: HTTPTransport) -> GrantRevocation {
        GrantRevocation(urls: [.google: google.revokeURL]) { try await transport.send($0) }
    }

    /// Each provider's quota, in its own units.
    func budgets(time: any TimeSource) -> [ProviderKind: Budgets] {
        [
            .google: Budgets(limits: google.quota, time: time),
            .microsoft: Budgets(limits: microsoft.quota, time: time),
        ]
    }

    private var outlook: OutlookConfiguration {
        var outlook = OutlookConfiguration()
        outlook.apiURL = microsoft.apiURL
        outlook.headers = eventHeaders
        outlook.notificationURL = waking.publicURL.map { $0 + "/webhooks/microsoft" }
        outlook.folders = waking.isIntervalSet ? .every(syncInterval) : .standard
        return outlook
    }

    private var gmail: GmailConfiguration {
        var gmail = GmailConfiguration()
        gmail.apiURL = google.apiURL
        gmail.headers = eventHeaders
        gmail.costs = google.unitCosts
        gmail.topic = waking.googleTopic
        return gmail
    }

    func cron(_ commands: any CronCommands) -> CronEndpoint {
        CronEndpoint(
            commands: commands, secret: waking.cronSecret, batchSize: waking.cronBatchSize, interval: syncInterval)
    }

    var api: MailAPIConfiguration {
        var limits = MailAPIConfiguration.Limits()
        limits.requestsPerSecond = Double(http.ratePerUserPerSecond)
        limits.requestBurst = Double(http.ratePerUserPerSecond)
        let missing = [ProviderKind.google: google.missingVariables, .microsoft: microsoft.missingVariables]
        return MailAPIConfiguration(
            host: http.host, port: http.port, corsOrigins: http.corsOrigins,
            missingCredentials: missing.filter { !$0.value.isEmpty }, limits: limits)
    }
}

extension ServiceConfiguration {
    /// The configured keys, or those generated into the data directory.
    func loadEncryptionKeys(logger: Logger) throws -> EncryptionKeys {
        try EncryptionKeys.load(
            configured: encryptionKey.map { Secret($0) }, dataDirectory: dataDirectory, logger: logger)
    }

    /// The configured token, or the one generated into the data directory.
    func loadOperatorToken(logger: Logger) throws -> OperatorToken {
        try OperatorToken.load(
            configured: operatorToken.map { Secret($0) }, dataDirectory: dataDirectory, logger: logger)
    }
}

extension ServiceConfiguration.Stream {
    var jetStream: StreamConfiguration {
        StreamConfiguration(
            name: name, replicas: replicas, maxAgeSeconds: maxAge.milliseconds / 1000,
            duplicateWindowMilliseconds: duplicateWindow.milliseconds)
    }

    var dispatch: DispatchSettings {
        var settings = DispatchSettings()
        settings.streamMaxAgeSeconds = maxAge.milliseconds / 1000
        return settings
    }
}

extension ServiceConfiguration.JWT {
    var rules: JWTRules { JWTRules(issuer: issuer, audience: audience) }
}

extension ServiceConfiguration.Waking {
    /// What Google's pushes must be signed with; nil when Google sends none.
    var googlePushRules: PushTokenRules? {
        guard googleTopic != nil, let googleAudience, let googleServiceAccount else { return nil }
        return PushTokenRules(audience: googleAudience, serviceAccount: googleServiceAccount)
    }
}

extension ServiceConfiguration.Google {
    /// Units per minute that all accounts of one Google project share.
    private static let projectUnitsPerMinute = 1_200_000

    var quota: QuotaLimits {
        QuotaLimits(
            accountPerMinute: unitsPerMinute, projectPerMinute: max(unitsPerMinute, Self.projectUnitsPerMinute))
    }

    /// The variables without which no account can be connected.
    var missingVariables: [String] {
        [("GOOGLE_CLIENT_ID", clientID), ("GOOGLE_CLIENT_SECRET", clientSecret)].filter { $0.1 == nil }.map(\.0)
    }

    /// Our registration with Google; none without credentials.
    func oauthClients(over transport: HTTPTransport) -> [OAuthClient] {
        guard let clientID, let clientSecret else { return [] }
        return [
            OAuthClient(
                provider: .google, clientID: clientID, clientSecret: Secret(clientSecret), tokenURL: tokenURL,
                send: { try await transport.send($0) })
        ]
    }
}

extension ServiceConfiguration.Microsoft {
    /// Requests per minute that all accounts of one application share: Graph's global limit is 130,000 in ten seconds.
    private static let projectRequestsPerMinute = 780_000

    var quota: QuotaLimits {
        QuotaLimits(
            accountPerMinute: requestsPerMinute,
            projectPerMinute: max(requestsPerMinute, Self.projectRequestsPerMinute))
    }

    /// The variables without which no account can be connected.
    var missingVariables: [String] {
        [("MICROSOFT_CLIENT_ID", clientID), ("MICROSOFT_CLIENT_SECRET", clientSecret)].filter { $0.1 == nil }.map(\.0)
    }

    /// Our registration with Microsoft; none without credentials.
    func oauthClients(over transport: HTTPTransport) -> [OAuthClient] {
        guard let clientID, let clientSecret else { return [] }
        return [
            OAuthClient(
                provider: .microsoft, clientID: clientID, clientSecret: Secret(clientSecret), tokenURL: tokenURL,
                send: { try await transport.send($0) })
        ]
    }
}
