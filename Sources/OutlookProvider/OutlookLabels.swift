import ProviderClient

/// How folders, states and categories become labels.
///
/// A message carries one label for its folder: the folder's role (`INBOX`, `SENT` …), else the display names from the top of
/// the tree down to it, joined with `/`; inside a name `/` is written `\/` and `\` is written `\\`. Further `UNREAD`,
/// `STARRED` and `IMPORTANT`, and its categories. What would be mistaken for one of these is marked: a path as `folder:…`, a
/// category (also one that is spelled as the message's own folder) as `category:…`.
enum OutlookLabels {
    static let unread = "UNREAD"
    static let starred = "STARRED"
    static let important = "IMPORTANT"

    /// The labels of folders with a role, by Graph's well-known names
    /// (https://learn.microsoft.com/graph/api/resources/mailfolder).
    static let roles = [
        "inbox": "INBOX", "sentitems": "SENT", "archive": "ARCHIVE", "deleteditems": "TRASH", "junkemail": "SPAM",
        "drafts": "DRAFT",
    ]
    private static let reserved = Set(roles.values).union([unread, starred, important])

    static func path(_ names: [String]) -> String {
        let path = names.map(escaped).joined(separator: "/")
        return reserved.contains(path) || path.hasPrefix("folder:") ? "folder:" + path : path
    }

    private static func escaped(_ name: String) -> String {
        printable(name).replacing("\\", with: "\\\\").replacing("/", with: "\\/")
    }

    /// Without control characters.
    static func printable(_ name: String) -> String {
        guard name.unicodeScalars.contains(where: isControl) else { return name }
        return String(String.UnicodeScalarView(name.unicodeScalars.map { isControl($0) ? "\u{fffd}" : $0 }))
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || scalar.value == 0x7f }

    private static let categoryMark = "category:"

    static func category(_ name: String, inFolder folder: String) -> String {
        let name = printable(name)
        let isMistakable = reserved.contains(name) || name == folder || name.hasPrefix(categoryMark)
        return isMistakable ? categoryMark + name : name
    }

    /// Sorted, without repeats.
    static func labels(of message: OutlookWire.Message, inFolder folder: String) -> [String] {
        var labels: Set = [folder]
        if message.isRead == false { labels.insert(unread) }
        if message.flag?.flagStatus?.lowercased() == "flagged" { labels.insert(starred) }
        if message.importance?.lowercased() == "high" { labels.insert(important) }
        for name in message.categories ?? [] where !name.isEmpty { labels.insert(category(name, inFolder: folder)) }
        return labels.sorted()
    }

    /// The labels of a message whose folder was called otherwise before.
    static func renamed(_ labels: [String], from old: [String], to new: String) -> [String] {
        var labels = Set(labels).subtracting(old)
        for name in old where labels.contains(categoryMark + name) && category(name, inFolder: new) == name {
            labels.remove(categoryMark + name)
            labels.insert(name)
        }
        if labels.remove(new) != nil { labels.insert(categoryMark + new) }
        return labels.union([new]).sorted()
    }
}
