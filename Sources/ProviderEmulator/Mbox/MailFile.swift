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
        let file = try await MailFile.read(path, labels: labels, now: configuration.time.now())
        box.change { mailbox in
            for mail in file.mails { mailbox.load(mail) }
        }
        return (file.mails.count, file.skipped)
    }
}

extension MicrosoftEmulator {
    /// Fills a folder with the messages of an mbox file, plain or gzip, read or unread. Otherwise like Google's.
    ///
    /// - Returns: how many messages were loaded, and how many left out.
    /// - Throws: ``EmulatorError``; its text names the file and what is wrong with it.
    @discardableResult
    public func load(
        mbox path: String, into address: String, folder: String = "inbox", _ properties: OutlookProperties = .init()
    ) async throws -> (loaded: Int, skipped: Int) {
        _ = try box(address)
        let now = configuration.time.now()
        let file = try await MailFile.read(path, labels: [], now: now)
        try mutate(address) { mailbox throws(EmulatorError) in
            let key = try mailbox.mailFolder(folder).key
            for mail in file.mails { mailbox.add(mail, to: key, properties, at: now) }
        }
        return (file.mails.count, file.skipped)
    }
}

/// An mbox file's messages, oldest first.
struct MailFile: Sendable {
    var mails: [IncomingMail]
    /// Without any header field.
    var skipped: Int

    static func read(_ path: String, labels: [String], now: Int64) async throws -> MailFile {
        // Reading a file and unpacking it block: on a thread of Dispatch, not on the cooperative pool.
        try await withCheckedThrowingContinuation { done in
            DispatchQueue.global().async {
                done.resume(with: Result { try Self.read(path, labels, latest: now + 86_400) })
            }
        }
    }

    private static func read(_ path: String, _ labels: [String], latest: Int64) throws(EmulatorError) -> MailFile {
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
        return MailFile(mails: ordered.map(\.element), skipped: count - mails.count)
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
