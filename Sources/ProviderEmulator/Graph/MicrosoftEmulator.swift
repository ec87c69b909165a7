import Crypto
import MailModel
import Synchronization

/// Microsoft as the service sees it: mailboxes behind Graph, and the grants that open them. All methods may be called
/// from anywhere, also while requests are being answered.
///
/// A folder is named by its well-known name (`inbox`), its id, or its path of display names (`Inbox/Projects`); a
/// message by its id of either kind.
public final class MicrosoftEmulator: Sendable {
    /// What a client needs to read mail for long.
    public static let readScopes = [
        "https://graph.microsoft.com/Mail.Read", "https://graph.microsoft.com/User.Read", "offline_access",
    ]
    static let refreshPrefix = "0.AXoA"
    /// What strikes requests.
    public let faults: FaultRegistry
    /// Access and refresh tokens.
    let tokens: TokenTable
    let log: RequestLog
    let configuration: EmulatorConfiguration
    /// Who is told of changes.
    let subscriptions: GraphSubscriptions
    private let mailboxes = Mutex<[String: OutlookMailboxBox]>([:])

    init(_ configuration: EmulatorConfiguration, courier: PushCourier) {
        self.configuration = configuration
        subscriptions = GraphSubscriptions(configuration, courier: courier)
        faults = FaultRegistry(configuration.microsoft.faults)
        tokens = TokenTable(
            TokenPolicy(
                accessPrefix: "EwB4A8l6BAAU", refreshPrefix: Self.refreshPrefix,
                lifetime: configuration.microsoft.accessTokenLifetimeSeconds,
                rotation: .replaced(graceSeconds: configuration.microsoft.usedRefreshTokenLifetimeSeconds),
                stream: 0x6d73_746f),
            seed: configuration.seed, time: configuration.time)
        log = RequestLog()
    }

    /// Makes a mailbox with the folders every mailbox has. Addresses are compared without regard to case.
    public func createMailbox(_ address: String) throws(EmulatorError) {
        let made = mailboxes.withLock { boxes in
            guard boxes[address.lowercased()] == nil else { return false }
            boxes[address.lowercased()] = OutlookMailboxBox(
                address: address, OutlookMailbox(address: address, seed: configuration.seed))
            return true
        }
        if !made { throw .mailboxExists(address) }
    }

    /// The addresses of all mailboxes, sorted.
    public var addresses: [String] { mailboxes.withLock { $0.values.map(\.address) }.sorted() }

    /// Fills a mailbox with made-up mail. Gmail's labels become folders, read state, flags, importance and categories.
    public func load(_ generator: MailboxGenerator, into address: String) throws(EmulatorError) {
        let now = configuration.time.now()
        try mutate(address) { mailbox throws(EmulatorError) in
            for index in 0..<generator.count {
                let mail = generator.incoming(at: index)
                let place = OutlookPlacement(labels: mail.labels)
                let folder = try mailbox.folderMade(place.folder)
                mailbox.add(mail, to: folder, place.properties, isFocused: place.isFocused, at: now)
            }
        }
    }

    /// A message arrives in a folder.
    ///
    /// - Parameters:
    ///   - raw: RFC 5322 bytes.
    ///   - notFoundTimes: so often `messages/{id}` answers 404 first, as happens right after arrival.
    /// - Returns: its immutable id.
    @discardableResult
    public func deliver(
        _ raw: [UInt8], to address: String, folder: String = "inbox", _ properties: OutlookProperties = .init(),
        notFoundTimes: Int = 0
    ) throws(EmulatorError) -> String {
        let now = configuration.time.now()
        let mail = try IncomingMail(raw: raw, labels: [], received: now)
        let id = try mutate(address) { mailbox throws(EmulatorError) in
            let key = try mailbox.mailFolder(folder).key
            return mailbox.immutableID(mailbox.add(mail, to: key, properties, at: now).key)
        }
        if notFoundTimes > 0 {
            faults.add(Fault(.graph(.messagesGet), match: id, times: notFoundTimes, .graphError(.itemNotFound)))
        }
        return id
    }

    /// Moves a message to another folder; `recoverableitemsdeletions` is where a user no longer sees it.
    public func move(_ id: String, to folder: String, in address: String) throws(EmulatorError) {
        let now = configuration.time.now()
        try change(id, in: address) { mailbox, key throws(EmulatorError) in
            try mailbox.move(key, to: try mailbox.mailFolder(folder).key, at: now)
        }
    }

    /// Deletes as a user does: the message moves to Deleted Items.
    public func trash(_ id: String, in address: String) throws(EmulatorError) {
        try move(id, to: "deleteditems", in: address)
    }

    /// Removes a message for good.
    public func delete(_ id: String, in address: String) throws(EmulatorError) {
        try change(id, in: address) { mailbox, key throws(EmulatorError) in try mailbox.delete(key) }
    }

    /// Marks a message as read or unread.
    public func setRead(_ id: String, _ isRead: Bool, in address: String) throws(EmulatorError) {
        try set(id, in: address) { $0.isRead = isRead }
    }

    /// Flags a message, marks it as done, or takes the flag off.
    public func setFlag(_ id: String, _ flag: OutlookProperties.Flag, in address: String) throws(EmulatorError) {
        try set(id, in: address) { $0.flag = flag }
    }

    /// Sets how important a message is; `high` is what counts as important.
    public func setImportance(_ id: String, _ importance: OutlookProperties.Importance, in address: String)
        throws(EmulatorError)
    {
        try set(id, in: address) { $0.importance = importance }
    }

