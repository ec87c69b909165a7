import Foundation

/// Why a file of ours cannot be used. Safe to print: holds a path and the system's reason, never content.
public struct PrivateFileFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public var path: String
    public var reason: String
    public var description: String { "\(path): \(reason)" }
}

/// Files and directories only their owner may read.
enum PrivateFile {
    static let fileMode: mode_t = 0o600
    static let directoryMode: mode_t = 0o700
    /// Longest content read back; a key or a token fits a hundred times.
    static let textBytesMax = 16 * 1024

    /// Creates a directory and its missing parents with mode 0700. One that exists is left as it is.
    static func makeDirectory(_ path: String) throws(PrivateFileFailure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: Int(directoryMode)])
        } catch {
            throw PrivateFileFailure(path: path, reason: "the directory cannot be created (\(systemReason()))")
        }
    }

    /// Creates the file empty with mode 0600, or takes everybody else's rights from the one that is there.
    ///
    /// - Returns: true when an existing file was open to others.
    @discardableResult
    static func claim(_ path: String) throws(PrivateFileFailure) -> Bool {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, fileMode)
        guard descriptor >= 0 else { throw failure(path, "cannot be opened") }
        defer { close(descriptor) }
        return try restrict(descriptor, path)
    }

    /// Reads the file, or creates it with mode 0600 and the given text. Of two processes that create it at once one
    /// wins, and both read what it wrote.
    static func readOrCreate(
        _ path: String, text: () -> String
    ) throws(PrivateFileFailure) -> (text: String, created: Bool, wasOpenToOthers: Bool) {
        if let (text, open) = try read(path) { return (text, false, open) }
        let created = try create(path, text: text())
        guard let (text, open) = try read(path) else { throw failure(path, "vanished while it was created") }
        return (text, created, open)
    }

    /// The file's text without surrounding white space; nil when there is no file.
    private static func read(_ path: String) throws(PrivateFileFailure) -> (text: String, wasOpenToOthers: Bool)? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(path, "cannot be opened")
        }
        defer { close(descriptor) }
        let wasOpen = try restrict(descriptor, path)
        var bytes = [UInt8](repeating: 0, count: textBytesMax)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw failure(path, "cannot be read") }
        guard let text = String(validating: bytes.prefix(count), as: UTF8.self) else {
            throw PrivateFileFailure(path: path, reason: "is not text")
        }
        return (text.trimmingCharacters(in: .whitespacesAndNewlines), wasOpen)
    }

    /// Writes beside the final name and links it there, so that the name never shows half a file.
    private static func create(_ path: String, text: String) throws(PrivateFileFailure) -> Bool {
        let draft = "\(path).\(UUID().uuidString)"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, fileMode)
        guard descriptor >= 0 else { throw failure(path, "cannot be created") }
        defer { unlink(draft) }
        let bytes = Array((text + "\n").utf8)
        let written = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        close(descriptor)
        guard written else { throw failure(path, "cannot be written") }
        if link(draft, path) != 0 {
            if errno == EEXIST { return false }
            throw failure(path, "cannot be created")
        }
        syncDirectory(of: path)
        return true
    }

    private static func restrict(_ descriptor: Int32, _ path: String) throws(PrivateFileFailure) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path, "cannot be examined") }
        guard status.st_mode & 0o077 != 0 else { return false }
        guard fchmod(descriptor, fileMode) == 0 else {
            throw failure(path, "is readable by others and its mode cannot be set to 0600")
        }
        return true
    }

    /// Makes a new name durable. A directory that cannot be synced (some file systems) is no reason to fail.
    private static func syncDirectory(of path: String) {
        let descriptor = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private static func failure(_ path: String, _ what: String) -> PrivateFileFailure {
        PrivateFileFailure(path: path, reason: "\(what) (\(systemReason()))")
    }

    private static func systemReason() -> String { String(cString: strerror(errno)) }
}
