/// The Graph calls the emulator answers.
public enum GraphMethod: String, Sendable, Hashable, CaseIterable {
    case me = "graph.me"
    case foldersList = "graph.mailFolders.list"
    case foldersGet = "graph.mailFolders.get"
    case childFoldersList = "graph.mailFolders.childFolders.list"
    case foldersDelta = "graph.mailFolders.delta"
    case messagesList = "graph.messages.list"
    case messagesDelta = "graph.messages.delta"
    case messagesGet = "graph.messages.get"
    /// Of the whole mailbox, which Graph refuses.
    case mailboxDelta = "graph.mailbox.delta"
    case subscriptionsCreate = "graph.subscriptions.create"
    case subscriptionsList = "graph.subscriptions.list"
    case subscriptionsGet = "graph.subscriptions.get"
    case subscriptionsUpdate = "graph.subscriptions.update"
    case subscriptionsDelete = "graph.subscriptions.delete"
    case subscriptionsReauthorize = "graph.subscriptions.reauthorize"

    /// Calls that no mailbox answers.
    var isOfSubscriptions: Bool { rawValue.hasPrefix("graph.subscriptions.") }
}

/// Which method a request calls, and on what. Segments may be written `name/ID` and `name('ID')`, in any case.
struct GraphRoute: Sendable {
    let method: GraphMethod
    /// `me`, or the user named in the path.
    let user: String
    /// A folder's id or well-known name; nil is the whole mailbox.
    let folder: String?
    let message: String
    var subscription = ""

    init?(_ request: EmulatorRequest) {
        guard request.path.first == "v1.0" else { return nil }
        var path = Self.segments(request.path.dropFirst())[...]
        guard let root = path.popFirst()?.lowercased() else { return nil }
        if root == "subscriptions" {
            guard let method = Self.onSubscriptions(request.method, Array(path)) else { return nil }
            (self.method, user, folder, message, subscription) = (method, "me", nil, "", path.first ?? "")
            return
        }
        guard request.method == "GET" else { return nil }
        switch root {
        case "me": user = "me"
        case "users":
            guard let name = path.popFirst() else { return nil }
            user = name
        default: return nil
        }
        guard let (method, folder, message) = Self.resource(Array(path)) else { return nil }
        self.method = method
        self.folder = folder
        self.message = message
    }

    private static func onSubscriptions(_ method: String, _ path: [String]) -> GraphMethod? {
        switch (method, path.count) {
        case ("POST", 0): .subscriptionsCreate
        case ("GET", 0): .subscriptionsList
        case ("GET", 1): .subscriptionsGet
        case ("PATCH", 1): .subscriptionsUpdate
        case ("DELETE", 1): .subscriptionsDelete
        case ("POST", 2) where path[1].lowercased() == "reauthorize": .subscriptionsReauthorize
        default: nil
        }
    }

    private static func resource(_ path: [String]) -> (GraphMethod, String?, String)? {
        switch (path.first?.lowercased(), path.count) {
        case (nil, _): return (.me, nil, "")
        case ("mailfolders", 1): return (.foldersList, nil, "")
        case ("mailfolders", 2) where path[1] == "delta": return (.foldersDelta, nil, "")
        case ("mailfolders", 2): return (.foldersGet, path[1], "")
        case ("mailfolders", 3...): return below(folder: path[1], Array(path.dropFirst(2)))
        case ("messages", 1): return (.messagesList, nil, "")
        case ("messages", 2) where path[1] == "delta": return (.mailboxDelta, nil, "")
        case ("messages", 2): return (.messagesGet, nil, path[1])
        default: return nil
        }
    }

    private static func below(folder: String, _ path: [String]) -> (GraphMethod, String?, String)? {
        switch (path[0].lowercased(), path.count) {
        case ("childfolders", 1): (.childFoldersList, folder, "")
        case ("messages", 1): (.messagesList, folder, "")
        case ("messages", 2) where path[1] == "delta": (.messagesDelta, folder, "")
        case ("messages", 2): (.messagesGet, folder, path[1])
        default: nil
        }
    }

    /// `name('ID')` becomes two segments; a function's empty parentheses and namespace fall away.
    static func segments(_ path: some Sequence<String>) -> [String] {
        path.flatMap { segment -> [String] in
            if segment.hasSuffix("delta()") { return ["delta"] }
            guard segment.hasSuffix("')"), let open = segment.range(of: "('") else { return [segment] }
            return [String(segment[..<open.lowerBound]), String(segment[open.upperBound...].dropLast(2))]
        }
    }
}
