import Foundation

/// The files of a private server, all in one directory that only its owner may read.
struct PrivateServerFiles: Sendable {
    static let user = "mailsync"
    let directory: String

    var config: String { "\(directory)/server.conf" }
    var store: String { "\(directory)/store" }
    var pid: String { "\(directory)/server.pid" }
    var log: String { "\(directory)/server.log" }
    var url: String { "\(directory)/url" }

    /// Makes the directories, mode 0700.
    func prepare() throws(NatsFailure) {
        for path in [directory, store] {
            do {
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            } catch { throw .server("\(path) cannot be made: \(error.localizedDescription)") }
        }
    }

    /// Writes a file that only its owner may read, all of it or nothing.
    func write(_ text: String, to path: String) throws(NatsFailure) {
        let temporary = "\(path).new"
        unlink(temporary)
        let handle = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard handle >= 0 else { throw .server("\(temporary) cannot be written: \(String(cString: strerror(errno)))") }
        let bytes = Array(text.utf8)
        let written = Foundation.write(handle, bytes, bytes.count)
        close(handle)
        guard written == bytes.count, rename(temporary, path) == 0 else {
            throw .server("\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    func read(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map {
            String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    /// The URL a former run wrote, with its password.
    var knownURL: URLComponents? { read(url).flatMap { URLComponents(string: $0) } }

    /// The process that serves this directory, if one runs: the pid file's, if that process was started with our
    /// configuration (a pid may have been given to another program since).
    var runningProcess: pid_t? {
        guard let pid = read(pid).flatMap({ pid_t($0) }), pid > 1, kill(pid, 0) == 0,
            let command = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"),
            command.split(separator: 0).contains(where: { $0.elementsEqual(config.utf8) })
        else { return nil }
        return pid
    }

    /// The configuration. The password stands in it and never in the arguments of a process.
    func configText(
        name: String, port: Int, password: String, version: ServerVersion, syncAlways: Bool
    ) -> String {
        // Before 2.10 the server refuses the key.
        let sync = syncAlways && version >= .durableAcknowledgements ? "\n  sync_interval: always" : ""
        return """
            # Written by mailsync at every start; changes are lost.
            server_name: \(name)
            listen: "127.0.0.1:\(port)"
            max_payload: \(Self.maxPayloadBytes)
            pid_file: \(Self.quoted(pid))
            authorization {
              user: \(Self.user)
              password: "\(password)"
            }
            jetstream {
              store_dir: \(Self.quoted(store))\(sync)
            }

            """
    }

    /// Room for an event of 512 KiB and its headers, and for the answer that carries it in base64.
    static let maxPayloadBytes = 2 * 1024 * 1024

    private static func quoted(_ path: String) -> String {
        "\"" + path.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
    }
}
