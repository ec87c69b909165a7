import MailModel
import MailStore
import MailSync

/// What the API asks of whoever runs imports.
///
/// Every function may throw; the API logs the error and answers 503 or 500, without showing it.
public protocol ImportDesk: Sendable {
    /// Counts what a selection of a connected account holds; takes about `limit` at most.
    ///
    /// - Returns: nil when there is no such account.
    func scan(_ selection: MailSelection, of account: AccountKey, atMost limit: Duration) async throws -> ImportScan?
    /// Counts what a selection of a mailbox holds that its user would connect; nothing is stored, nor the token refreshed.
    ///
    /// - Returns: nil when the provider is not set up.
    func scan(
        _ selection: MailSelection, of account: AccountKey, access token: Secret, atMost limit: Duration
    ) async throws -> ImportScan?
    /// Begins an import.
    ///
    /// - Parameter counted: what a scan has counted already.
    /// - Returns: nil when there is no such account.
    /// - Throws: `ImportLimit`, `CannotImport`.
    func start(_ selection: MailSelection, of account: AccountKey, counted: ImportScan?) async throws -> StartedImport?
    /// The user's imports that are remembered, the newest first.
    func imports(of user: UserID) async throws -> [MailImport]
    /// Pauses, resumes or cancels an import.
    ///
    /// - Returns: the import as it is now; nil when the user has none of this id.
    func command(_ command: ImportCommand, import id: String, of user: UserID) async throws -> MailImport?
}

/// An import that was begun.
public struct StartedImport: Sendable, Hashable {
    public var id: String
    /// The job that shows it; nil where there are no jobs.
    public var jobID: String?

    public init(id: String, jobID: String? = nil) {
        self.id = id
        self.jobID = jobID
    }
}
