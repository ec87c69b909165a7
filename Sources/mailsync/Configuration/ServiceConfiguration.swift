import Accounts
import Foundation
import GmailProvider
import MailModel
import OutlookProvider

/// The configuration of `mailsync serve`, checked.
struct ServiceConfiguration: Sendable, CustomStringConvertible {
    var http: HTTP
    var dataDirectory: String
    var authDatabasePath: String
    var encryptionKey: String?
    var nats: NATS
    var stream: Stream
    var jwt: JWT
    var google: Google
    var microsoft: Microsoft
    var syncInterval: Duration
    var waking: Waking
    /// Zero: never in the background.
    var verifyInterval: Duration
    var eventHeaders: HeaderSelection
    var outboxRowsMax: Int
    var diskReserve: DiskReserve.Limit
    var shutdownTimeout: Duration
    var operatorToken: String?

    struct HTTP: Sendable {
        var host: String
        var port: Int
        var corsOrigins: [String]
        var ratePerUserPerSecond: Int
    }

    struct NATS: Sendable {
        /// Empty: a private server.
        var urls: [String]
        var credentialsFile: String?
        var caFile: String?
        var certificateFile: String?
        var keyFile: String?
        var token: String?
        var serverProgram: String?
        var serverPort: Int?
    }

    struct Stream: Sendable {
        var name: String
        var replicas: Int
        var maxAge: Duration
        var duplicateWindow: Duration
    }

    struct JWT: Sendable {
        var jwksURL: String
        var issuer: String
        var audience: String
    }

    struct Google: Sendable {
        var clientID: String?
        var clientSecret: String?
        var apiURL: String
        var tokenURL: String
        var revokeURL: String
        var unitsPerMinute: Int
        var unitCosts: GmailUnitCosts
    }

    struct Microsoft: Sendable {
        var clientID: String?
        var clientSecret: String?
        var apiURL: String
        var tokenURL: String
        var requestsPerMinute: Int
    }

    /// What wakes workers besides the interval.
    struct Waking: Sendable {
        /// `SYNC_TRIGGER=cron`: the inner clock is off.
        var isDrivenByCron: Bool
        /// `SYNC_INTERVAL` was set: then it holds for every folder, too.
        var isIntervalSet: Bool
        var cronSecret: Secret?
        var cronBatchSize: Int
        /// Where providers reach this service, without a slash at the end.
        var publicURL: String?
        var googleTopic: String?
        var googleAudience: String?
        var googleServiceAccount: String?
        var googleKeysURL: String
        var pushPollInterval: Duration
    }

    /// Without the secrets that showing every property would show; whoever holds a configuration may be logged.
    var description: String { "configuration of \(dataDirectory)" }

    /// - Parameter serves: false for a command that serves no users, and so needs no issuer of their tokens.
    /// - Throws: ``ConfigurationProblems`` naming everything that is wrong.
    init(_ values: SettingValues, serves: Bool = true) throws {
        var read = SettingReader(values)
        dataDirectory = read.text("DATA_DIR", default: "data")
        authDatabasePath = read.text("AUTH_DB_PATH", default: "\(dataDirectory)/auth.db")
        encryptionKey = Self.secret("ENCRYPTION_KEY", &read) { _ = try EncryptionKeys(parsing: $0) }
        operatorToken = Self.secret("OPERATOR_TOKEN", &read) { _ = try OperatorToken(Secret($0)) }
        http = Self.http(&read)
        nats = Self.nats(&read)
        stream = Self.stream(&read)
        jwt = Self.jwt(&read, required: serves)
        google = Self.google(&read)
        microsoft = Self.microsoft(&read)
        syncInterval = read.duration(
            "SYNC_INTERVAL", default: .seconds(30), in: .milliseconds(100)...(.seconds(86_400)))
        waking = Self.waking(&read)
        verifyInterval = read.duration(
            "VERIFY_INTERVAL", default: .seconds(7 * 86_400), in: .zero...(.seconds(365 * 86_400)))
        eventHeaders = read.read("EVENT_HEADERS", default: .standard, accepted: "all, or header names", Self.headers)
        outboxRowsMax = read.integer("OUTBOX_MAX_ROWS", default: 50_000, in: 100...100_000_000)
        diskReserve = read.read(
            "DISK_RESERVE", default: .percent(5), accepted: "a percentage such as 5%, or a size such as 2GB",
            DiskReserve.Limit.parse)
        shutdownTimeout = read.duration("SHUTDOWN_TIMEOUT", default: .seconds(10), in: .seconds(1)...(.seconds(600)))
        _ = LogSettings.read(&read)
        guard read.problems.isEmpty else { throw ConfigurationProblems(read.problems) }
    }

    private static func http(_ read: inout SettingReader) -> HTTP {
        let origins = read.read("HTTP_CORS_ORIGINS", default: [], accepted: "origins such as https://app.example.com") {
            text -> [String]? in
            let list = items(text)
            return list.allSatisfy(isOrigin) ? list : nil
        }
        return HTTP(
            host: read.text("HTTP_HOST", default: "127.0.0.1"),
            port: read.integer("HTTP_PORT", default: 8080, in: 0...65_535), corsOrigins: origins,
            ratePerUserPerSecond: read.read("HTTP_RATE_PER_USER", default: 20, accepted: "a rate such as 20/s") {
                guard $0.hasSuffix("/s"), let rate = Int($0.dropLast(2)), (1...1_000_000).contains(rate) else {
                    return nil
                }
                return rate
            })
    }

