import Foundation

/// What a nextLink or deltaLink stands for. On the wire an opaque token that no other mailbox takes.
struct DeltaToken: Sendable, Hashable, Codable {
    /// Key of the folder; nil is the folder tree.
    var folder: Int?
    /// The round covers what came after the first up to the second, on the mailbox's clock. A deltaLink has them equal.
    var since: UInt64
    var until: UInt64
    var progress = RoundProgress()
    /// Entries told so far in this round.
    var told = 0
    /// Baked in by the round's first request.
    var query: GraphQuery

    private static let checkBytes = 8

    func text(salt: UInt64) -> String {
        // Encoding values of this shape cannot fail; without a token the link leads to ErrorInvalidSyncStateData.
        let plain = (try? JSONEncoder().encode(self)).map { Array($0) } ?? []
        return Base64URL.encode(Self.scrambled(plain + Self.check(plain, salt), salt))
    }

    /// - Throws: ``GraphError/invalidSyncState`` for a token that was made up or belongs to another mailbox.
    init(_ text: String, salt: UInt64) throws(GraphError) {
        guard let bytes = Base64URL.decode(text), bytes.count > Self.checkBytes else { throw .invalidSyncState }
        let plain = Self.scrambled(bytes, salt)
        let content = Array(plain.dropLast(Self.checkBytes))
        guard Array(plain.suffix(Self.checkBytes)) == Self.check(content, salt) else { throw .invalidSyncState }
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(content))
        } catch {
            throw .invalidSyncState
        }
    }

    init(folder: Int?, since: UInt64, until: UInt64, query: GraphQuery) {
        self.folder = folder
        self.since = since
        self.until = until
        self.query = query
    }

    private static func check(_ bytes: [UInt8], _ salt: UInt64) -> [UInt8] {
        let hash = SeededRandom.mix(TextHash.of(bytes) ^ salt)
        return (0..<checkBytes).map { UInt8(truncatingIfNeeded: hash >> UInt64(8 * $0)) }
    }

    private static func scrambled(_ bytes: [UInt8], _ salt: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: salt)
        return bytes.map { $0 ^ UInt8(truncatingIfNeeded: random.next()) }
    }
}

extension Base64URL {
    /// Nil for what is not base64 in its URL form.
    static func decode(_ text: String) -> [UInt8]? {
        let standard = text.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        return Data(base64Encoded: standard + padding).map { Array($0) }
    }
}
