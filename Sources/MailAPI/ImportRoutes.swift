import Hummingbird
import MailModel
import MailStore
import MailSync

/// `/api/import/*`: bringing in a chosen part of a mailbox.
struct ImportRoutes: Sendable {
    /// A dry run counts for so long at most.
    static let dryRunMax: Duration = .seconds(10)
    /// An import that begins is counted beforehand for so long at most; it goes on counting by itself.
    private static let startScanMax: Duration = .seconds(3)

    let desk: any ImportDesk
    let time: any TimeSource

    var all: [Route] {
        [
            .user(.post, "/api/import/start", start), .user(.get, "/api/import/status", status),
            .user(.post, "/api/import/pause") { try await command(.pause, $0, $1) },
            .user(.post, "/api/import/resume") { try await command(.resume, $0, $1) },
            .user(.post, "/api/import/cancel") { try await command(.cancel, $0, $1) },
        ]
    }

    @Sendable private func start(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.decode(StartImportBody.self)
        let selection = try body.selection(at: time.now())
        guard body.account.user == user else { throw Self.noAccount }
        let limit = body.isDryRun ? Self.dryRunMax : Self.startScanMax
        guard let scan = try await desk.scan(selection, of: body.account, atMost: limit) else { throw Self.noAccount }
        if body.isDryRun {
            return .json { json in
                json.field("success", true)
                json.field("dry_run", true)
                json.scan(scan, of: body.account.provider)
            }
        }
        if let failure = scan.failure { try refuse(failure, body) }
        guard let started = try await begin(selection, body.account, scan) else { throw Self.noAccount }
        return .json(status: .accepted) { json in
            json.field("success", true)
            json.field("importId", started.id)
            if let job = started.jobID { json.field("jobId", job) }
            json.scan(scan, of: body.account.provider)
        }
    }

    private func begin(
        _ selection: MailSelection, _ account: AccountKey, _ scan: ImportScan
    ) async throws -> StartedImport? {
        do {
            return try await desk.start(selection, of: account, counted: scan)
        } catch let limit as ImportLimit {
            throw APIProblem(.conflict, "too-many-imports", "No further import can be begun", limit.description)
        } catch let refusal as CannotImport {
            throw APIProblem.unavailable("cannot-import", refusal.description, retryAfterSeconds: 60)
        }
    }

    /// What makes the import impossible is said at once; anything else may pass.
    private func refuse(_ failure: SyncFailure, _ body: StartImportBody) throws(APIProblem) {
        switch failure.code {
        case SelectionRefusal.unknownLabel, SelectionRefusal.labelOutOfScope:
            throw .field(body.labelsField, "cannot be imported: \(failure.message)")
        case SelectionRefusal.missingScope: throw .field(body.datesField, "cannot be used: \(failure.message)")
        default: break
        }
    }

    @Sendable private func status(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let id = call.query.first { $0.name == "importId" }?.value
        let imports = try await desk.imports(of: user).filter {
            $0.account.user == user && (id == nil || $0.id == id)
        }
        if id != nil, imports.isEmpty { throw Self.noImport }
        return .json { json in
            json.field("success", true)
            json.key("imports")
            json.array(imports) { json, entry in json.object { $0.mailImport(entry) } }
        }
    }

    private func command(_ command: ImportCommand, _ user: UserID, _ call: Route.Call) async throws -> Response {
        let body = try call.decode(ImportCommandBody.self)
        guard let entry = try await desk.command(command, import: body.id, of: user), entry.account.user == user else {
            throw Self.noImport
        }
        return .json { json in
            json.field("success", true)
            json.key("import")
            json.object { $0.mailImport(entry) }
        }
    }

    private static let noAccount = APIProblem.notFound(
        "no such account of yours is connected; GET /mail/status lists their ids as running_syncs")
    private static let noImport = APIProblem.notFound(
        "you have no such import; GET /api/import/status lists all of them")
}

/// The body of `POST /api/import/start`.
struct StartImportBody: Decodable {
    private static let lastDaysMax: Int64 = 36_500
    private static let labelsMax = 100
    private static let labelBytesMax = 255

