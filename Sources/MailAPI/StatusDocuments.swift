import MailModel
import MailStore

extension JSONText {
    mutating func field(_ name: String, _ value: Int64?) {
        key(name)
        if let value { integer(value) } else { null() }
    }

    mutating func field(_ name: String, _ value: String?) {
        key(name)
        if let value { string(value) } else { null() }
    }

    mutating func field(_ name: String, _ value: Int) { field(name, Int64(value)) }

    /// `GET /mail/status`.
    mutating func userStatus(_ user: UserID, _ reports: [AccountReport]) {
        field("user_id", user.raw)
        field("running_syncs", reports.filter(\.isRunning).map(\.key.description))
        key("accounts")
        array(reports) { json, report in json.object { $0.account(report) } }
    }

    private mutating func account(_ report: AccountReport) {
        field("provider", report.key.provider.apiName)
        field("inbox_id", report.key.inbox.raw)
        field("status", report.status.apiName)
        field("phase", report.phase.rawValue)
        field("listed", report.listed)
        field("stored", report.stored)
        field("gone", report.gone)
        field("gaps", report.gaps)
        field("given_up", report.givenUp)
        field("missing", report.missing)
        field("last_verified_at", report.lastVerifiedAt)
        field("published", report.published)
        field("outbox_depth", report.outboxDepth)
        field("oldest_unpublished_s", report.oldestUnpublishedSeconds)
        field("last_synced_at", report.lastSyncedAt)
        field("last_error", report.lastError)
        field("retry_count", report.retryCount)
        field("next_attempt_at", report.nextAttemptAt)
        field("waiting_for", report.waitingFor)
        field("eta_s", report.etaSeconds)
        field("interval_s", report.intervalSeconds)
        pushes(report.pushes)
    }

    /// `GET /status`.
    mutating func service(_ report: ServiceReport) {
        field("version", report.version)
        field("uptime_s", report.uptimeSeconds)
        key("nats")
        object { $0.stream(report.stream) }
        key("accounts")
        object { json in
            for status in AccountStatus.allCases { json.field(status.apiName, report.accounts[status] ?? 0) }
        }
        pushes(report.pushes)
        field("outbox_depth", report.outboxDepth)
        field("oldest_unpublished_s", report.oldestUnpublishedSeconds)
        key("publish_latency_ms")
        object { json in
            json.field("p50", report.publishLatency.map { Int64($0.p50Milliseconds.rounded()) })
            json.field("p99", report.publishLatency.map { Int64($0.p99Milliseconds.rounded()) })
        }
        key("errors")
        array(report.errors) { json, error in
            json.object { json in
                json.field("code", error.code)
                json.field("total", error.total)
                json.field("last_hour", error.lastHour)
            }
        }
        key("token_refreshes")
        object { json in
            json.field("succeeded", report.tokenRefreshes)
            json.field("failed", report.tokenRefreshFailures)
        }
        field("gaps", report.gaps)
        field("given_up", report.givenUp)
        field("missing", report.missing)
        field("never_verified", report.neverVerified)
        field("oldest_verification_s", report.oldestVerificationSeconds)
        key("jobs")
        object { $0.counts(report.jobs) }
        key("worst_accounts")
        array(report.laggards) { json, laggard in json.object { $0.laggard(laggard) } }
    }

    private mutating func stream(_ stream: ServiceReport.Stream) {
        field("connected", stream.connected)
        field("stream", stream.name)
        field("server_version", stream.serverVersion)
        field("last_sequence", stream.lastSequence.map { Int64(clamping: $0) })
        field("trouble", stream.trouble)
    }

    private mutating func laggard(_ laggard: ServiceReport.Laggard) {
        field("user_id", laggard.key.user.raw)
        field("provider", laggard.key.provider.apiName)
        field("inbox_id", laggard.key.inbox.raw)
        field("status", laggard.status.apiName)
        field("reason", laggard.reason)
        field("retry_count", laggard.retryCount)
        field("next_attempt_at", laggard.nextAttemptAt)
        field("last_synced_at", laggard.lastSyncedAt)
    }
}
