import MailModel

/// A mailbox at an emulated provider, in words that fit every provider.
public protocol EmulatedMailbox: Sendable {
    var provider: ProviderKind { get }
    var address: String { get }
    /// Fills it with generated mail.
    func load(_ generator: MailboxGenerator) throws
    /// Fills it with the mail of an mbox file, plain or gzip.
    func load(mbox path: String) async throws
    /// Mail arrives in the inbox, unread.
    ///
    /// - Returns: its id.
    func deliver(_ bytes: [UInt8]) throws -> String
    func setRead(_ id: String, _ isRead: Bool) throws
    func setStarred(_ id: String, _ isStarred: Bool) throws
    /// Moves a message to the trash.
    func trash(_ id: String) throws
    /// Moves a message from the trash to the inbox.
    func restore(_ id: String) throws
    /// Deletes a message for good.
    func delete(_ id: String) throws
    /// Gives a client access, as consent would.
    func grant() throws -> TokenGrant
    /// Every access token is over at once; refresh tokens go on.
    func expireAccessTokens()
    /// The provider forgets every resume point it handed out.
    func expireCursors() throws
    /// The resume points inside listings are forgotten.
    func expirePages() throws
    /// What it holds.
    func messages() throws -> [EmulatedMessage]
}

/// A message as its provider holds it, with the labels that events show.
public struct EmulatedMessage: Sendable, Hashable {
    public var id: String
    public var threadID: String
    /// The provider's date, in Unix seconds.
    public var date: Int64
    /// Sorted.
    public var labels: [String]
    /// Neither spam nor trash nor a draft, nor anything else that is not received.
    public var isInScope: Bool

    public init(id: String, threadID: String, date: Int64, labels: [String], isInScope: Bool) {
        self.id = id
        self.threadID = threadID
        self.date = date
        self.labels = labels
        self.isInScope = isInScope
    }
}

extension ProviderEmulator {
    /// A mailbox that was created before.
    public func mailbox(_ address: String, at provider: ProviderKind) -> any EmulatedMailbox {
        switch provider {
        case .google: GoogleMailbox(google: google, address: address)
        case .microsoft: MicrosoftMailbox(microsoft: microsoft, address: address)
        }
    }

    /// Creates an empty mailbox.
    public func createMailbox(_ address: String, at provider: ProviderKind) throws -> any EmulatedMailbox {
        switch provider {
        case .google: try google.createMailbox(address)
        case .microsoft: try microsoft.createMailbox(address)
        }
        return mailbox(address, at: provider)
    }
}

struct GoogleMailbox: EmulatedMailbox {
    let google: GoogleEmulator
    let address: String
    var provider: ProviderKind { .google }

    func load(_ generator: MailboxGenerator) throws { try google.load(generator, into: address) }
    func load(mbox path: String) async throws { try await google.load(mbox: path, into: address) }
    func deliver(_ bytes: [UInt8]) throws -> String { try google.deliver(bytes, to: address) }
    func setRead(_ id: String, _ isRead: Bool) throws { try set("UNREAD", !isRead, on: id) }
    func setStarred(_ id: String, _ isStarred: Bool) throws { try set("STARRED", isStarred, on: id) }
    func trash(_ id: String) throws { try google.trash(id, in: address) }

    func restore(_ id: String) throws {
        try google.untrash(id, in: address)
        try set("INBOX", true, on: id)
    }

    func delete(_ id: String) throws { try google.delete(id, in: address) }
    func grant() throws -> TokenGrant { try google.grant(address) }
    func expireAccessTokens() { google.expireAccessTokens(of: address) }
    func expireCursors() throws { try google.expireHistory(of: address) }
    func expirePages() throws { try google.expirePageTokens(of: address) }

    func messages() throws -> [EmulatedMessage] {
        let outside: Set = ["SPAM", "TRASH", "DRAFT", "CHAT"]
        return try google.snapshot(address).values.map { message in
            EmulatedMessage(
                id: message.id, threadID: message.threadID, date: message.internalDate, labels: message.labels,
                isInScope: outside.isDisjoint(with: message.labels))
        }
    }

    private func set(_ label: String, _ isThere: Bool, on id: String) throws {
        try google.modify(id, in: address, add: isThere ? [label] : [], remove: isThere ? [] : [label])
    }
}

struct MicrosoftMailbox: EmulatedMailbox {
    let microsoft: MicrosoftEmulator
    let address: String
    var provider: ProviderKind { .microsoft }

    func load(_ generator: MailboxGenerator) throws { try microsoft.load(generator, into: address) }
    func load(mbox path: String) async throws { try await microsoft.load(mbox: path, into: address) }
    func deliver(_ bytes: [UInt8]) throws -> String { try microsoft.deliver(bytes, to: address) }
    func setRead(_ id: String, _ isRead: Bool) throws { try microsoft.setRead(id, isRead, in: address) }

    func setStarred(_ id: String, _ isStarred: Bool) throws {
        try microsoft.setFlag(id, isStarred ? .flagged : .notFlagged, in: address)
    }

    func trash(_ id: String) throws { try microsoft.trash(id, in: address) }
    func restore(_ id: String) throws { try microsoft.move(id, to: "inbox", in: address) }
    func delete(_ id: String) throws { try microsoft.delete(id, in: address) }
    func grant() throws -> TokenGrant { try microsoft.grant(address) }
    func expireAccessTokens() { microsoft.expireAccessTokens(of: address) }
    func expireCursors() throws { try microsoft.expireDelta(of: address) }
    /// Links within a round and at its end are of one kind.
    func expirePages() throws { try microsoft.expireDelta(of: address) }

    func messages() throws -> [EmulatedMessage] {
        let outside = try foldersOutOfScope()
        return try microsoft.snapshot(address).values.filter(\.isInTree).map { message in
            EmulatedMessage(
                id: message.id, threadID: message.conversationID, date: message.receivedAt, labels: message.labels,
                isInScope: !message.isDraft && !outside.contains(message.folderID))
        }
    }

    /// Folders whose mail is not received, and all that lies in them.
    private func foldersOutOfScope() throws -> Set<String> {
        let names: Set = [
            "deleteditems", "junkemail", "drafts", "outbox", "conversationhistory", "syncissues",
            "recoverableitemsdeletions",
        ]
        let folders = try microsoft.folders(of: address)
        var outside = Set(
            folders.filter { $0.isHidden || $0.isSearch || names.contains($0.wellKnownName ?? "") }.map(\.id))
        var known = 0
        while outside.count > known {
            known = outside.count
            outside.formUnion(folders.filter { outside.contains($0.parentID) }.map(\.id))
        }
        return outside
    }
}
