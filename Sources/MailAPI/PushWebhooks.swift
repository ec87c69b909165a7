import Accounts
import MailModel
import MailPush
import Metrics

/// What the API needs to take pushes from providers.
public struct PushWebhooks: Sendable {
    /// Takes what was announced.
    public var receiver: any PushReceiver
    /// Checks Google's pushes; nil when Google sends none: no topic, audience or service account is configured.
    public var google: PushTokenVerifier?

    public init(receiver: any PushReceiver, google: PushTokenVerifier? = nil) {
        self.receiver = receiver
        self.google = google
    }
}

/// The operations that providers call.
struct WebhookRoutes: Sendable {
    /// nil where nothing takes pushes.
    let pushes: PushWebhooks?
    let metrics: PrometheusMetrics

    var all: [Route] {
        [
            GoogleWebhook(pushes: pushes, counts: PushCounts(provider: .google, metrics: metrics)).route,
            MicrosoftWebhook(pushes: pushes, counts: PushCounts(provider: .microsoft, metrics: metrics)).route,
        ]
    }
}

/// What became of a push, as counted.
enum PushOutcome: String, Sendable, CaseIterable {
    /// An account was woken.
    case accepted
    /// Of a mailbox or subscription that nobody has connected here.
    case unknown
    /// Without anything to tell who sent it.
    case unsigned
    /// Not from whom it says.
    case forged
    /// Nothing that the provider sends.
    case malformed

    init(_ receipt: PushReceipt) {
        switch receipt {
        case .accepted: self = .accepted
        case .unknown: self = .unknown
        case .forged: self = .forged
        }
    }
}

/// Counts one provider's pushes by their outcome.
struct PushCounts: Sendable {
    let provider: ProviderKind
    let metrics: PrometheusMetrics

    func count(_ outcome: PushOutcome) {
        Counter(
            label: "mailsync_pushes_total",
            dimensions: [("provider", provider.apiName), ("outcome", outcome.rawValue)], factory: metrics
        ).increment()
    }
}
