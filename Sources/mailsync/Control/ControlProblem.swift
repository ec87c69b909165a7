import Accounts
import JetStream
import MailModel
import MailStore
import MailSync

/// Why a command could not be carried out, for the operator: what happened, to what, what to do. Nothing in it is
/// secret.
struct ControlProblem: Error, Codable, Sendable, Equatable, CustomStringConvertible {
    let message: String
    var description: String { message }

    init(message: String) { self.message = message }

    /// - Parameter error: shown as it is when its type is known to hold nothing secret, else by the name of its type.
    init(_ error: any Error) {
        switch error {
        case let problem as ControlProblem: self = problem
        case is CancellationError: message = "it was cancelled before its end"
        case is StoreFailure, is SyncFailure, is AccountDatabaseFailure, is SealError, is PrivateFileFailure,
            is NatsFailure, is PublisherUnavailable, is IdentifierError, is DataDirectoryLockFailure,
            is DataDirectoryUnusable, is ConfigurationProblems, is CannotCompare:
            message = "\(error)"
        default: message = "an unexpected error of type \(type(of: error))"
        }
    }
}