    let account: AccountKey
    private let from: UnixSeconds?
    private let until: UnixSeconds?
    private let lastDays: Int64?
    private let labels: [String]
    let isDryRun: Bool
    /// What the labels were given as.
    let labelsField: String

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder)
        guard let account = AccountKey(try fields.text("accountId")) else {
            throw APIProblem.field(
                "accountId", "must be user:inbox:PROVIDER, as running_syncs of GET /mail/status shows")
        }
        self.account = account
        from = try fields.optionalDate("from")
        until = try fields.optionalDate("until")
        lastDays = try fields.optionalInteger("lastDays", in: 1...Self.lastDaysMax)
        isDryRun = try fields.optionalBool("dry_run") ?? false
        let given = try fields.optionalTexts("labels", max: Self.labelsMax, bytesMax: Self.labelBytesMax)
        let folders = try fields.optionalTexts("folders", max: Self.labelsMax, bytesMax: Self.labelBytesMax)
        if given != nil, folders != nil { throw APIProblem.field("folders", "and 'labels' say the same: give one") }
        labels = given ?? folders ?? []
        labelsField = given == nil ? "folders" : "labels"
    }

    /// The field that says since when.
    var datesField: String { lastDays != nil ? "lastDays" : from != nil ? "from" : "until" }

    /// - Throws: ``APIProblem`` 422 when the dates contradict each other.
    func selection(at now: UnixSeconds) throws(APIProblem) -> MailSelection {
        if lastDays != nil, from != nil { throw .field("lastDays", "and 'from' say the same: give one") }
        let from = lastDays.map { now - $0 * 86_400 } ?? from
        if let from, let until, until <= from { throw .field("until", "must be later than the beginning") }
        return MailSelection(from: from, until: until, labels: labels)
    }
}

/// The body of `POST /api/import/pause`, `resume` and `cancel`.
struct ImportCommandBody: Decodable {
    let id: String

    init(from decoder: any Decoder) throws { id = try RequestFields(decoder).text("importId") }
}

extension JSONText {
    /// What a quick scan found.
    mutating func scan(_ scan: ImportScan, of provider: ProviderKind) {
        key("scan")
        object { json in
            json.field("complete", scan.isComplete)
            json.field("messages", scan.messages)
            json.field("stored", scan.stored)
            json.key("labels")
            json.array(scan.labels) { json, label in
                json.object { json in
                    json.field("name", label.name)
                    json.field("messages", label.messages)
                }
            }
            json.field("estimatedSeconds", scan.estimatedSeconds)
            json.field("missingScopes", scan.missingScopes(of: provider))
            json.field("error", scan.failure?.description)
        }
    }

    /// An import as its user sees it. Times are Unix seconds.
    mutating func mailImport(_ entry: MailImport) {
        field("importId", entry.id)
        field("accountId", entry.account.description)
        field("state", entry.state.rawValue)
        field("from", entry.selection.from)
        field("until", entry.selection.until)
        field("labels", entry.selection.labels)
        field("estimated", entry.figures.estimated)
        field("estimatedStored", entry.figures.estimatedKnown)
        field("listed", entry.figures.listed)
        field("done", entry.figures.done)
        field("known", entry.figures.known)
        field("failed", entry.figures.failed)
        field("messagesPerMinute", entry.perSecond.map { Int64(($0 * 60).rounded()) })
        field("etaSeconds", entry.etaSeconds)
        field("secondsActive", entry.secondsActive)
        field("createdAt", entry.createdAt)
        field("startedAt", entry.startedAt)
        field("updatedAt", entry.updatedAt)
        field("finishedAt", entry.finishedAt)
        field("error", entry.error)
        field("errorCode", entry.errorCode)
    }
}

extension ImportScan {
    /// What the user has to grant for it, by the provider's names.
    func missingScopes(of provider: ProviderKind) -> [String] {
        guard let code = failure?.code, code == SelectionRefusal.missingScope || code == "insufficient_scope" else {
            return []
        }
        switch provider {
        case .google: return ["https://www.googleapis.com/auth/gmail.readonly"]
        case .microsoft: return ["Mail.Read"]
        }
    }
}
