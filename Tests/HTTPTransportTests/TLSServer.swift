import Foundation

/// A key and a self-signed certificate for `localhost` and 127.0.0.1, made by `openssl`.
final class SelfSignedCertificate: Sendable {
    private let directory: URL
    var certificate: String { directory.appending(path: "cert.pem").path }
    var key: String { directory.appending(path: "key.pem").path }

    init(names: String = "DNS:localhost,IP:127.0.0.1") throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "mailsync-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        _ = try output(
            of: "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mailsync test",
            "-addext", "subjectAltName=\(names)", "-keyout", key, "-out", certificate)
    }

    // A directory left behind in the temporary one does no harm.
    deinit { try? FileManager.default.removeItem(at: directory) }
}

/// `openssl s_server`: ends the TLS of one connection after the other.
final class TLSServer: Sendable {
    let port: Int
    let plaintextIn: FileHandle
    let plaintextOut: FileHandle
    private let process = Process()
    /// Kept, because the program reads its files in its own time.
    private let certificate: SelfSignedCertificate

    /// Answers HTTP requests with a page about the connection.
    convenience init(_ certificate: SelfSignedCertificate, options: String...) throws {
        try self.init(certificate, arguments: ["-www"] + options)
    }

    /// Negotiates HTTP/2 and hands over what comes and takes what goes as plain bytes.
    convenience init(http2 certificate: SelfSignedCertificate) throws {
        try self.init(certificate, arguments: ["-quiet", "-alpn", "h2"])
    }

    private init(_ certificate: SelfSignedCertificate, arguments: [String]) throws {
        self.certificate = certificate
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate.certificate]
            + ["-key", certificate.key] + arguments
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        plaintextIn = output.fileHandleForReading
        plaintextOut = input.fileHandleForWriting
        try process.run()
        port = try listeningPort(of: process.processIdentifier)
    }

    deinit {
        // Not SIGTERM: a child of a thread of the concurrency pool inherits a mask that blocks it.
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }
}

/// The port of 127.0.0.1 that a process listens on, as soon as the kernel shows one.
private func listeningPort(of process: pid_t) throws -> Int {
    for _ in 0..<500 {
        // A process that has ended has no directory, and a descriptor may close before it is looked at.
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd")) ?? []
        let targets = descriptors.compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/\($0)")
        }
        // Not by Foundation, which stops after one piece of a file that says it is empty.
        let table = String(decoding: try output(of: "cat", "/proc/net/tcp"), as: UTF8.self)
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", targets.contains("socket:[\(fields[9])]") else { continue }
            if let port = Int(fields[1].suffix(4), radix: 16) { return port }
        }
        poll(nil, 0, 20)
    }
    kill(process, SIGKILL)
    throw ProgramFailed(program: "openssl s_server", status: -1)
}
