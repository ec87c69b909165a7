import Hummingbird
import MailJobs
import MailModel
import MailStore
import Metrics

/// What operators, probes and tools ask.
struct OperatorRoutes: Sendable {
    let commands: any AccountCommands
    let metrics: PrometheusMetrics

    var all: [Route] {
        [
            Route(method: .get, path: "/status", access: .operator, handle: status),
            Route(method: .get, path: "/metrics", access: .operator, handle: renderMetrics),
            Route(method: .get, path: "/healthz", access: .anyone) { _ in .json { $0.field("status", "alive") } },
            Route(method: .get, path: "/readyz", access: .anyone, handle: readiness),
            Route(method: .get, path: "/openapi.json", access: .userOrOperator) { _ in
                .json(Array(OpenAPIDocument.text.utf8))
            },
        ]
    }

    @Sendable private func status(_ call: Route.Call) async throws -> Response {
        let report = try await commands.overview()
        return .json { $0.service(report) }
    }

    @Sendable private func readiness(_ call: Route.Call) async throws -> Response {
        let problems = await commands.readiness()
        guard problems.isEmpty else {
            let reasons = problems.map { "\($0.component): \($0.reason)" }.joined(separator: "; ")
            throw APIProblem.unavailable("not-ready", reasons, retryAfterSeconds: Self.notReadyRetrySeconds)
        }
        return .json { $0.field("status", "ready") }
    }

    private static let notReadyRetrySeconds: Int64 = 2

    /// The service's own figures are taken at the moment of asking.
    @Sendable private func renderMetrics(_ call: Route.Call) async throws -> Response {
        record(try await commands.overview())
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: metrics.render())))
    }

    private func record(_ report: ServiceReport) {
        for status in AccountStatus.allCases {
            gauge("mailsync_accounts", [("status", status.apiName)]).record(report.accounts[status] ?? 0)
        }
        for group in ServiceReport.PushGroup.all {
            let labels = [("provider", group.provider.apiName), ("health", group.health.rawValue)]
            gauge("mailsync_push_accounts", labels).record(report.pushes[group] ?? 0)
        }
        for state in JobState.allCases {
            gauge("mailsync_jobs", [("state", state.rawValue)]).record(report.jobs[state])
        }
        gauge("mailsync_uptime_seconds").record(report.uptimeSeconds)
        gauge("mailsync_nats_connected").record(report.stream.connected ? 1 : 0)
        gauge("mailsync_outbox_depth").record(report.outboxDepth)
        gauge("mailsync_oldest_unpublished_seconds").record(report.oldestUnpublishedSeconds ?? 0)
        gauge("mailsync_gaps").record(report.gaps)
        gauge("mailsync_gaps_given_up").record(report.givenUp)
        gauge("mailsync_missing_messages").record(report.missing)
        gauge("mailsync_accounts_never_verified").record(report.neverVerified)
        gauge("mailsync_oldest_verification_seconds").record(report.oldestVerificationSeconds ?? 0)
    }

    private func gauge(_ name: String, _ labels: [(String, String)] = []) -> Gauge {
        Gauge(label: name, dimensions: labels, factory: metrics)
    }
}
