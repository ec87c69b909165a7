/// Which method a request calls, and on what.
struct GmailRoute: Sendable {
    let method: GmailMethod
    /// `me` or an address.
    let user: String
    /// A message or label id.
    let id: String

    init?(_ request: EmulatorRequest) {
        guard request.path.count >= 5, request.path.starts(with: ["gmail", "v1", "users"]) else { return nil }
        let tail = Array(request.path.dropFirst(4))
        guard let method = Self.method(request.method, tail) else { return nil }
        self.method = method
        user = request.path[3]
        id = tail.count > 1 ? tail[1] : ""
    }

    private static func method(_ verb: String, _ tail: [String]) -> GmailMethod? {
        switch (verb, tail[0], tail.count) {
        case ("GET", "profile", 1): .getProfile
        case ("GET", "messages", 1): .messagesList
        case ("GET", "messages", 2): .messagesGet
        case ("DELETE", "messages", 2): .messagesDelete
        case ("POST", "messages", 2) where tail[1] == "batchModify": .messagesBatchModify
        case ("POST", "messages", 3): action(tail[2])
        case ("GET", "history", 1): .historyList
        case ("GET", "labels", 1): .labelsList
        case ("GET", "labels", 2): .labelsGet
        case ("POST", "watch", 1): .watch
        case ("POST", "stop", 1): .stop
        default: nil
        }
    }

    private static func action(_ name: String) -> GmailMethod? {
        switch name {
        case "modify": .messagesModify
        case "trash": .messagesTrash
        case "untrash": .messagesUntrash
        default: nil
        }
    }
}

extension GmailMethod {
    /// Any of these scopes allows the method (discovery document).
    var scopes: Set<String> {
        switch self {
        case .getProfile, .messagesList, .messagesGet, .historyList, .watch, .stop:
            [GmailScope.metadata, GmailScope.readonly, GmailScope.modify, GmailScope.full]
        case .labelsList, .labelsGet:
            [GmailScope.labels, GmailScope.metadata, GmailScope.readonly, GmailScope.modify, GmailScope.full]
        case .messagesModify, .messagesBatchModify, .messagesTrash, .messagesUntrash:
            [GmailScope.modify, GmailScope.full]
        case .messagesDelete: [GmailScope.full]
        }
    }

    /// Query parameters besides ``commonParameters`` (discovery document).
    var parameters: Set<String> {
        switch self {
        case .messagesList: ["maxResults", "pageToken", "q", "labelIds", "includeSpamTrash"]
        case .messagesGet: ["format", "metadataHeaders"]
        case .historyList: ["startHistoryId", "maxResults", "pageToken", "labelId", "historyTypes"]
        default: []
        }
    }

    /// Query parameters of every method (discovery document).
    static let commonParameters: Set<String> = [
        "alt", "fields", "prettyPrint", "quotaUser", "key", "access_token", "oauth_token", "callback", "uploadType",
        "upload_protocol", "$.xgafv",
    ]

    var schema: FieldSchema {
        switch self {
        case .getProfile: .profile
        case .messagesList: .messageList
        case .messagesGet, .messagesModify, .messagesTrash, .messagesUntrash: .message
        case .historyList: .historyList
        case .labelsList: .labelList
        case .labelsGet: .label
        case .watch: .watch
        case .messagesBatchModify, .messagesDelete, .stop: .empty
        }
    }

    /// The method's name in the details of a scope error.
    var serviceName: String {
        let name =
            switch self {
            case .getProfile: "GetProfile"
            case .messagesList: "ListMessages"
            case .messagesGet: "GetMessage"
            case .messagesModify: "ModifyMessage"
            case .messagesBatchModify: "BatchModifyMessages"
            case .messagesTrash: "TrashMessage"
            case .messagesUntrash: "UntrashMessage"
            case .messagesDelete: "DeleteMessage"
            case .historyList: "ListHistory"
            case .labelsList: "ListLabels"
            case .labelsGet: "GetLabel"
            case .watch: "WatchMailbox"
            case .stop: "StopWatchingMailbox"
            }
        return "caribou.api.proto.MailboxService.\(name)"
    }
}
