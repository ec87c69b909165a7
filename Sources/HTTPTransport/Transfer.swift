import CCurl

/// A request in libcurl's hands, with the answer so far. Confined to the loop's thread: libcurl calls the receivers
/// from `curl_multi_perform` only.
final class Transfer {
    let submission: Submission
    let easy: EasyHandle
    /// Also for requests that libcurl still holds back for want of a connection, on which it has no time-out.
    let deadline: ContinuousClock.Instant
    private var builder: AnswerBuilder

    init(_ submission: Submission, easy: EasyHandle, configuration: HTTPTransport.Configuration) throws {
        self.submission = submission
        self.easy = easy
        deadline = .now + .milliseconds(submission.request.timeout.curlMilliseconds)
        builder = AnswerBuilder(
            headerBytesMax: configuration.headerBytesMax, bodyBytesMax: submission.request.responseBytesMax)
        try easy.prepare(submission.request, submission.url, configuration)
        // Unretained: the loop keeps the transfer until its handle has left the multi handle.
        try easy.receive(
            context: Unmanaged.passUnretained(self).toOpaque(),
            header: { bytes, size, count, context in
                Transfer.receive(bytes, size * count, context) { $0.builder.addHeaderLine($1) }
            },
            body: { bytes, size, count, context in
                Transfer.receive(bytes, size * count, context) { $0.takeBody($1) }
            })
    }

    /// What the transfer came to, once libcurl reports `result`.
    func outcome(_ result: CURLcode) -> Result<HTTPResponse, any Error> {
        guard result == CURLE_OK else { return .failure(builder.exceeded ?? failure(result)) }
        // libcurl takes a connection that closes between two header lines for the end of the answer.
        guard builder.hasAllHeaders else {
            return .failure(TransportError.connection("\(submission.url.origin): the answer broke off in its headers"))
        }
        return .success(builder.response(status: easy.status))
    }

    private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let onBody = submission.request.onBody else { return builder.addBody(bytes) }
        if !bytes.isEmpty { onBody(Array(bytes)) }
        return true
    }

    /// Not within ``deadline``.
    var lateness: TransportError {
        .timeout("no complete answer from \(submission.url.origin) within \(submission.request.timeout)")
    }

    private func failure(_ result: CURLcode) -> TransportError {
        let origin = submission.url.origin
        switch result {
        case CURLE_OPERATION_TIMEDOUT:
            if ContinuousClock.now >= deadline { return lateness }
            return .timeout("\(origin) did not accept a connection in time, or answers too slowly")
        default:
            let number = easy.systemError
            let cause = number == 0 ? "" : " (errno \(number))"
            return .connection("\(origin): \(describe(result))\(cause)")
        }
    }

    private static func receive(
        _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?,
        _ take: (Transfer, UnsafeRawBufferPointer) -> Bool
    ) -> Int {
        guard let context else { return 0 }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        // A return value other than `count` ends the transfer; for an empty piece there is none.
        return take(transfer, UnsafeRawBufferPointer(start: bytes, count: count)) ? count : count &- 1
    }
}
