import Dispatch
import Foundation

/// This program once more, as a process of its own, so that its memory and processor time are its own.
final class ChildProcess: Sendable {
    private let process: Process
    private let input = Pipe()
    private let output = Pipe()

    /// - Throws: when it cannot be started.
    init(_ arguments: [String]) throws {
        process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    /// What it writes until it closes its output.
    func answer<Answer: Decodable>(_ type: Answer.Type) async throws -> Answer {
        let handle = output.fileHandleForReading
        let data = await offPool { handle.readDataToEndOfFile() }
        guard !data.isEmpty else {
            throw BenchmarkFailure("the process for \(process.arguments ?? []) ended without an answer")
        }
        return try JSONDecoder().decode(Answer.self, from: data)
    }

    /// Closes its input, which ends an emulator, and waits for its end.
    func end() async {
        // It may have ended by itself.
        try? input.fileHandleForWriting.close()
        await offPool { [process] in process.waitUntilExit() }
    }

    /// Writes this process's answer for its parent and closes the output.
    static func reply(_ answer: some Encodable) throws {
        let output = FileHandle.standardOutput
        try output.write(contentsOf: JSONEncoder().encode(answer))
        try output.close()
    }

    /// Returns when the parent closed our input, or ended.
    static func parentLetsGo() async {
        _ = await offPool { FileHandle.standardInput.readDataToEndOfFile() }
    }
}

/// Runs what blocks on a thread of Dispatch.
func offPool<R: Sendable>(_ work: @escaping @Sendable () -> R) async -> R {
    await withCheckedContinuation { done in
        DispatchQueue.global().async { done.resume(returning: work()) }
    }
}
