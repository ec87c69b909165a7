/// The Gmail methods the emulator answers, by the ids of the discovery document.
public enum GmailMethod: String, Sendable, Hashable, CaseIterable {
    case getProfile = "gmail.users.getProfile"
    case messagesList = "gmail.users.messages.list"
    case messagesGet = "gmail.users.messages.get"
    case messagesModify = "gmail.users.messages.modify"
    case messagesBatchModify = "gmail.users.messages.batchModify"
    case messagesTrash = "gmail.users.messages.trash"
    case messagesUntrash = "gmail.users.messages.untrash"
    case messagesDelete = "gmail.users.messages.delete"
    case historyList = "gmail.users.history.list"
    case labelsList = "gmail.users.labels.list"
    case labelsGet = "gmail.users.labels.get"
    case watch = "gmail.users.watch"
    case stop = "gmail.users.stop"

    /// Units per call, from Google's table of 2026.
    public static let costs2026: [GmailMethod: Int] = [
        .getProfile: 1, .messagesList: 5, .messagesGet: 20, .messagesModify: 5, .messagesBatchModify: 50,
        .messagesTrash: 20, .messagesUntrash: 20, .messagesDelete: 10, .historyList: 2, .labelsList: 1, .labelsGet: 1,
        .watch: 100, .stop: 50,
    ]
}

/// The OAuth scopes that matter here.
public enum GmailScope {
    public static let metadata = "https://www.googleapis.com/auth/gmail.metadata"
    public static let readonly = "https://www.googleapis.com/auth/gmail.readonly"
    public static let modify = "https://www.googleapis.com/auth/gmail.modify"
    public static let labels = "https://www.googleapis.com/auth/gmail.labels"
    public static let full = "https://mail.google.com/"
}
