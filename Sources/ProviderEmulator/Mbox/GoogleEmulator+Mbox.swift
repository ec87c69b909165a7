import Dispatch

extension GoogleEmulator {
    /// Fills a mailbox with the messages of an mbox file, plain or gzip, as mail that "was there before".
    ///
    /// Dates come from the `Date` fields, else from the separator lines; ids grow with them. A "message" without any
    /// header field is left out.
    ///
    /// - Returns: how many messages were loaded, and how many left out.
    /// - Throws: ``EmulatorError``; its text names the file and what is wrong with it.
    @discardableResult
    public func load(
        mbox path: String, into address: String, labels: [String] = ["INBOX"]
    ) async throws -> (loaded: Int, skipped: Int) {
        let box = try box(address)
        let latest = configuration.time.now() + 86_400
        // Reading a file and unpacking it block: on a thread of Dispatch, not on the cooperative pool.
        return try await withCheckedThrowingContinuation { done in
            DispatchQueue.global().async {
                done.resume(with: Result { try Self.load(path, box, labels, latest: latest) })
            }
        }
    }

    private static func load(
        _ path: String, _ box: MailboxBox, _ labels: [String], latest: Int64
    ) throws(EmulatorError) -> (loaded: Int, skipped: Int) {
        var mails: [IncomingMail] = []
        var lastDate: Int64 = 946_684_800
        let count = try MboxReader.read(path) { message in
            let received = message.separatorDate ?? lastDate
            guard let mail = IncomingMail(message, labels: labels, received: received, latest: latest) else { return }
            lastDate = mail.internalDate
            mails.append(mail)
        }
        let ordered = mails.enumerated().sorted {
            ($0.element.internalDate, $0.offset) < ($1.element.internalDate, $1.offset)
        }
        box.change { mailbox in
            for (_, mail) in ordered { mailbox.load(mail) }
        }
        return (mails.count, count - mails.count)
    }
}

extension IncomingMail {
    fileprivate init?(_ message: MboxMessage, labels: [String], received: Int64, latest: Int64) {
        do throws(EmulatorError) {
            try self.init(raw: message.bytes, labels: labels, received: min(received, latest), latest: latest)
        } catch {
            // Counted by the caller as left out: the one way to fail is a message without a header.
            return nil
        }
        content = .kept(message.bytes, sizeBytes: message.sizeBytes)
    }
}
