/// A line typed at the emulator: what a user, a sender or trouble does to a mailbox.
public enum EmulatorCommand: Sendable, Hashable {
    /// A message arrives.
    case new(subject: String)
    /// Label ids to add and to remove.
    case label(id: String, add: [String], remove: [String])
    case trash(id: String)
    case untrash(id: String)
    case delete(id: String)
    /// Takes UNREAD off.
    case read(id: String)
    /// To a folder, by well-known name or path (Outlook).
    case move(id: String, folder: String)
    /// A label, or a folder by its path (Outlook).
    case createLabel(name: String)
    /// By path; the new name is a name only (Outlook).
    case renameFolder(path: String, name: String)
    /// With all that is in it (Outlook).
    case deleteFolder(path: String)
    /// So many random changes.
    case live(steps: Int)
    case fault(Fault)
    case clearFaults
    case expireHistory
    case expireTokens
    case revoke
    /// Tells the mailbox's subscriptions (Outlook).
    case lifecycle(GraphLifecycleEvent)
    /// Shows the mailbox's subscriptions (Outlook).
    case subscriptions
    case list(count: Int)
    case stats
    case help

    /// Why a line was not understood.
    public struct Invalid: Error, Sendable, Hashable, CustomStringConvertible {
        public let description: String
    }

    /// What can be typed.
    public static let helpText = """
        new [SUBJECT]               a message arrives
        read ID | trash ID | untrash ID | delete ID
        label ID +LABEL -LABEL …    change labels (label ids); in Outlook UNREAD, STARRED, IMPORTANT, categories
        mklabel NAME                make a label; in Outlook a folder, by its path
        move ID FOLDER              Outlook: to a well-known folder (archive) or a path (Inbox/Projects)
        rmfolder PATH               Outlook: remove a folder with all that is in it
        mvfolder PATH=NAME          Outlook: rename a folder
        live [N]                    N random changes
        ls [N]                      the newest N messages
        fault ENDPOINT RESPONSE [match=TEXT] [mailbox=ADDRESS] [times=N|ever] [skip=N]
        fault clear                 end all faults
        expire-history              every history id, or delta link, given so far is too old
        expire-tokens               access tokens end; refreshing works
        revoke                      the user withdraws the grant
        subscriptions               Outlook: who is told of changes
        lifecycle missed | subscriptionRemoved | reauthorizationRequired
                                    Outlook: tells them so, and does it
        stats                       requests, units, faults
        help
        An ID may be shortened to its last digits; "last" is the newest message.
        """

    /// Reads a line. Words are separated by spaces; the subject of `new` may hold some.
    public static func parse(_ line: String) throws(Invalid) -> EmulatorCommand {
        let words = line.split(separator: " ").map(String.init)
        guard let name = words.first else { throw Invalid(description: "nothing was typed; try help") }
        let rest = Array(words.dropFirst())
        switch name {
        case "new": return .new(subject: rest.isEmpty ? "Hello from the emulator" : rest.joined(separator: " "))
        case "read": return .read(id: try id(rest, name))
        case "trash": return .trash(id: try id(rest, name))
        case "untrash": return .untrash(id: try id(rest, name))
        case "delete": return .delete(id: try id(rest, name))
        case "label": return try label(rest)
        case "mklabel" where !rest.isEmpty: return .createLabel(name: rest.joined(separator: " "))
        case "move" where rest.count >= 2:
            return .move(id: rest[0], folder: rest.dropFirst().joined(separator: " "))
        case "rmfolder" where !rest.isEmpty: return .deleteFolder(path: rest.joined(separator: " "))
        case "mvfolder": return try renaming(rest)
        case "live": return .live(steps: try count(rest, name, default: 1))
        case "ls": return .list(count: try count(rest, name, default: 10))
        case "fault": return try fault(rest)
        case "expire-history": return .expireHistory
        case "expire-tokens": return .expireTokens
        case "revoke": return .revoke
        case "subscriptions": return .subscriptions
        case "lifecycle": return try lifecycle(rest)
        case "stats": return .stats
        case "help": return .help
        default: throw Invalid(description: "'\(name)' is not understood; try help")
        }
    }

    private static func id(_ words: [String], _ name: String) throws(Invalid) -> String {
        guard words.count == 1 else { throw Invalid(description: "\(name) takes one message id") }
        return words[0]
    }

    private static func count(_ words: [String], _ name: String, default count: Int) throws(Invalid) -> Int {
        guard let word = words.first else { return count }
        guard words.count == 1, let number = Int(word), (1...100_000).contains(number) else {
            throw Invalid(description: "\(name) takes a number from 1 to 100000")
        }
        return number
    }

    private static func label(_ words: [String]) throws(Invalid) -> EmulatorCommand {
        let changes = words.dropFirst()
        guard let id = words.first, !changes.isEmpty,
            changes.allSatisfy({ ($0.hasPrefix("+") || $0.hasPrefix("-")) && $0.count > 1 })
        else { throw Invalid(description: "label takes an id and changes, as in: label ID +STARRED -UNREAD") }
        return .label(
            id: id, add: changes.filter { $0.hasPrefix("+") }.map { String($0.dropFirst()) },
            remove: changes.filter { $0.hasPrefix("-") }.map { String($0.dropFirst()) })
    }

    private static func lifecycle(_ words: [String]) throws(Invalid) -> EmulatorCommand {
        let event = GraphLifecycleEvent.allCases.first { [$0.rawValue.lowercased()] == words.map { $0.lowercased() } }
        guard let event else {
            let names = GraphLifecycleEvent.allCases.map(\.rawValue)
            throw Invalid(description: "lifecycle takes one of: \(names.joined(separator: ", "))")
        }
        return .lifecycle(event)
    }

    private static func renaming(_ words: [String]) throws(Invalid) -> EmulatorCommand {
        let parts = words.joined(separator: " ").split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw Invalid(description: "mvfolder takes PATH=NAME") }
        return .renameFolder(path: parts[0], name: parts[1])
    }

    private static func fault(_ words: [String]) throws(Invalid) -> EmulatorCommand {
        if words == ["clear"] { return .clearFaults }
        do throws(FaultText.Invalid) {
            return .fault(try FaultText.parse(words))
        } catch {
            throw Invalid(description: error.reason)
        }
    }
}
