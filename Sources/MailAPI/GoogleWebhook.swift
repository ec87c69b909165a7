import Accounts
import Hummingbird
import MailModel
import MailPush

/// `POST /webhooks/google`: what Google's Pub/Sub pushes when a watched mailbox changed. A push is a hint: it wakes the
/// account of its address, and nothing else in it is used.
struct GoogleWebhook: Sendable {
    static let path = "/webhooks/google"
    static let realm = "mailsync pushes"

    let pushes: PushWebhooks?
    let counts: PushCounts

    var route: Route {
        Route(method: .post, path: Self.path, access: .anyone, handle: receive)
    }

    /// Answers before anything is done about the push. What is refused comes again, and so does what is not answered in
    /// time; what is for nobody is acknowledged, or it would come again for days.
    @Sendable private func receive(_ call: Route.Call) async throws -> Response {
        guard let pushes, let verifier = pushes.google else { throw Self.notConfigured }
        try await authenticate(call.bearer, verifier)
        let announcement: GmailAnnouncement
        do {
            announcement = try GmailAnnouncement(body: call.body)
        } catch {
            counts.count(.malformed)
            throw error
        }
        let receipt = pushes.receiver.receive(
            PushAnnouncement(provider: .google, subscription: announcement.address.lowercased()))
        counts.count(PushOutcome(receipt))
        return Response(status: .noContent)
    }

    private func authenticate(_ token: Secret?, _ verifier: PushTokenVerifier) async throws(APIProblem) {
        guard let token else {
            counts.count(.unsigned)
            let detail = "pushes need authentication: set a service account at the push subscription"
            throw .unauthorized(detail, realm: Self.realm, hadToken: false)
        }
        do {
            try await verifier.verify(token.revealed)
        } catch {
            throw refusal(error)
        }
    }

    /// That Google's keys cannot be had says nothing about the push: it is to come again.
    private func refusal(_ failure: AuthenticationFailure) -> APIProblem {
        if case .keysUnavailable(_, let retryAfter) = failure {
            return .unavailable(
                "keys-unavailable", "Google's keys cannot be fetched, so no push can be checked",
                retryAfterSeconds: max(1, Int64(retryAfter.inSeconds.rounded(.up))))
        }
        counts.count(.forged)
        return .unauthorized(failure.description, realm: Self.realm, hadToken: true)
    }

    private static let notConfigured = APIProblem.unavailable(
        "pushes-not-configured",
        "pushes from Google need GOOGLE_PUBSUB_TOPIC, GOOGLE_PUBSUB_SERVICE_ACCOUNT, and GOOGLE_PUBSUB_AUDIENCE or "
            + "PUBLIC_URL", retryAfterSeconds: nil)
}
