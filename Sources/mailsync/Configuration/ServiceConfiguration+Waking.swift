import Foundation
import MailModel

extension ServiceConfiguration {
    /// A shorter secret could be guessed.
    private static let cronSecretBytesMin = 16

    static func waking(_ read: inout SettingReader) -> Waking {
        let publicURL = read.optional("PUBLIC_URL") == nil ? nil : read.url("PUBLIC_URL", default: "")
        let topic: String? = read.read(
            "GOOGLE_PUBSUB_TOPIC", default: nil, accepted: "projects/PROJECT/topics/TOPIC", topic)
        let waking = Waking(
            isDrivenByCron: read.choice("SYNC_TRIGGER", default: "clock", of: ["clock", "cron"]) == "cron",
            isIntervalSet: read.optional("SYNC_INTERVAL") != nil,
            cronSecret: cronSecret(&read),
            cronBatchSize: read.integer("EMAIL_SYNC_BATCH_SIZE", default: 5, in: 1...1000), publicURL: publicURL,
            googleTopic: topic,
            googleAudience: read.optional("GOOGLE_PUBSUB_AUDIENCE") ?? publicURL.map { $0 + "/webhooks/google" },
            googleServiceAccount: read.optional("GOOGLE_PUBSUB_SERVICE_ACCOUNT"),
            googleKeysURL: read.url("GOOGLE_OIDC_JWKS_URL", default: "https://www.googleapis.com/oauth2/v3/certs"),
            pushPollInterval: read.duration(
                "PUSH_POLL_INTERVAL", default: .seconds(900), in: .milliseconds(100)...(.seconds(86_400))))
        if topic != nil { requireForGoogle(waking, &read) }
        if waking.isDrivenByCron, waking.cronSecret == nil {
            read.note("CRON_SECRET is not set: SYNC_TRIGGER=cron syncs nothing without it")
        }
        return waking
    }

    /// A push that anybody could sign is none.
    private static func requireForGoogle(_ waking: Waking, _ read: inout SettingReader) {
        if waking.googleServiceAccount == nil {
            read.note(
                "GOOGLE_PUBSUB_SERVICE_ACCOUNT is not set: with GOOGLE_PUBSUB_TOPIC it names the account whose "
                    + "push tokens are accepted")
        }
        if waking.googleAudience == nil {
            read.note(
                "GOOGLE_PUBSUB_AUDIENCE is not set: with GOOGLE_PUBSUB_TOPIC it, or PUBLIC_URL, is the audience that "
                    + "push tokens must have")
        }
    }

    private static func cronSecret(_ read: inout SettingReader) -> Secret? {
        guard let text = read.optional("CRON_SECRET") else { return nil }
        if text.utf8.count < cronSecretBytesMin {
            read.note("CRON_SECRET: its value is not accepted; at least \(cronSecretBytesMin) bytes are")
        }
        return Secret(text)
    }

    private static func topic(_ text: String) -> String?? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let isTopic =
            parts.count == 4 && parts[0] == "projects" && parts[2] == "topics" && !parts[1].isEmpty
            && !parts[3].isEmpty
        return isTopic ? .some(text) : nil
    }
}
