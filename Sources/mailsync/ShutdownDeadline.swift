import Dispatch
import Foundation
import Logging
import MailModel

/// `SHUTDOWN_TIMEOUT`: the time from SIGTERM to exit. What is committed is safe at any moment, so a shutdown that does
/// not come to its end is ended.
enum ShutdownDeadline {
    /// Runs `body`; when a SIGTERM or SIGINT came and `body` has not returned in time, the process exits.
    static func enforce(_ limit: Duration, logger: Logger, _ body: () async throws -> Void) async throws {
        let sources = [SIGTERM, SIGINT].map { signal in
            let source = DispatchSource.makeSignalSource(signal: signal, queue: .global())
            source.setEventHandler {
                DispatchQueue.global().asyncAfter(deadline: .now() + limit.inSeconds) {
                    logger.error("shutdown took longer than SHUTDOWN_TIMEOUT: ended")
                    exit(EXIT_FAILURE)
                }
            }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        try await body()
    }
}
