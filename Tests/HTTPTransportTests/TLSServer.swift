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
        let (socket, port) = try listenOnLoopback()
        close(socket)
        self.port = port
        self.certificate = certificate
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            ["openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-cert", certificate.certificate]
            + ["-key", certificate.key] + arguments
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        plaintextIn = output.fileHandleForReading
        plaintextOut = input.fileHandleForWriting
        try process.run()
        try waitForListener(port: port)
    }

    deinit {
        // Not SIGTERM: a child of a thread of the concurrency pool inherits a mask that blocks it.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

/// Returns when the kernel lists a listening socket on the port of 127.0.0.1.
private func waitForListener(port: Int) throws {
    let address = "0100007F:" + String(format: "%04X", port)
    for _ in 0..<500 {
        let table = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
        let isListening = table.split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 3 && fields[1] == address && fields[3] == "0A"
        }
        if isListening { return }
        poll(nil, 0, 20)
    }
    throw ProgramFailed(program: "openssl s_server", status: -1)
}
