import Foundation

/// A nats-server program on this machine.
public struct NatsServerBinary: Sendable, Hashable {
    public var path: String
    public var version: ServerVersion

    /// Asks the program for its version; nil when it is not a nats-server that runs here.
    public init?(path: String) {
        guard access(path, X_OK) == 0, let text = ChildProcess.output(path, ["--version"]),
            let word = text.split(whereSeparator: \.isWhitespace).last, let version = ServerVersion(word)
        else { return nil }
        self.path = path
        self.version = version
    }

    /// The program to use: what `NATS_SERVER` names, else the newest one found.
    ///
    /// - Throws: ``NatsFailure/server(_:)`` when `NATS_SERVER` names none or none is found.
    public static func newest(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(NatsFailure) -> NatsServerBinary {
        if let named = environment["NATS_SERVER"] {
            guard let binary = NatsServerBinary(path: named) else {
                throw .server("NATS_SERVER is \(named), which is not a nats-server that can be run")
            }
            return binary
        }
        guard let newest = installed(environment: environment).max(by: { $0.version < $1.version }) else {
            throw .server(
                "no nats-server found: install one (make demo does), or name it in NATS_SERVER, or set NATS_URL")
        }
        return newest
    }

    /// All programs found: `.tools/nats-server-*/nats-server` under the working directory and beside or above the
    /// executable, and those on `PATH`.
    public static func installed(environment: [String: String]) -> [NatsServerBinary] {
        let paths = toolDirectories().flatMap(tools(in:)) + onPath(environment["PATH"] ?? "")
        var seen: Set<String> = []
        return paths.filter { seen.insert(URL(filePath: $0).resolvingSymlinksInPath().path).inserted }
            .compactMap { NatsServerBinary(path: $0) }
    }

    private static func toolDirectories() -> [String] {
        var directories = [FileManager.default.currentDirectoryPath]
        var above = URL(filePath: CommandLine.arguments.first ?? "").resolvingSymlinksInPath()
        while above.pathComponents.count > 1 {
            above.deleteLastPathComponent()
            directories.append(above.path)
        }
        return directories
    }

    private static func tools(in directory: String) -> [String] {
        let tools = "\(directory)/.tools"
        // A directory that is not there has no tools.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: tools)) ?? []
        return names.filter { $0.hasPrefix("nats-server-") }.map { "\(tools)/\($0)/nats-server" }
    }

    private static func onPath(_ path: String) -> [String] {
        (path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/bin", "/usr/local/bin"])
            .map { "\($0)/nats-server" }
    }
}