    /// Replaces the categories of a message.
    public func setCategories(_ id: String, _ categories: [String], in address: String) throws(EmulatorError) {
        try set(id, in: address) { $0.categories = categories }
    }

    /// Changes several properties at once: one change as delta sees it.
    public func set(
        _ id: String, in address: String, _ body: (inout OutlookProperties) -> Void
    ) throws(EmulatorError) {
        let now = configuration.time.now()
        try change(id, in: address) { mailbox, key throws(EmulatorError) in
            var properties = try mailbox.message(key).properties
            body(&properties)
            try mailbox.set(key, properties, at: now)
        }
    }

    /// The immutable ids of all messages in the tree, oldest first.
    public func messageIDs(of address: String) throws(EmulatorError) -> [String] {
        try box(address).read { mailbox in
            mailbox.positions.map { mailbox.immutableID($0.key) }
        }
    }

    /// What a mailbox holds at this moment, by immutable id, also what is outside the tree. Reads every message: takes
    /// its time on a large mailbox.
    public func snapshot(_ address: String) throws(EmulatorError) -> [String: OutlookMessageTruth] {
        let mailbox = try box(address).read { $0 }
        return Dictionary(
            uniqueKeysWithValues: mailbox.messages.values.map { (mailbox.immutableID($0.key), mailbox.truth($0)) })
    }

    /// The bytes of a message as kept.
    public func rawMessage(_ id: String, in address: String) throws(EmulatorError) -> [UInt8] {
        guard let message = try box(address).read({ $0.message(id: id) }) else { throw .noMessage(id) }
        return message.content.bytes
    }

    /// Counters over all requests so far.
    public var stats: RequestStats { log.stats }

    func pause(_ duration: Duration) async {
        guard duration > .zero else { return }
        // Cancelled at shutdown only: then nobody waits for the answer either.
        try? await configuration.time.sleep(for: duration)
    }

    func box(_ address: String) throws(EmulatorError) -> OutlookMailboxBox {
        guard let box = mailboxes.withLock({ $0[address.lowercased()] }) else { throw .noMailbox(address) }
        return box
    }

    /// Changes a mailbox and tells who wants to know.
    @discardableResult
    func mutate<Value: Sendable>(
        _ address: String, _ body: (inout OutlookMailbox) throws(EmulatorError) -> Value
    ) throws(EmulatorError) -> Value {
        let box = try box(address)
        let (value, news) = try box.changeOrThrow { mailbox throws(EmulatorError) in
            (try body(&mailbox), mailbox.takeNews())
        }
        subscriptions.announce(news, in: address)
        return value
    }

    private func change(
        _ id: String, in address: String, _ body: (inout OutlookMailbox, Int) throws(EmulatorError) -> Void
    ) throws(EmulatorError) {
        try mutate(address) { mailbox throws(EmulatorError) in
            guard let message = mailbox.message(id: id) else { throw .noMessage(id) }
            try body(&mailbox, message.key)
        }
    }
}

extension OutlookMailbox {
    func immutableID(_ key: Int) -> String { ItemID(key: key, kind: .immutable).text(salt: salt) }

    /// A folder that can hold messages.
    func mailFolder(_ name: String) throws(EmulatorError) -> OutlookFolder {
        guard let folder = folder(name), !folder.isSearch else { throw .noFolder(name) }
        return folder
    }

    /// The key of a folder by well-known name, id or path; what is missing of the path is made.
    mutating func folderMade(_ name: String) throws(EmulatorError) -> Int {
        if let folder = folder(name) { return folder.key }
        var parent = Self.rootKey
        for part in name.split(separator: "/").map(String.init) {
            if let known = children(of: parent).first(where: { $0.name == part }) {
                parent = known.key
            } else {
                parent = try createFolder(part, in: parent, isHidden: false)
            }
        }
        return parent
    }

    func truth(_ message: OutlookMessage) -> OutlookMessageTruth {
        OutlookMessageTruth(
            id: immutableID(message.key), conversationID: GraphMessage.conversationID(message, salt),
            folderID: id(ofFolder: message.folder), folder: label(of: message.folder),
            isInTree: isInTree(message.folder), isDraft: message.isDraft, labels: labels(of: message),
            receivedAt: message.receivedAt,
            properties: message.properties, rawSHA256: HexID.text(SHA256.hash(data: message.content.bytes)))
    }
}

/// Where a message with Gmail's labels would be in Outlook.
struct OutlookPlacement {
    let folder: String
    let properties: OutlookProperties
    let isFocused: Bool

    init(labels: [String]) {
        let own = MailboxGenerator.userLabels.filter { labels.contains($0.id) }.map(\.name)
        folder =
            if labels.contains("SPAM") {
                "junkemail"
            } else if labels.contains("TRASH") {
                "deleteditems"
            } else if labels.contains("DRAFT") {
                "drafts"
            } else if labels.contains("SENT") {
                "sentitems"
            } else if labels.contains("INBOX") {
                "inbox"
            } else {
                own.first ?? "archive"
            }
        properties = OutlookProperties(
            isRead: !labels.contains("UNREAD"), flag: labels.contains("STARRED") ? .flagged : .notFlagged,
            importance: labels.contains("IMPORTANT") ? .high : .normal,
            categories: labels.contains("INBOX") ? own : [])
        isFocused = !labels.contains { $0 == "CATEGORY_PROMOTIONS" || $0 == "CATEGORY_SOCIAL" }
    }
}
