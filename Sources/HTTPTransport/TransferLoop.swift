import CCurl
import Foundation
import Logging

/// The thread that drives libcurl: takes commands, moves transfers, answers. Everything in here belongs to that thread.
final class TransferLoop {
    private static let idlePollMilliseconds: Int32 = 60_000
    /// How late a deadline that libcurl does not watch may be noticed.
    private static let deadlineCheck = Duration.milliseconds(100)
    private static let idleHandlesMax = 64

    private let mailbox: CommandMailbox
    private let multi: MultiHandle
    private let configuration: HTTPTransport.Configuration
    private let logger: Logger
    private var transfers: [OpaqueEasy: Transfer] = [:]
    private var handles: [UInt64: OpaqueEasy] = [:]
    private var idle: [EasyHandle] = []
    private var nextDeadlineCheck = ContinuousClock.now

    private init(
        mailbox: CommandMailbox, multi: MultiHandle, configuration: HTTPTransport.Configuration, logger: Logger
    ) {
        self.mailbox = mailbox
        self.multi = multi
        self.configuration = configuration
        self.logger = logger
    }

    static func start(
        mailbox: CommandMailbox, multi: MultiHandle, configuration: HTTPTransport.Configuration, logger: Logger
    ) {
        let thread = Thread {
            blockSignals()
            TransferLoop(mailbox: mailbox, multi: multi, configuration: configuration, logger: logger).run()
            mailbox.end()
        }
        thread.name = "http-transport"
        thread.start()
    }

    private func run() {
        logger.debug("HTTP transport started", metadata: ["library": "\(String(cString: curl_version()))"])
        while true {
            let (commands, isClosed) = mailbox.take()
            for command in commands { execute(command) }
            if isClosed { break }
            report(multi.perform(), of: "curl_multi_perform")
            while let (easy, result) = multi.nextDone() {
                if let transfer = transfers[easy] { finish(transfer, transfer.outcome(result)) }
            }
            failLate()
            let wait = transfers.isEmpty ? Self.idlePollMilliseconds : Int32(Self.deadlineCheck.curlMilliseconds)
            report(multi.poll(milliseconds: wait), of: "curl_multi_poll")
        }
        for transfer in transfers.values { finish(transfer, .failure(TransportError.shutDown)) }
    }

    private func execute(_ command: CommandMailbox.Command) {
        switch command {
        case .start(let submission):
            start(submission)
        case .cancel(let id):
            guard let transfer = handles[id].flatMap({ transfers[$0] }) else { return }
            finish(transfer, .failure(CancellationError()))
        }
    }

    private func start(_ submission: Submission) {
        do {
            let transfer = try Transfer(
                submission, easy: idle.popLast() ?? EasyHandle(), configuration: configuration)
            let code = multi.add(transfer.easy)
            guard code == CURLM_OK else {
                throw TransportError.connection("libcurl takes no transfer: \(describe(code))")
            }
            transfers[transfer.easy.pointer] = transfer
            handles[submission.id] = transfer.easy.pointer
        } catch {
            mailbox.answered()
            submission.answer.resume(throwing: error)
        }
    }

    /// The one way out of ``transfers``.
    private func finish(_ transfer: Transfer, _ outcome: Result<HTTPResponse, any Error>) {
        multi.remove(transfer.easy)
        transfers[transfer.easy.pointer] = nil
        handles[transfer.submission.id] = nil
        if idle.count < Self.idleHandlesMax {
            transfer.easy.reset()
            idle.append(transfer.easy)
        }
        mailbox.answered()
        transfer.submission.answer.resume(with: outcome)
    }

    private func failLate() {
        let now = ContinuousClock.now
        guard now >= nextDeadlineCheck else { return }
        nextDeadlineCheck = now + Self.deadlineCheck
        for transfer in transfers.values where transfer.deadline <= now {
            finish(transfer, .failure(transfer.lateness))
        }
    }

    private func report(_ code: CURLMcode, of call: String) {
        guard code != CURLM_OK else { return }
        logger.error("libcurl call failed", metadata: ["call": "\(call)", "error": "\(describe(code))"])
    }
}

/// Signals are the business of other threads; and a write to a closed TLS connection shall fail, not raise SIGPIPE.
private func blockSignals() {
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, nil)
}

private func describe(_ code: CURLMcode) -> String { String(cString: curl_multi_strerror(code)) }
