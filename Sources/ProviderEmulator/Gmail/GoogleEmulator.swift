import Crypto
import MailModel
import Synchronization

/// Google as the service sees it: mailboxes behind the Gmail API, and the grants that open them. All methods may be
/// called from anywhere, also while requests are being answered.
public final class GoogleEmulator: Sendable {
    /// What strikes requests.
    public let faults: FaultRegistry
    /// Access and refresh tokens.
    let tokens: TokenTable
    let log: RequestLog
    let watches: GmailWatches
    let configuration: EmulatorConfiguration
    private let mailboxes = Mutex<[String: MailboxBox]>([:])

    init(_ configuration: EmulatorConfiguration, courier: PushCourier) {
        self.configuration = configuration
        watches = GmailWatches(configuration.googlePushes, time: configuration.time, courier: courier)
        faults = FaultRegistry(configuration.faults)
        tokens = TokenTable(
            TokenPolicy(
                accessPrefix: "ya29.", refreshPrefix: "1//0e",
                lifetime: configuration.oauth.accessTokenLifetimeSeconds,
                rotation: configuration.oauth.rotatesRefreshTokens ? .replaced(graceSeconds: 0) : .none,
                stream: 0x746f_6b65),
            seed: configuration.seed, time: configuration.time)
        log = RequestLog()
    }

    /// Makes an empty mailbox. Addresses are compared without regard to case.
    public func createMailbox(_ address: String) throws(EmulatorError) {
        let made = mailboxes.withLock { boxes in
            guard boxes[address.lowercased()] == nil else { return false }
            boxes[address.lowercased()] = MailboxBox(
                address: address, Mailbox(address: address, seed: configuration.seed),
                afterChange: changes(of: address))
            return true
        }
        if !made { throw .mailboxExists(address) }
    }

    /// The addresses of all mailboxes, sorted.
    public var addresses: [String] { mailboxes.withLock { $0.values.map(\.address) }.sorted() }

    /// Fills a mailbox with made-up mail that "was there before": it leaves no history.
    public func load(_ generator: MailboxGenerator, into address: String) throws(EmulatorError) {
        try box(address).change { mailbox in
            for label in MailboxGenerator.userLabels where !mailbox.labels.contains(where: { $0.id == label.id }) {
                mailbox.adopt(label)
            }
            for index in 0..<generator.count { mailbox.load(generator.incoming(at: index)) }
        }
    }

    /// A message arrives: it gets an id, a thread and a history record.
    ///
    /// - Parameters:
    ///   - raw: RFC 5322 bytes.
    ///   - notFoundTimes: so often `messages.get` answers 404 first, as happens right after arrival.
    ///   - isConcealed: it arrives unseen (``conceal(_:_:in:)``).
    /// - Returns: its id.
    @discardableResult
    public func deliver(
        _ raw: [UInt8], to address: String, labels: [String] = ["INBOX", "UNREAD"], notFoundTimes: Int = 0,
        isConcealed: Bool = false
    ) throws(EmulatorError) -> String {
        let mail = try IncomingMail(raw: raw, labels: labels, received: configuration.time.now())
        let box = try box(address)
        let id = try box.changeOrThrow { mailbox throws(EmulatorError) in
            try mailbox.checkLabels(labels)
            let id = mailbox.deliver(mail).id
            mailbox.conceal(id, isConcealed)
            return HexID.text(id)
        }
        if notFoundTimes > 0 {
            faults.add(Fault(.gmail(.messagesGet), match: id, times: notFoundTimes, .error(.notFound)))
        }
        return id
    }

    /// Adds and removes labels, by label id.
    public func modify(_ id: String, in address: String, add: [String] = [], remove: [String] = [])
        throws(EmulatorError)
    {
        let number = try number(id)
        let box = try box(address)
        try box.changeOrThrow { mailbox throws(EmulatorError) in
            try mailbox.checkLabels(add + remove)
            _ = try mailbox.modify(number, add: add, remove: remove)
        }
    }

    /// Moves a message to the trash: it loses INBOX and keeps its other labels.
    public func trash(_ id: String, in address: String) throws(EmulatorError) {
        try modify(id, in: address, add: ["TRASH"], remove: ["INBOX"])
    }

    /// Takes a message out of the trash; INBOX does not come back.
    public func untrash(_ id: String, in address: String) throws(EmulatorError) {
        try modify(id, in: address, remove: ["TRASH"])
    }

