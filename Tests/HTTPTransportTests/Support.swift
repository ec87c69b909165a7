import Foundation
import HTTPTransport
import Logging
import Testing

/// A transport for the closure, shut down after it.
func withTransport<T>(
    _ configure: (inout HTTPTransport.Configuration) -> Void = { _ in },
    _ use: (HTTPTransport) async throws -> T
) async throws -> T {
    var configuration = HTTPTransport.Configuration()
    configure(&configuration)
    let transport = HTTPTransport(configuration: configuration, logger: Logger(label: "test"))
    do {
        let result = try await use(transport)
        await transport.shutdown()
        return result
    } catch {
        await transport.shutdown()
        throw error
    }
}

/// The transport error the request ends with; records an issue when it ends otherwise.
func failure(_ transport: HTTPTransport, _ request: HTTPRequest) async -> TransportError? {
    do {
        let response = try await transport.send(request)
        Issue.record("answered with \(response.status)")
    } catch let error as TransportError {
        return error
    } catch {
        Issue.record("ended with \(error)")
    }
    return nil
}

extension TransportError {
    var isConnection: Bool { if case .connection = self { true } else { false } }
    var isTimeout: Bool { if case .timeout = self { true } else { false } }
    var isRefused: Bool { if case .refused = self { true } else { false } }
}

/// A program that ended with another status than 0.
struct ProgramFailed: Error { let program: String, status: Int32 }

/// What a program writes to its standard output.
func output(of program: String, _ arguments: String...) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let bytes = Array(pipe.fileHandleForReading.readDataToEndOfFile())
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw ProgramFailed(program: program, status: process.terminationStatus)
    }
    return bytes
}
