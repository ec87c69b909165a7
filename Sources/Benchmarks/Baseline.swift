import Foundation

/// The figures that were committed last, and where they were measured.
struct Baseline: Codable, Sendable, Hashable {
    var recorded: String
    var machine: Machine
    var figures: [Summary]

    /// - Returns: nil when there is no such file.
    /// - Throws: when it cannot be read.
    static func load(_ path: String) throws -> Baseline? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try JSONDecoder().decode(Baseline.self, from: Data(contentsOf: URL(filePath: path)))
    }

    /// - Throws: what the file system says.
    func save(_ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let url = URL(filePath: path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try (encoder.encode(self) + Data("\n".utf8)).write(to: url, options: .atomic)
    }

    func figure(_ figure: Figure, accounts: Int) -> Summary? {
        figures.first { $0.figure == figure && $0.accounts == accounts }
    }

    /// How a figure changed against this baseline. Figures with a limit are compared by their ratio, which holds on
    /// other machines too; limits by their rate.
    func change(of now: Summary) -> Double? {
        guard let then = figure(now.figure, accounts: now.accounts) else { return nil }
        if let ratio = now.ratio, let before = then.ratio, before > 0 { return ratio / before - 1 }
        return then.perSecond > 0 ? now.perSecond / then.perSecond - 1 : nil
    }
}
