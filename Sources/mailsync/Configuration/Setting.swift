/// One configuration value: an environment variable, a flag (`HTTP_PORT` is `--http-port`), and a key of the
/// configuration file (`http.port`).
struct Setting: Sendable {
    let variable: String
    /// Shown in help; `none` when there is no default.
    let standard: String
    let meaning: String
    let isSecret: Bool

    init(_ variable: String, _ standard: String, _ meaning: String, secret: Bool = false) {
        self.variable = variable
        self.standard = standard
        self.meaning = meaning
        isSecret = secret
    }

    /// `HTTP_PORT` → `http.port`.
    var key: String { variable.lowercased().split(separator: "_").joined(separator: ".") }

    /// `HTTP_PORT` → `--http-port`. Secrets are refused there: arguments are public on their machine.
    var flag: String { "--" + variable.lowercased().replacing("_", with: "-") }

    /// Every setting of `mailsync serve`.
    static let all: [Setting] = [
        Setting("HTTP_HOST", "127.0.0.1", "address the API listens on"),
        Setting("HTTP_PORT", "8080", "port the API listens on; 0 takes a free one"),
        Setting("HTTP_CORS_ORIGINS", "none", "origins whose browsers may call /mail/*, comma-separated"),
        Setting("HTTP_RATE_PER_USER", "20/s", "requests per user"),
        Setting("DATA_DIR", "data", "directory of stores, keys and the private nats-server"),
        Setting("AUTH_DB_PATH", "DATA_DIR/auth.db", "file of the encrypted OAuth tokens"),
        Setting(
            "ENCRYPTION_KEY", "generated", "32 bytes in hex or base64; several as id:key,… (the first writes)",
            secret: true),
        Setting("NATS_URL", "none: private server", "URLs of the NATS servers, comma-separated", secret: true),
        Setting("NATS_CREDS", "none", "credentials file for NATS"),
        Setting("NATS_CA", "none", "CA file for NATS over TLS"),
        Setting("NATS_CERT", "none", "client certificate for NATS over TLS"),
        Setting("NATS_KEY", "none", "client key for NATS over TLS"),
        Setting("NATS_TOKEN", "none", "token for NATS", secret: true),
        Setting("NATS_SERVER", "the newest found", "nats-server program for the private server"),
        Setting("NATS_PORT", "a free port", "port of the private nats-server"),
        Setting("STREAM_NAME", "MAIL_EVENTS", "name of the JetStream stream"),
        Setting("STREAM_REPLICAS", "1", "replicas of the stream"),
        Setting("STREAM_MAX_AGE", "30d", "age at which events leave the stream"),
        Setting("STREAM_DUPLICATE_WINDOW", "10m", "how long the stream remembers event ids"),
        Setting("BETTER_AUTH_JWKS_URL", "required", "JWKS of the issuer of users' tokens"),
        Setting("JWT_ISSUER", "origin of BETTER_AUTH_JWKS_URL", "iss that users' tokens must have"),
        Setting("JWT_AUDIENCE", "origin of BETTER_AUTH_JWKS_URL", "aud that users' tokens must have"),
        Setting("GOOGLE_CLIENT_ID", "none", "OAuth client of Google"),
        Setting("GOOGLE_CLIENT_SECRET", "none", "its secret", secret: true),
        Setting("GMAIL_API_URL", "https://gmail.googleapis.com", "Gmail API"),
        Setting("GOOGLE_TOKEN_URL", "https://oauth2.googleapis.com/token", "Google's token endpoint"),
        Setting("GOOGLE_REVOKE_URL", "https://oauth2.googleapis.com/revoke", "Google's revocation endpoint"),
        Setting("GMAIL_UNITS_PER_MINUTE", "6000", "Gmail quota units per account and minute"),
        Setting("GMAIL_UNIT_COSTS", "Google's table of 2026", "units per method, as messages.get=20,…"),
        Setting("MICROSOFT_CLIENT_ID", "none", "OAuth client (application) of Microsoft"),
        Setting("MICROSOFT_CLIENT_SECRET", "none", "its secret", secret: true),
        Setting("GRAPH_API_URL", "https://graph.microsoft.com/v1.0", "Microsoft Graph"),
        Setting(
            "MICROSOFT_TOKEN_URL", "https://login.microsoftonline.com/common/oauth2/v2.0/token",
            "Microsoft's token endpoint"),
        Setting("GRAPH_REQUESTS_PER_MINUTE", "1000", "requests to Graph per account and minute"),
        Setting("SYNC_INTERVAL", "30s", "longest time between passes of an account; when set, of every folder"),
        Setting("SYNC_TRIGGER", "clock", "what makes passes due: clock, or cron (POST /api/cron/sync-emails)"),
        Setting("CRON_SECRET", "none", "bearer token of /api/cron/sync-emails; without it that is off", secret: true),
        Setting("EMAIL_SYNC_BATCH_SIZE", "5", "accounts that one call of /api/cron/sync-emails syncs"),
        Setting("PUBLIC_URL", "none", "where providers reach this service; without it Microsoft sends no pushes"),
        Setting("GOOGLE_PUBSUB_TOPIC", "none", "projects/P/topics/T; without it Google sends no pushes"),
        Setting("GOOGLE_PUBSUB_AUDIENCE", "PUBLIC_URL/webhooks/google", "audience of Google's push tokens"),
        Setting("GOOGLE_PUBSUB_SERVICE_ACCOUNT", "none", "account that signs Google's push tokens"),
        Setting("GOOGLE_OIDC_JWKS_URL", "https://www.googleapis.com/oauth2/v3/certs", "keys of Google's push tokens"),
        Setting("PUSH_POLL_INTERVAL", "15m", "time between passes of an idle account whose pushes come"),
        Setting("VERIFY_INTERVAL", "7d", "time between verifications of an account in the background; 0s: none"),
        Setting("EVENT_HEADERS", "the usual fourteen", "headers carried in events, comma-separated, or all"),
        Setting("OUTBOX_MAX_ROWS", "50000", "waiting events per user at which its backfill pauses"),
        Setting("DISK_RESERVE", "5%", "free disk space at which syncing pauses"),
        Setting("SHUTDOWN_TIMEOUT", "10s", "time from SIGTERM to exit"),
        Setting("OPERATOR_TOKEN", "generated", "bearer token of /status and /metrics", secret: true),
        Setting("LOG_LEVEL", "info", "trace, debug, info, notice, warning, error or critical"),
        Setting("LOG_FORMAT", "text", "text or json"),
    ]
}
