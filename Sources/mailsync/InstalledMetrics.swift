import MailAPI
import Metrics

extension PrometheusMetrics {
    /// The process's metrics; swift-metrics can be given a backend only once.
    static let installed: PrometheusMetrics = {
        let metrics = PrometheusMetrics()
        MetricsSystem.bootstrap(metrics)
        return metrics
    }()
}
