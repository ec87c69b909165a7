import MailModel
import Testing

@testable import mailsync

@Suite struct ConfigurationTests {
    private static let required = ["BETTER_AUTH_JWKS_URL": "https://app.example.com/api/auth/jwks"]

    private func configuration(_ values: [String: String] = [:]) throws -> ServiceConfiguration {
        try ServiceConfiguration(SettingValues(values: Self.required.merging(values) { _, new in new }))
    }

    @Test func defaultsAreTheDocumentedOnes() throws {
        let configuration = try configuration()
        #expect(configuration.http.host == "127.0.0.1" && configuration.http.port == 8080)
        #expect(configuration.http.ratePerUserPerSecond == 20)
        #expect(configuration.dataDirectory == "data" && configuration.authDatabasePath == "data/auth.db")
        #expect(configuration.stream.name == "MAIL_EVENTS" && configuration.stream.replicas == 1)
        #expect(configuration.stream.maxAge == .seconds(30 * 86_400))
        #expect(configuration.stream.duplicateWindow == .seconds(600))
        #expect(configuration.google.unitsPerMinute == 6000)
        #expect(configuration.syncInterval == .seconds(30) && configuration.shutdownTimeout == .seconds(10))
        #expect(configuration.outboxRowsMax == 50_000 && configuration.diskReserve == .percent(5))
        #expect(configuration.nats.urls.isEmpty)
    }

    @Test func issuerAndAudienceDefaultToTheOriginOfTheKeySet() throws {
        let configuration = try configuration(["BETTER_AUTH_JWKS_URL": "https://app.example.com:8443/api/auth/jwks"])
        #expect(configuration.jwt.issuer == "https://app.example.com:8443")
        #expect(configuration.jwt.audience == "https://app.example.com:8443")
    }

    /// A supervisor that logs what it runs shows every property of it.
    @Test func aDescriptionShowsNoSecret() throws {
        let secret = String(repeating: "0123456789abcdef", count: 4)
        let configuration = try configuration(["ENCRYPTION_KEY": secret, "NATS_TOKEN": secret])
        #expect(!"\((configuration, [configuration]))".contains(secret))
    }

    @Test func aCommandNeedsNoIssuer() throws {
        #expect(try ServiceConfiguration(SettingValues(values: [:]), serves: false).jwt.jwksURL.isEmpty)
    }

    @Test func everyBadValueIsNamedAtOnceAndSecretsAreNotShown() throws {
        let bad = [
            "HTTP_PORT": "eighty", "SYNC_INTERVAL": "soon", "GMAIL_UNITS_PER_MINUTE": "-5", "STREAM_REPLICAS": "9",
            "GMAIL_API_URL": "http://gmail.example.com", "LOG_FORMAT": "xml", "DISK_RESERVE": "lots",
            "NATS_URL": "http://user:hunter2@nats", "NATS_CREDS": "/does/not/exist", "STREAM_NAME": "a.b",
            "HTTP_CORS_ORIGINS": "https://app.example.com/path", "HTTP_RATE_PER_USER": "20",
        ]
        do {
            _ = try ServiceConfiguration(SettingValues(values: bad))
            Issue.record("accepted")
        } catch let problems as ConfigurationProblems {
            for variable in Array(bad.keys) + ["BETTER_AUTH_JWKS_URL"] {
                #expect(problems.problems.contains { $0.hasPrefix(variable) }, "\(variable)")
            }
            #expect(!problems.description.contains("hunter2"))
        }
    }

    @Test func plainHTTPIsAcceptedForLoopbackOnly() throws {
        #expect(try configuration(["GMAIL_API_URL": "http://127.0.0.1:9"]).google.apiURL == "http://127.0.0.1:9")
        #expect(throws: ConfigurationProblems.self) { try configuration(["GMAIL_API_URL": "http://10.0.0.1"]) }
        #expect(throws: ConfigurationProblems.self) { try configuration(["GMAIL_API_URL": "https://u@host/"]) }
    }

    @Test func flagsComeBeforeEnvironmentAndUnknownOnesAreNamed() async throws {
        let values = try await SettingValues.load(
            arguments: ["--http-port", "9001"], environment: ["HTTP_PORT": "9000", "DATA_DIR": "/d"], file: nil)
        #expect(values["HTTP_PORT"] == "9001" && values["DATA_DIR"] == "/d")
        await #expect(throws: ConfigurationProblems(["unknown flag --htp-port"])) {
            try await SettingValues.load(arguments: ["--htp-port", "1"], environment: [:], file: nil)
        }
    }

    @Test func secretsAreRefusedAsFlags() async throws {
        for setting in Setting.all where setting.isSecret {
            do {
                _ = try await SettingValues.load(arguments: ["\(setting.flag)=hunter2"], environment: [:], file: nil)
                Issue.record("\(setting.flag) was accepted")
            } catch let problems as ConfigurationProblems {
                #expect(problems.description.contains(setting.variable))
                #expect(!problems.description.contains("hunter2"))
            }
        }
    }

    @Test func aMissingConfigurationFileIsAClearError() async throws {
        await #expect(throws: ConfigurationProblems.self) {
            try await SettingValues.load(arguments: [], environment: [:], file: "/does/not/exist.json")
        }
    }

    @Test(arguments: [
        ("500ms", Duration.milliseconds(500)), ("30s", .seconds(30)), ("10m", .seconds(600)), ("2h", .seconds(7200)),
        ("30d", .seconds(30 * 86_400)),
    ])
    func durationsAreRead(text: String, duration: Duration) { #expect(DurationText.parse(text) == duration) }

    @Test(arguments: ["", "5", "s", "-5s", "5 s", "1.5h", "99999999999999999999s", "5w"])
    func otherDurationsAreRefused(text: String) { #expect(DurationText.parse(text) == nil) }

    @Test func diskReservesAreRead() {
        #expect(DiskReserve.Limit.parse("5%") == .percent(5))
        #expect(DiskReserve.Limit.parse("2GB") == .bytes(2 << 30))
        #expect(DiskReserve.Limit.parse("95%") == nil && DiskReserve.Limit.parse("2") == nil)
    }

    @Test func theReserveIsWatched() {
        let none = DiskReserve(directory: "/", limit: .percent(0)) { 0 }
        #expect(none.obstacle() == nil)
        let all = DiskReserve(directory: "/", limit: .bytes(1 << 60)) { 0 }
        #expect(all.obstacle()?.hasPrefix("disk: ") == true)
        #expect(DiskReserve(directory: "/does/not/exist", limit: .percent(5)) { 0 }.obstacle() != nil)
    }
}