    private static func nats(_ read: inout SettingReader) -> NATS {
        NATS(
            urls: read.read("NATS_URL", default: [], accepted: "nats:// or tls:// URLs") { text in
                let list = items(text)
                return list.allSatisfy { $0.hasPrefix("nats://") || $0.hasPrefix("tls://") } ? list : nil
            },
            credentialsFile: file("NATS_CREDS", &read), caFile: file("NATS_CA", &read),
            certificateFile: file("NATS_CERT", &read), keyFile: file("NATS_KEY", &read),
            token: read.optional("NATS_TOKEN"), serverProgram: file("NATS_SERVER", &read),
            serverPort: read.optional("NATS_PORT") == nil
                ? nil : read.integer("NATS_PORT", default: 4222, in: 1...65_535))
    }

    private static func stream(_ read: inout SettingReader) -> Stream {
        Stream(
            name: read.read("STREAM_NAME", default: "MAIL_EVENTS", accepted: "a name of A–Z a–z 0–9 _ -") { text in
                text.utf8.allSatisfy { isNameByte($0) } && text.utf8.count <= 200 ? text : nil
            },
            replicas: read.integer("STREAM_REPLICAS", default: 1, in: 1...5),
            maxAge: read.duration(
                "STREAM_MAX_AGE", default: .seconds(30 * 86_400), in: .seconds(60)...(.seconds(3650 * 86_400))),
            duplicateWindow: read.duration(
                "STREAM_DUPLICATE_WINDOW", default: .seconds(600), in: .milliseconds(100)...(.seconds(86_400))))
    }

    private static func jwt(_ read: inout SettingReader, required: Bool) -> JWT {
        let variable = "BETTER_AUTH_JWKS_URL"
        let url = required ? read.requiredURL(variable) : read.url(variable, default: "")
        let origin = origin(of: url) ?? ""
        return JWT(
            jwksURL: url, issuer: read.text("JWT_ISSUER", default: origin),
            audience: read.text("JWT_AUDIENCE", default: origin))
    }

    private static func google(_ read: inout SettingReader) -> Google {
        let costs = read.read(
            "GMAIL_UNIT_COSTS", default: GmailUnitCosts(), accepted: "method=units pairs such as messages.get=20",
            GmailUnitCosts.init(parsing:))
        return Google(
            clientID: read.optional("GOOGLE_CLIENT_ID"), clientSecret: read.optional("GOOGLE_CLIENT_SECRET"),
            apiURL: read.url("GMAIL_API_URL", default: "https://gmail.googleapis.com"),
            tokenURL: read.url("GOOGLE_TOKEN_URL", default: "https://oauth2.googleapis.com/token"),
            revokeURL: read.url("GOOGLE_REVOKE_URL", default: "https://oauth2.googleapis.com/revoke"),
            unitsPerMinute: read.integer("GMAIL_UNITS_PER_MINUTE", default: 6000, in: 60...1_000_000_000),
            unitCosts: costs)
    }

    private static func microsoft(_ read: inout SettingReader) -> Microsoft {
        Microsoft(
            clientID: read.optional("MICROSOFT_CLIENT_ID"), clientSecret: read.optional("MICROSOFT_CLIENT_SECRET"),
            apiURL: read.url("GRAPH_API_URL", default: "https://graph.microsoft.com/v1.0"),
            tokenURL: read.url(
                "MICROSOFT_TOKEN_URL", default: "https://login.microsoftonline.com/common/oauth2/v2.0/token"),
            requestsPerMinute: read.integer(
                "GRAPH_REQUESTS_PER_MINUTE", default: OutlookConfiguration.requestsPerTenMinutes / 10,
                in: 60...1_000_000_000))
    }

    private static func file(_ variable: String, _ read: inout SettingReader) -> String? {
        read.read(variable, default: nil, accepted: "the path of a readable file") { path -> String?? in
            FileManager.default.isReadableFile(atPath: path) ? .some(path) : nil
        }
    }

    /// A secret that the type which uses it checks; what that throws names the variable and tells nothing of the value.
    private static func secret(
        _ variable: String, _ read: inout SettingReader, _ check: (String) throws -> Void
    ) -> String? {
        guard let text = read.optional(variable) else { return nil }
        do {
            try check(text)
        } catch {
            read.note("\(error)")
        }
        return text
    }

    private static func headers(_ text: String) -> HeaderSelection? {
        if text == "all" { return .all }
        let names = items(text)
        let isName = { (name: String) in name.utf8.allSatisfy { (33...126).contains($0) && $0 != UInt8(ascii: ":") } }
        return !names.isEmpty && names.allSatisfy(isName) ? .named(names) : nil
    }

    private static func items(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private static func isOrigin(_ text: String) -> Bool { origin(of: text) == text }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        let scalar = Unicode.Scalar(byte)
        return scalar.properties.isAlphabetic && scalar.isASCII || ("0"..."9").contains(scalar) || scalar == "_"
            || scalar == "-"
    }

    /// `https://host:port` of a URL: what BetterAuth uses as issuer and audience by default.
    static func origin(of url: String) -> String? {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme, let host = parts.host, !host.isEmpty
        else {
            return nil
        }
        return "\(scheme)://\(host)\(parts.port.map { ":\($0)" } ?? "")"
    }
}
