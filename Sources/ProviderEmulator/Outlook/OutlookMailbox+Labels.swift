/// Folders, properties and categories in the terms of mail events.
extension OutlookMailbox {
    private static let roles = [
        "inbox": "INBOX", "drafts": "DRAFT", "sentitems": "SENT", "deleteditems": "TRASH", "junkemail": "SPAM",
        "archive": "ARCHIVE",
    ]
    private static let reserved = Set(roles.values).union(["UNREAD", "STARRED", "IMPORTANT"])

    /// The folder's role, or its path. A path that looks like another label is marked.
    func label(of key: Int) -> String {
        if let role = folders[key]?.wellKnownName.flatMap({ Self.roles[$0] }) { return role }
        let path = Self.printable(path(of: key))
        return Self.reserved.contains(path) || path.hasPrefix("folder:") ? "folder:" + path : path
    }

    /// Sorted.
    func labels(of message: OutlookMessage) -> [String] {
        let properties = message.properties
        let folder = label(of: message.folder)
        var labels: Set = [folder]
        for name in properties.categories.map(Self.printable) where !name.isEmpty {
            let isMarked = Self.reserved.contains(name) || name == folder || name.hasPrefix("category:")
            labels.insert(isMarked ? "category:" + name : name)
        }
        if !properties.isRead { labels.insert("UNREAD") }
        if properties.flag == .flagged { labels.insert("STARRED") }
        if properties.importance == .high { labels.insert("IMPORTANT") }
        return labels.sorted()
    }

    /// With U+FFFD for control characters.
    private static func printable(_ name: String) -> String {
        let isControl = { (scalar: Unicode.Scalar) in scalar.value < 0x20 || scalar.value == 0x7f }
        return String(String.UnicodeScalarView(name.unicodeScalars.map { isControl($0) ? "\u{fffd}" : $0 }))
    }
}
