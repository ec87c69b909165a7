import Foundation

/// Why the data directory cannot be locked.
public enum DataDirectoryLockFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// Another process has it.
    case held(directory: String, pid: Int32?)
    case unusable(directory: String, reason: String)

    public var description: String {
        switch self {
        case .held(let directory, let pid):
            "\(directory) is in use by another mailsync\(pid.map { " (process \($0))" } ?? ""): stop it first, or set "
                + "DATA_DIR to another directory"
        case .unusable(let directory, let reason): "\(directory) cannot be locked: \(reason)"
        }
    }
}

/// The exclusive right to a data directory, for as long as the value lives. The kernel takes it back when the process
/// ends, however it ends; child processes do not inherit it.
public final class DataDirectoryLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock on `directory/lock`, creating directory (0700) and file (0600) when absent.
    ///
    /// - Throws: ``DataDirectoryLockFailure``, ``PrivateFileFailure``.
    public init(directory: String) throws {
        try PrivateFile.makeDirectory(directory)
        descriptor = open("\(directory)/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, PrivateFile.fileMode)
        guard descriptor >= 0 else {
            throw DataDirectoryLockFailure.unusable(directory: directory, reason: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let failure = Self.failure(directory, descriptor, error: errno)
            close(descriptor)
            throw failure
        }
        writePID()
    }

    deinit { close(descriptor) }

    private static func failure(_ directory: String, _ descriptor: Int32, error: Int32) -> DataDirectoryLockFailure {
        guard error == EWOULDBLOCK else {
            return .unusable(directory: directory, reason: String(cString: strerror(error)))
        }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = max(0, pread(descriptor, &bytes, bytes.count, 0))
        let text = String(decoding: bytes.prefix(count), as: UTF8.self)
        return .held(directory: directory, pid: Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    /// For the message of whoever finds the lock held; without it the message names no process.
    private func writePID() {
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.count, 0) }
    }
}
