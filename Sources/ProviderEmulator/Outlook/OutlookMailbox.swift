/// One Outlook mailbox: a tree of folders, messages in them, and per folder a log of what came, changed and left. A
/// value: whoever holds it serialises access.
struct OutlookMailbox: Sendable {
    /// Keys of the folders every mailbox has.
    static let rootKey = 0
    let address: String
    /// Makes this mailbox's ids and tokens its own.
    let salt: UInt64
    /// Counts changes.
    private(set) var clock: UInt64 = 0
    private(set) var messages: [Int: OutlookMessage] = [:]
    var folders: [Int: OutlookFolder] = [:]
    var removedFolders: [FolderRemoval] = []
    /// Folder-tree delta tokens from before are too old.
    var folderFloor: UInt64 = 0
    /// Somebody wants to know what happens.
    var isWatched = false
    /// What happened since it was taken last; nothing while nobody wants to know.
    private(set) var news: [OutlookNews] = []
    private var nextKey = 0
    /// Conversation by the hash of a member's Message-ID.
    private var conversations: [UInt64: UInt64] = [:]

    init(address: String, seed: UInt64) {
        self.address = address
        salt = SeededRandom.mix(seed ^ TextHash.of(address.lowercased().utf8))
        makeStandardFolders()
    }

    @discardableResult
    mutating func tick() -> UInt64 {
        clock += 1
        return clock
    }

    mutating func makeKey() -> Int {
        defer { nextKey += 1 }
        return nextKey
    }

    /// A message arrives in a folder.
    @discardableResult
    mutating func add(
        _ mail: IncomingMail, to folder: Int, _ properties: OutlookProperties, isFocused: Bool = true, at now: Int64
    ) -> OutlookMessage {
        let wellKnown = folders[folder]?.wellKnownName
        let key = makeKey()
        let known = mail.references.first { conversations[$0] != nil }.flatMap { conversations[$0] }
        let conversation = known ?? SeededRandom.mix(salt ^ UInt64(key))
        if let id = mail.messageID { conversations[id] = conversation }
        tick()
        let message = OutlookMessage(
            key: key, folder: folder, receivedAt: mail.internalDate, conversation: conversation,
            content: mail.content, isDraft: wellKnown == "drafts",
            isOutgoing: wellKnown == "drafts" || wellKnown == "sentitems" || wellKnown == "outbox",
            isFocused: isFocused, properties: properties, enteredAt: clock, changedAt: clock, modifiedAt: now)
        messages[key] = message
        place(message)
        tell(.created, message)
        tell(.updated, message)
        return message
    }

    /// Moves a message; without effect when it is there already.
    mutating func move(_ key: Int, to folder: Int, at now: Int64) throws(EmulatorError) {
        var message = try message(key)
        guard message.folder != folder else { return }
        take(message)
        tell(.deleted, message)
        tick()
        message.folder = folder
        message.generation += 1
        message.enteredAt = clock
        message.changedAt = clock
        message.modifiedAt = now
        messages[key] = message
        place(message)
        tell(.created, message)
    }

    /// Removes a message for good.
    mutating func delete(_ key: Int) throws(EmulatorError) {
        let message = try message(key)
        take(message)
        tell(.deleted, message)
        messages[key] = nil
    }

    /// What happened since the last call.
    mutating func takeNews() -> [OutlookNews] {
        defer { news = [] }
        return news
    }

    private mutating func tell(_ change: OutlookNews.Change, _ message: OutlookMessage) {
        guard isWatched else { return }
        news.append(OutlookNews(change, message, salt: salt))
    }

    /// Sets what differs; without effect when nothing does.
    mutating func set(_ key: Int, _ properties: OutlookProperties, at now: Int64) throws(EmulatorError) {
        var message = try message(key)
        let before = message.properties
        guard before != properties else { return }
        tick()
        if before.isRead != properties.isRead {
            message.settings.isRead = clock
            folders[message.folder]?.unread += properties.isRead ? -1 : 1
        }
        if before.flag != properties.flag { message.settings.flag = clock }
        if before.importance != properties.importance { message.settings.importance = clock }
        if before.categories != properties.categories { message.settings.categories = clock }
        message.properties = properties
        message.changedAt = clock
        message.modifiedAt = now
        messages[key] = message
        folders[message.folder]?.log.append(.init(clock: clock, message: key, event: .present))
        tell(.updated, message)
    }

    func message(_ key: Int) throws(EmulatorError) -> OutlookMessage {
        guard let message = messages[key] else {
            throw .noMessage(ItemID(key: key, kind: .immutable).text(salt: salt))
        }
        return message
    }

    /// The message of an id of either kind, as long as the id is good.
    func message(id: String) -> OutlookMessage? {
        guard let item = ItemID(id, salt: salt), let message = messages[item.key] else { return nil }
        switch item.kind {
        case .folder: return nil
        case .immutable: return message
        case .mutable(let generation): return message.generation == generation ? message : nil
        }
    }

    private mutating func place(_ message: OutlookMessage) {
        folders[message.folder]?.insert(message.position)
        if !message.properties.isRead { folders[message.folder]?.unread += 1 }
        folders[message.folder]?.log.append(.init(clock: clock, message: message.key, event: .present))
    }

    private mutating func take(_ message: OutlookMessage) {
        tick()
        folders[message.folder]?.remove(message.position)
        if !message.properties.isRead { folders[message.folder]?.unread -= 1 }
        let event = OutlookFolder.LogEntry.Event.left(enteredAt: message.enteredAt, generation: message.generation)
        folders[message.folder]?.log.append(.init(clock: clock, message: message.key, event: event))
    }
}

extension OutlookFolder {
    mutating func insert(_ position: ListPosition) {
        if let last = order.last, last > position {
            order.insert(position, at: index(of: position))
        } else {
            order.append(position)
        }
    }

    mutating func remove(_ position: ListPosition) {
        let index = index(of: position)
        if index < order.count, order[index] == position { order.remove(at: index) }
    }

    /// The first index whose position is not below this one.
    func index(of position: ListPosition) -> Int {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if order[middle] < position { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The first index of the log whose clock is above this one.
    func logIndex(after clock: UInt64) -> Int {
        var low = 0
        var high = log.count
        while low < high {
            let middle = (low + high) / 2
            if log[middle].clock <= clock { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
