import Logging

/// HTTP requests over libcurl: one thread of its own drives every transfer, connections are shared and reused, HTTP/2
/// is multiplexed over TLS, and everything an answer can cost is limited (``HTTPRequest``, ``Configuration``).
///
/// Redirects are never followed: an answer with status 3xx is an answer. Cookies, `.netrc` and proxies of the
/// environment are not used. A request whose reused connection turns out dead before the first byte of an answer is
/// sent once more by libcurl, on a new connection.
///
/// Start: at ``init(configuration:logger:)``. Stop: ``shutdown()``, or the release of the last reference.
public final class HTTPTransport: Sendable {
    private let mailbox: CommandMailbox

    /// Starts the thread.
    public init(configuration: Configuration = .init(), logger: Logger) {
        let multi = MultiHandle(configuration)
        let mailbox = CommandMailbox(requestsMax: max(1, configuration.requestsMax), multi: multi)
        self.mailbox = mailbox
        TransferLoop.start(mailbox: mailbox, multi: multi, configuration: configuration, logger: logger)
    }

    deinit { mailbox.close() }

    /// Sends the request and collects its answer, whatever its status.
    ///
    /// - Throws: ``TransportError``; `CancellationError` when the task is cancelled, which aborts the transfer.
    public func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        try Task.checkCancellation()
        let url = try AllowedURL(request.url)
        try checkHeaders(request.headers)
        let id = mailbox.nextID()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { answer in
                let submission = Submission(id: id, request: request, url: url, answer: answer)
                if let refusal = mailbox.submit(submission) { return answer.resume(throwing: refusal) }
                // A cancellation that came before the submission found nothing to cancel.
                if Task.isCancelled { mailbox.cancel(id) }
            }
        } onCancel: {
            mailbox.cancel(id)
        }
    }

    /// Ends every request in flight with ``TransportError/shutDown``, closes the connections and returns when the
    /// thread has ended. May be called more than once.
    public func shutdown() async {
        mailbox.close()
        await mailbox.waitUntilEnded()
    }
}