    /// Leaves a message out of listings and of the history, although it can be read; or lets it be seen again. The
    /// history does not say that anything changed.
    public func conceal(_ id: String, _ isConcealed: Bool = true, in address: String) throws(EmulatorError) {
        let number = try number(id)
        try box(address).change { $0.conceal(number, isConcealed) }
    }

    /// Removes a message for good.
    public func delete(_ id: String, in address: String) throws(EmulatorError) {
        let number = try number(id)
        let box = try box(address)
        try box.changeOrThrow { mailbox throws(EmulatorError) in try mailbox.delete(number) }
    }

    /// - Returns: the new label's id.
    @discardableResult
    public func createLabel(_ name: String, in address: String) throws(EmulatorError) -> String {
        let box = try box(address)
        return try box.changeOrThrow { mailbox throws(EmulatorError) in try mailbox.createLabel(name).id }
    }

    /// Renames a user label. History says nothing of it, as at the provider.
    public func renameLabel(_ id: String, to name: String, in address: String) throws(EmulatorError) {
        let box = try box(address)
        try box.changeOrThrow { mailbox throws(EmulatorError) in try mailbox.renameLabel(id, to: name) }
    }

    /// Deletes a user label, from its messages too.
    public func deleteLabel(_ id: String, in address: String) throws(EmulatorError) {
        let box = try box(address)
        try box.changeOrThrow { mailbox throws(EmulatorError) in try mailbox.deleteLabel(id) }
    }

    /// All labels of a mailbox, the system's among them.
    public func labels(of address: String) throws(EmulatorError) -> [MailboxLabel] { try box(address).read(\.labels) }

    /// Makes history up to this id too old: asking from before it answers 404. Nil takes the whole history and every
    /// cursor given so far.
    public func expireHistory(of address: String, upTo id: UInt64? = nil) throws(EmulatorError) {
        try box(address).change { $0.expireHistory(upTo: id) }
    }

    /// Makes every page token given so far invalid.
    public func expirePageTokens(of address: String) throws(EmulatorError) {
        try box(address).change { $0.expirePageTokens() }
    }

    /// The mailbox's history id.
    public func historyID(of address: String) throws(EmulatorError) -> UInt64 { try box(address).read(\.historyID) }

    /// The ids of all messages, oldest first.
    public func messageIDs(of address: String) throws(EmulatorError) -> [String] {
        try box(address).read(\.order).map(HexID.text)
    }

    /// What a mailbox holds at this moment, by message id. Reads every message: takes its time on a large mailbox.
    public func snapshot(_ address: String) throws(EmulatorError) -> [String: MessageTruth] {
        let messages = try box(address).read(\.messages)
        return Dictionary(uniqueKeysWithValues: messages.values.map { (HexID.text($0.id), $0.truth) })
    }

    /// The bytes of a message as kept.
    public func rawMessage(_ id: String, in address: String) throws(EmulatorError) -> [UInt8] {
        let number = try number(id)
        guard let message = try box(address).read({ $0.messages[number] }) else { throw .noMessage(id) }
        return message.content.bytes
    }

    /// Counters over all requests so far.
    public var stats: RequestStats { log.stats }

    func pause(_ duration: Duration) async {
        guard duration > .zero else { return }
        // Cancelled at shutdown only: then nobody waits for the answer either.
        try? await configuration.time.sleep(for: duration)
    }

    func box(_ address: String) throws(EmulatorError) -> MailboxBox {
        guard let box = mailboxes.withLock({ $0[address.lowercased()] }) else { throw .noMailbox(address) }
        return box
    }

    private func number(_ id: String) throws(EmulatorError) -> UInt64 {
        guard let number = HexID.parse(id) else { throw .noMessage(id) }
        return number
    }
}

extension GoogleEmulator {
    /// Gives a client access to a mailbox, as consent would.
    public func grant(_ address: String, scopes: [String] = [GmailScope.readonly]) throws(EmulatorError) -> TokenGrant {
        _ = try box(address)
        return tokens.grant(address: address, scopes: scopes)
    }

    /// The user withdraws every grant of a mailbox: refresh answers `invalid_grant`, the API 401.
    public func revokeGrant(of address: String) { tokens.revoke(address: address) }

    /// Every access token of a mailbox is over at once; refresh tokens go on.
    public func expireAccessTokens(of address: String) { tokens.expireAccessTokens(address: address) }
}

extension StoredMessage {
    var truth: MessageTruth {
        MessageTruth(
            id: HexID.text(id), threadID: HexID.text(threadID), labels: labels, internalDate: internalDate,
            historyID: historyID, rawSHA256: HexID.text(SHA256.hash(data: content.bytes)))
    }
}
