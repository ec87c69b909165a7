import GRDB
import MailModel

/// Why a store could not do what it was asked to. The description is safe to print: it never contains mail content,
/// statement arguments or tokens.
public enum StoreFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file was written by a newer version of this program.
    case fileFromTheFuture(path: String, version: Int, supported: Int)
    /// The file is a database, but not one of ours.
    case notAStore(path: String)
    /// Another process has written to the file since it was opened here.
    case ownedElsewhere(path: String)
    /// The file is damaged, or reading or writing it failed. The user is quarantined: the file is closed and not
    /// opened again until the program restarts.
    case corrupt(path: String, detail: String)
    /// No space left. Nothing of the transaction was kept; the store works again when there is space.
    case diskFull(path: String)
    /// Another process holds a lock on the file (a `sqlite3` shell that writes?). Trying again helps.
    case busy(path: String)
    /// The file or its directory cannot be opened or created.
    case unavailable(path: String, detail: String)
    /// The account is not followed in this store.
    case unknownAccount(AccountKey)
    /// A stored value is not one that this program writes.
    case unreadable(String)
    /// The program shuts down; no store is opened any more.
    case closed

    public var description: String {
        switch self {
        case .fileFromTheFuture(let path, let version, let supported):
            "\(path) has schema version \(version), this program knows up to \(supported): start the newer program"
        case .notAStore(let path):
            "\(path) is a database of another program: move it away"
        case .ownedElsewhere(let path):
            "\(path) was written by another process since it was opened: only one service may use a data directory"
        case .corrupt(let path, let detail):
            "\(path) is damaged or unreadable (\(detail)): this user is stopped; check the disk, restore or rebuild "
                + "the file, then restart"
        case .diskFull(let path):
            "no space left to write \(path): free space on the disk; nothing is lost, the work is tried again"
        case .busy(let path):
            "\(path) is locked by another process: close whatever writes to it"
        case .unavailable(let path, let detail):
            "\(path) cannot be used (\(detail)): check the path, its owner and its mode"
        case .unknownAccount(let key):
            "the account \(key) is not in its user's store: connect it first"
        case .unreadable(let what):
            "a stored value cannot be read: \(what)"
        case .closed:
            "the stores are closed: the program shuts down"
        }
    }

    /// True when the file must not be touched again by this process.
    var quarantines: Bool {
        if case .corrupt = self { true } else { false }
    }
}

extension StoreFailure {
    /// The one place where SQLite's errors become ours. Errors that are not SQLite's are returned as they are.
    static func mapped(_ error: any Error, path: String) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        let detail = "SQLite \(error.extendedResultCode.rawValue)"
        // Growing the -shm file reports a full disk as an I/O error.
        if error.extendedResultCode == .SQLITE_IOERR_SHMSIZE { return StoreFailure.diskFull(path: path) }
        switch error.resultCode {
        case .SQLITE_FULL: return StoreFailure.diskFull(path: path)
        case .SQLITE_BUSY, .SQLITE_LOCKED: return StoreFailure.busy(path: path)
        case .SQLITE_INTERRUPT, .SQLITE_ABORT: return CancellationError()
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_IOERR: return StoreFailure.corrupt(path: path, detail: detail)
        default: return StoreFailure.unavailable(path: path, detail: "\(detail): \(error.message ?? "no message")")
        }
    }
}
