import Foundation
import JetStream
import PlainLimits

/// The machine in general terms, and the versions that decide.
struct Machine: Codable, Sendable, Hashable, CustomStringConvertible {
    var cores: Int
    var memoryGiB: Int
    var fileSystem: String
    /// Appending 4 KiB and syncing, median of 50, in milliseconds.
    var syncMilliseconds: Double
    var sqlite: String
    var natsServer: String
    var libnats: String
    var libcurl: String

    var description: String {
        let sync = syncMilliseconds.formatted(decimals: 2)
        return "\(cores) cores, \(memoryGiB) GiB, \(fileSystem) (append + fsync \(sync) ms), SQLite \(sqlite), "
            + "nats-server \(natsServer), libnats \(libnats), libcurl \(libcurl)"
    }
}

extension Machine {
    /// - Parameter directory: where the files of the measurements go.
    /// - Throws: when its disk cannot be measured.
    init(directory: String, server: NatsServerBinary) throws {
        cores = ProcessInfo.processInfo.activeProcessorCount
        memoryGiB = Int((ProcessInfo.processInfo.physicalMemory + (1 << 29)) >> 30)
        fileSystem = Self.fileSystem(of: directory)
        syncMilliseconds = try Self.measureSync(directory)
        sqlite = String(cString: plain_sqlite_version())
        natsServer = "\(server.version)"
        libnats = String(cString: plain_nats_version())
        libcurl = String(cString: plain_curl_version())
    }

    /// The type of the mount that holds the directory.
    private static func fileSystem(of directory: String) -> String {
        let path = URL(filePath: directory).resolvingSymlinksInPath().path
        // Without the list of mounts the type stays unknown: it is only shown.
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        var best = (length: 0, type: "unknown file system")
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2 else { continue }
            let mount = fields[1] == "/" ? "/" : fields[1] + "/"
            if (path + "/").hasPrefix(mount), mount.count >= best.length { best = (mount.count, String(fields[2])) }
        }
        return best.type
    }

    private static func measureSync(_ directory: String) throws -> Double {
        let path = directory + "/sync-probe"
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw BenchmarkFailure("\(path) cannot be written") }
        defer {
            close(file)
            unlink(path)
        }
        let block = [UInt8](repeating: 7, count: 4096)
        let clock = ContinuousClock()
        return try median(
            (0..<50).map { _ in
                let began = clock.now
                guard write(file, block, block.count) == block.count, fsync(file) == 0 else {
                    throw BenchmarkFailure("\(path) cannot be written")
                }
                return (clock.now - began) / .milliseconds(1)
            })
    }
}

/// Why nothing could be measured.
struct BenchmarkFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension Double {
    /// In plain decimal notation.
    func formatted(decimals: Int) -> String { String(format: "%.\(decimals)f", self) }
}
