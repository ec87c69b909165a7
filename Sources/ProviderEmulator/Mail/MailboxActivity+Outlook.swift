/// Life in an Outlook mailbox.
extension MailboxActivity {
    /// Makes one change: four in ten are new mail; the others set properties, move, trash or delete a message, and
    /// now and then a folder is made, renamed, moved or removed.
    public mutating func step(_ microsoft: MicrosoftEmulator) throws(EmulatorError) -> Change {
        if random.chance(0.03) { return try changeFolder(microsoft) }
        let choice = random.below(10)
        guard choice >= 4, let id = try microsoft.randomMessage(of: address, &random) else {
            let (mail, isSent) = nextMail(now: microsoft.configuration.time.now())
            return .delivered(try microsoft.deliver(mail, to: address, folder: isSent ? "sentitems" : "inbox"))
        }
        switch choice {
        case 4, 5: return try setProperties(id, microsoft)
        case 6, 7: return try move(id, microsoft)
        case 8:
            try microsoft.trash(id, in: address)
            return .trashed(id)
        default:
            try microsoft.delete(id, in: address)
            return .deleted(id)
        }
    }

    private mutating func setProperties(_ id: String, _ microsoft: MicrosoftEmulator) throws(EmulatorError) -> Change {
        let label = random.pick(["UNREAD", "STARRED", "IMPORTANT", "Blue category"])
        let has = try microsoft.labels(ofMessage: id, in: address).contains(label)
        try microsoft.set(id, in: address) { $0.set(label, !has) }
        return .labelled(id, added: has ? [] : [label], removed: has ? [label] : [])
    }

    private mutating func move(_ id: String, _ microsoft: MicrosoftEmulator) throws(EmulatorError) -> Change {
        let own = try microsoft.ownFolders(of: address).map(\.path)
        let folder = random.pick(["inbox", "inbox", "archive", "junkemail"] + own)
        try microsoft.move(id, to: folder, in: address)
        return .moved(id, folder: folder)
    }

    private mutating func changeFolder(_ microsoft: MicrosoftEmulator) throws(EmulatorError) -> Change {
        let own = try microsoft.ownFolders(of: address)
        let name = "Folder \(random.below(10_000))"
        guard let folder = own.isEmpty ? nil : random.pick(own), own.count > 2 else {
            let parent = own.first?.id ?? "inbox"
            return .folder("made", try microsoft.createFolder(name, in: address, parent: parent))
        }
        switch random.below(4) {
        case 0:
            try microsoft.deleteFolder(folder.id, in: address)
            return .folder("removed", folder.path)
        case 1:
            let isBelowInbox = folder.path.hasPrefix("Inbox/")
            try microsoft.moveFolder(folder.id, to: isBelowInbox ? "msgfolderroot" : "inbox", in: address)
            return .folder("moved", folder.path)
        case 2: return .folder("made", try microsoft.createFolder(name, in: address, parent: folder.id))
        default:
            try microsoft.renameFolder(folder.id, to: name, in: address)
            return .folder("renamed", folder.path)
        }
    }
}

extension OutlookProperties {
    /// Sets or takes off `UNREAD`, `STARRED`, `IMPORTANT` or a category.
    mutating func set(_ label: String, _ isOn: Bool) {
        switch label {
        case "UNREAD": isRead = !isOn
        case "STARRED": flag = isOn ? .flagged : .notFlagged
        case "IMPORTANT": importance = isOn ? .high : .normal
        default:
            categories.removeAll { $0 == label }
            if isOn { categories.append(label) }
        }
    }
}

extension MicrosoftEmulator {
    /// The labels of one message in the terms of mail events, sorted.
    public func labels(ofMessage id: String, in address: String) throws(EmulatorError) -> [String] {
        let truth = try box(address).read { mailbox in mailbox.message(id: id).map { mailbox.labels(of: $0) } }
        guard let truth else { throw .noMessage(id) }
        return truth
    }

    /// Folders that a user made.
    fileprivate func ownFolders(of address: String) throws(EmulatorError) -> [OutlookFolderTruth] {
        try folders(of: address).filter { $0.wellKnownName == nil && !$0.isHidden && !$0.isSearch }
    }

    fileprivate func randomMessage(of address: String, _ random: inout SeededRandom) throws(EmulatorError) -> String? {
        let place = random.next()
        return try box(address).read { mailbox in
            let folders = mailbox.treeFolders
            let count = folders.reduce(0) { $0 + $1.order.count }
            guard count > 0 else { return nil }
            var index = Int(place % UInt64(count))
            for folder in folders {
                if index < folder.order.count { return mailbox.immutableID(folder.order[index].key) }
                index -= folder.order.count
            }
            return nil
        }
    }
}
