import MailModel
import MailStore
import MailSync

@testable import MailAPI

/// A desk that remembers what it was asked.
actor FakeImports: ImportDesk {
    struct Scan: Sendable, Hashable {
        var selection: MailSelection
        var account: AccountKey
        var token: Secret?
    }
    private(set) var scans: [Scan] = []
    private(set) var started: [MailImport] = []
    private(set) var commands: [ImportCommand] = []
    private var answer: ImportScan? = {
        var scan = ImportScan()
        scan.isComplete = true
        scan.messages = 12
        scan.stored = 2
        scan.estimatedSeconds = 3
        return scan
    }()
    private var failure: (any Error)?

    func set(failure: (any Error)?) { self.failure = failure }
    func set(scanFailure: SyncFailure) {
        answer = ImportScan()
        answer?.failure = scanFailure
    }
    func forgetAccounts() { answer = nil }

    func scan(_ selection: MailSelection, of account: AccountKey, atMost limit: Duration) async throws -> ImportScan? {
        scans.append(Scan(selection: selection, account: account))
        return answer
    }

    func scan(
        _ selection: MailSelection, of account: AccountKey, access token: Secret, atMost limit: Duration
    ) async throws -> ImportScan? {
        scans.append(Scan(selection: selection, account: account, token: token))
        return answer
    }

    func start(_ selection: MailSelection, of account: AccountKey, counted: ImportScan?) async throws -> StartedImport?
    {
        if let failure { throw failure }
        let entry = MailImport(
            id: "import\(started.count + 1)", account: account, selection: selection, counted: counted?.figures,
            atMilliseconds: 1_700_000_000_000)
        started.append(entry)
        return StartedImport(id: entry.id, jobID: "job")
    }

    /// Everybody's, to see that the API shows each user only their own.
    func imports(of user: UserID) async throws -> [MailImport] { started }

    func command(_ command: ImportCommand, import id: String, of user: UserID) async throws -> MailImport? {
        commands.append(command)
        // The id of the document's example stands for one that is there.
        let known = started.first { $0.id == id } ?? (id.count == 36 ? example(id, user) : nil)
        guard var entry = known else { return nil }
        entry.state = command == .pause ? .paused : command == .cancel ? .cancelled : .running
        return entry
    }

    private func example(_ id: String, _ user: UserID) -> MailImport {
        MailImport(
            id: id, account: AccountKey(user: user, provider: .google, inbox: .primary), selection: MailSelection(),
            atMilliseconds: 0)
    }
}
