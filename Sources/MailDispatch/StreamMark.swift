import Foundation
import MailModel

/// The stream as it was last seen, kept across restarts: shows whether the stream went back in time.
struct StreamMark: Sendable, Hashable, Codable {
    var created: String
    var lastSequence: UInt64

    init(_ state: StreamState) {
        created = state.created
        lastSequence = state.lastSequence
    }

    /// The stream is another one, or has lost its tail.
    func wentBack(to state: StreamState) -> Bool { state.created != created || state.lastSequence < lastSequence }

    /// - Returns: nil when there is no mark, or none that can be read: every user is compared then.
    static func load(_ path: String) -> StreamMark? {
        // No mark means that every user's publishing is compared with the stream, which is always right.
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return try? JSONDecoder().decode(StreamMark.self, from: data)
    }

    /// - Throws: what the file system says.
    func save(_ path: String) throws {
        try JSONEncoder().encode(self).write(to: URL(filePath: path), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }
}
