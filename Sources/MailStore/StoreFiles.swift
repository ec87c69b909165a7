import Foundation
import MailModel

/// The layout of `DATA_DIR/users`: one directory per user, named by the encoded id, with `events.db` in it. All
/// functions block.
struct StoreFiles: Sendable {
    let directory: String

    static let databaseName = "events.db"
    /// Users with unpublished events whose file was closed; a dot never occurs in an encoded id.
    private static let unpublishedName = ".unpublished"

    func path(of user: UserID) -> String { "\(directory)/\(user.encoded)/\(Self.databaseName)" }

    func exists(_ user: UserID) -> Bool { access(path(of: user), F_OK) == 0 }

    /// True when the file was not closed properly: a clean close removes the `-wal`.
    func isDirty(_ user: UserID) -> Bool {
        var status = stat()
        return stat("\(path(of: user))-wal", &status) == 0 && status.st_size > 0
    }

    /// Makes the user's directory (0700) and an empty file (0600), each durable, where they are missing. SQLite gives
    /// `-wal` and `-shm` the mode of the file itself.
    ///
    /// - Throws: ``StoreFailure/unavailable(path:detail:)``.
    func create(_ user: UserID) throws {
        try makeDirectory(directory)
        let home = "\(directory)/\(user.encoded)"
        try makeDirectory(home)
        try secure(path(of: user), home: home)
    }

    private func secure(_ path: String, home: String) throws {
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
            try Self.sync(home)
        } else if errno != EEXIST {
            throw Self.failure(path, "create")
        } else if chmod(path, 0o600) != 0 {
            throw Self.failure(path, "set the mode of")
        }
    }

    private func makeDirectory(_ path: String) throws {
        if mkdir(path, 0o700) == 0 { return try Self.sync((path as NSString).deletingLastPathComponent) }
        guard errno == ENOENT || errno == EEXIST else { throw Self.failure(path, "create") }
        if errno == ENOENT {
            try makeDirectory((path as NSString).deletingLastPathComponent)
            try makeDirectory(path)
        }
    }

    /// Renames the file, with what belongs to it, durably.
    ///
    /// - Returns: the new path; nil when there is no file.
    func setAside(_ user: UserID, suffix: String) throws -> String? {
        let path = path(of: user)
        guard exists(user) else { return nil }
        // The file last: while it is there, its log belongs to it.
        for part in ["-shm", "-wal", ""] where access(path + part, F_OK) == 0 {
            guard rename(path + part, path + suffix + part) == 0 else { throw Self.failure(path + part, "rename") }
        }
        try Self.sync((path as NSString).deletingLastPathComponent)
        return path + suffix
    }

    /// Removes files that were moved aside.
    func removeSetAside(_ user: UserID, mark: String) throws -> [String] {
        let home = (path(of: user) as NSString).deletingLastPathComponent
        guard access(home, F_OK) == 0 else { return [] }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: home) else {
            throw Self.failure(home, "list")
        }
        let paths = names.filter { $0.hasPrefix(Self.databaseName + mark) }.map { "\(home)/\($0)" }
        for path in paths {
            guard unlink(path) == 0 || errno == ENOENT else { throw Self.failure(path, "remove") }
        }
        return paths
    }

    /// The users that have a store, in no particular order.
    func users() throws -> [UserID] {
        guard access(directory, F_OK) == 0 else { return [] }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
            throw Self.failure(directory, "list")
        }
        // Other names are not ours: `.unpublished`, and what an operator may have put there.
        return names.compactMap { try? UserID(encoded: $0) }.filter { exists($0) }
    }
}

/// The list of users with unpublished events, for the next start.
extension StoreFiles {
    private var listPath: String { "\(directory)/\(Self.unpublishedName)" }

    func unpublished() throws -> Set<UserID> {
        guard access(listPath, F_OK) == 0 else { return [] }
        guard let text = try? String(contentsOfFile: listPath, encoding: .utf8) else {
            throw Self.failure(listPath, "read")
        }
        // A line that was cut short by a crash belongs to a user who still has a `-wal`.
        return Set(text.split(separator: "\n").compactMap { try? UserID(encoded: String($0)) })
    }

    /// Adds a user to the list, durably.
    func addUnpublished(_ user: UserID) throws {
        try write("\(user.encoded)\n", to: listPath, flags: O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC)
    }

    /// Replaces the list, atomically and durably.
    func saveUnpublished(_ users: Set<UserID>) throws {
        try makeDirectory(directory)
        let draft = listPath + ".new"
        let text = users.map { "\($0.encoded)\n" }.sorted().joined()
        try write(text, to: draft, flags: O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard rename(draft, listPath) == 0 else { throw Self.failure(listPath, "replace") }
        try Self.sync(directory)
    }

    private func write(_ text: String, to path: String, flags: Int32) throws {
        let descriptor = open(path, flags, 0o600)
        guard descriptor >= 0 else { throw Self.failure(path, "open") }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { throw Self.failure(path, "write") }
            rest = rest.dropFirst(written)
        }
        guard fsync(descriptor) == 0 else { throw Self.failure(path, "sync") }
    }

    private static func sync(_ directory: String) throws {
        let descriptor = open(directory.isEmpty ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(directory, "open") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(directory, "sync") }
    }

    private static func failure(_ path: String, _ verb: String) -> StoreFailure {
        let code = errno
        if code == ENOSPC { return .diskFull(path: path) }
        return .unavailable(path: path, detail: "cannot \(verb) it: \(String(cString: strerror(code)))")
    }
}
