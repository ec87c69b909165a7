import Foundation

/// `DATA_DIR`: ours alone.
enum DataDirectory {
    /// Creates the directory when absent; readable by its owner only.
    ///
    /// - Throws: ``DataDirectoryUnusable``.
    static func prepare(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw DataDirectoryUnusable(path: path)
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else { throw DataDirectoryUnusable(path: path) }
    }
}

/// The data directory cannot be created or written.
struct DataDirectoryUnusable: Error, CustomStringConvertible {
    let path: String
    var description: String { "DATA_DIR: \(path) cannot be created or written: name a directory that this user owns" }
}
