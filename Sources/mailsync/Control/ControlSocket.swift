import Foundation

/// `DATA_DIR/control.sock`: where a running service answers its operator. Only the owner of the data directory can
/// connect: the file is made in a directory of mode 0700 and gets its name when it has mode 0600 and listens.
struct ControlSocket: Sendable {
    static let name = "control.sock"
    /// The name while the socket is made.
    private static let draftName = "socket"

    let directory: String

    var path: String { "\(directory)/\(Self.name)" }
    private var draftDirectory: String { "\(directory)/.control" }

    /// True when a process listens there now.
    func isServed() -> Bool {
        guard let handle = DirectoryHandle(directory) else { return false }
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard var address = sockaddr_un(path: handle.shortPath(of: Self.name)) else { return false }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        // A full queue of connections is somebody's.
        return connected || errno == EAGAIN
    }

    // MARK: for the service, which holds the lock on the directory

    /// Makes the directory to bind in, without anything that an earlier process left.
    ///
    /// - Returns: where to bind; usable for as long as the handle lives.
    func makeDraft() throws -> (path: String, handle: DirectoryHandle) {
        try? FileManager.default.removeItem(atPath: draftDirectory)  // There usually is none.
        guard mkdir(draftDirectory, 0o700) == 0, let handle = DirectoryHandle(draftDirectory) else {
            throw ControlSocketFailure(path: draftDirectory, reason: "cannot be made")
        }
        return (handle.shortPath(of: Self.draftName), handle)
    }

    /// Gives the socket that listens its name, in place of one that an earlier process left.
    func publish() throws {
        let draft = "\(draftDirectory)/\(Self.draftName)"
        guard chmod(draft, 0o600) == 0, rename(draft, path) == 0 else {
            throw ControlSocketFailure(path: path, reason: "cannot be put in place")
        }
        rmdir(draftDirectory)
    }

    /// Nobody answers any more.
    func remove() { unlink(path) }
}

/// The control socket cannot be made. Safe to print.
struct ControlSocketFailure: Error, CustomStringConvertible {
    let path: String
    let description: String

    init(path: String, reason: String) {
        self.path = path
        description = "\(path): \(reason) (\(String(cString: strerror(errno))))"
    }
}

/// An open directory, through which what lies in it has a short name: the address of a socket holds 107 bytes of path.
final class DirectoryHandle: Sendable {
    private static let addressBytesMax = 107

    private let directory: String
    private let descriptor: Int32

    /// nil when it cannot be opened.
    init?(_ directory: String) {
        self.directory = directory
        descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    /// The usual path when it fits; else one that is good in this process for as long as the handle lives.
    func shortPath(of name: String) -> String {
        let path = "\(directory)/\(name)"
        return path.utf8.count <= Self.addressBytesMax ? path : "/proc/self/fd/\(descriptor)/\(name)"
    }
}

extension sockaddr_un {
    /// nil when the path is too long.
    fileprivate init?(path: String) {
        self.init()
        sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: sun_path) else { return nil }
        withUnsafeMutableBytes(of: &sun_path) { $0.copyBytes(from: bytes) }
    }
}
