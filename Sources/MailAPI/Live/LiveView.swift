import MailModel
import MailStore

/// How an import stands, for live streams.
public struct LiveImport: Sendable, Hashable {
    public var id: String
    public var account: AccountKey
    /// `scanning`, `running`, `paused` … as `GET /api/import/status` says it.
    public var state: String
    /// False when it has ended or is paused: its figures stay as they are.
    public var isBusy: Bool
    public var listed: Int
    public var done: Int
    public var failed: Int
    public var etaSeconds: Int64?

    public init(
        id: String, account: AccountKey, state: String, isBusy: Bool, listed: Int, done: Int, failed: Int,
        etaSeconds: Int64?
    ) {
        self.id = id
        self.account = account
        self.state = state
        self.isBusy = isBusy
        self.listed = listed
        self.done = done
        self.failed = failed
        self.etaSeconds = etaSeconds
    }
}

/// What a user's accounts and imports are like at one moment.
struct LiveView: Sendable, Hashable {
    var accounts: [AccountReport] = []
    var imports: [LiveImport] = []

    /// Whether figures change from second to second.
    var isBusy: Bool { accounts.contains(where: \.isFilling) || imports.contains(where: \.isBusy) }

    /// Only what the client asked for.
    func filtered(_ query: LiveQuery) -> LiveView {
        LiveView(
            accounts: accounts.filter { query.wants($0.key) }, imports: imports.filter { query.wants($0.account) })
    }

    /// What to say to a client that saw another view, or none.
    func news(since old: LiveView?, user: UserID) -> [LiveMessage] {
        var news: [LiveMessage] = []
        if accounts.map(\.standing) != old?.accounts.map(\.standing) {
            news.append(LiveMessage(event: "status") { $0.userStatus(user, accounts) })
        }
        let before = Dictionary((old?.accounts ?? []).map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        for account in accounts where account.isFilling || before[account.key]?.isFilling == true {
            if account.progress != before[account.key]?.progress { news.append(account.progressMessage) }
        }
        for (index, each) in imports.enumerated() where old?.imports.first(where: { $0.id == each.id }) != each {
            if old != nil || each.isBusy { news.append(imports[index].progressMessage) }
        }
        return news
    }
}

extension AccountReport {
    /// What `status` tells of: how the account is, without its figures.
    fileprivate struct Standing: Hashable {
        var key: AccountKey
        var status: AccountStatus
        var phase: SyncPhase
        var isRunning: Bool
        var waitingFor: String?
    }

    fileprivate struct Progress: Hashable {
        var listed: Int
        var stored: Int
        var etaSeconds: Int64?
    }

    fileprivate var standing: Standing {
        Standing(key: key, status: status, phase: phase, isRunning: isRunning, waitingFor: waitingFor)
    }

    fileprivate var progress: Progress { Progress(listed: listed, stored: stored, etaSeconds: etaSeconds) }

    /// Whether the mailbox is being read for the first time.
    fileprivate var isFilling: Bool { isRunning && phase == .backfill }

    fileprivate var progressMessage: LiveMessage {
        LiveMessage(event: "progress") { json in
            json.field("kind", "backfill")
            json.field("provider", key.provider.apiName)
            json.field("inbox_id", key.inbox.raw)
            json.field("listed", listed)
            json.field("stored", stored)
            json.field("eta_s", etaSeconds)
        }
    }
}

extension LiveImport {
    fileprivate var progressMessage: LiveMessage {
        LiveMessage(event: "progress") { json in
            json.field("kind", "import")
            json.field("import_id", id)
            json.field("provider", account.provider.apiName)
            json.field("inbox_id", account.inbox.raw)
            json.field("state", state)
            json.field("listed", listed)
            json.field("done", done)
            json.field("failed", failed)
            json.field("eta_s", etaSeconds)
        }
    }
}

extension LiveImport {
    /// What the store knows of it.
    public init(_ entry: MailImport) {
        self.init(
            id: entry.id, account: entry.account, state: entry.state.rawValue, isBusy: entry.state.isActive,
            listed: entry.figures.listed, done: entry.figures.done, failed: entry.figures.failed,
            etaSeconds: entry.etaSeconds)
    }
}
