import Foundation
import Logging
import PlainLimits

/// The plain-C programs, run on the material.
struct LimitMeasurement: Sendable {
    let figure: Figure
    let material: Material
    let directory: String
    let logger: Logger

    func run() async throws -> RunResult {
        switch figure {
        case .fetchLimit: return try await FetchMeasurement(workload: material.workload).run()
        case .storeLimit: return try await measure(url: "")
        default: break
        }
        let server = try await StreamServer.start(directory, logger: logger)
        // Makes the stream; the plain programs have connections of their own.
        await (try await server.connect()).close()
        let result = try await measure(url: server.url)
        await server.stop()
        return result
    }

    private func measure(url: String) async throws -> RunResult {
        let (figure, files, directory) = (figure, material.files, directory)
        return try await offPool { Result { try Self.measure(figure, files, directory, url) } }.get()
    }

    /// Blocks.
    private static func measure(
        _ figure: Figure, _ files: [String], _ directory: String, _ url: String
    ) throws -> RunResult {
        var replays = try files.map(load)
        defer { for replay in replays { plain_replay_free(replay) } }
        let count = Int32(replays.count)
        let batch = Int32(OutboxMeasurement.batchSize)
        let meter = CostMeter()
        let result =
            switch figure {
            case .storeLimit: plain_store_limit(&replays, count, directory, batch, threads(count))
            case .publishLimit: plain_publish_limit(&replays, count, url)
            default: plain_combined_limit(&replays, count, directory, url, batch, threads(count))
            }
        return try meter.measurement(result)
    }

    /// One thread writes one file; more files are shared by as many threads as there are cores.
    private static func threads(_ files: Int32) -> Int32 {
        min(files, Int32(ProcessInfo.processInfo.activeProcessorCount))
    }

    private static func load(_ path: String) throws -> OpaquePointer? {
        var error = [CChar](repeating: 0, count: 256)
        guard let replay = plain_replay_load(path, &error) else { throw BenchmarkFailure(text(error)) }
        return replay
    }
}

extension CostMeter {
    /// - Throws: ``BenchmarkFailure`` when the program failed.
    func measurement(_ result: plain_result) throws -> RunResult {
        let error = withUnsafeBytes(of: result.error) { text(Array($0.bindMemory(to: CChar.self))) }
        guard error.isEmpty else { throw BenchmarkFailure("plain C: \(error)") }
        return measurement(messages: result.messages, seconds: result.seconds)
    }
}

/// The text up to the NUL byte.
func text(_ bytes: [CChar]) -> String {
    String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
