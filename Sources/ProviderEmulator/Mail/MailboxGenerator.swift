/// Makes up mail: the same mailbox for the same seed, whichever message is asked for first, and fast enough for a
/// million. Encoded words, address groups, long folded headers, threads, lists and labels occur as in real mailboxes.
public final class MailboxGenerator: Sendable {
    public let seed: UInt64
    /// Whose mailbox it is.
    public let address: String
    /// How many messages it holds.
    public let count: Int
    /// Date of the first and the last message, Unix seconds.
    public let firstDate: Int64
    public let lastDate: Int64

    public init(
        seed: UInt64, address: String, count: Int, firstDate: Int64 = 1_577_836_800, lastDate: Int64 = 1_764_547_200
    ) {
        self.seed = seed
        self.address = address
        self.count = max(0, count)
        self.firstDate = firstDate
        self.lastDate = max(firstDate, lastDate)
    }

    /// The message's bytes; `index` may exceed ``count``, for mail that arrives later.
    public func bytes(at index: Int) -> [UInt8] {
        var random = random(index, stream: 1)
        return GeneratedMessage(generator: self, index: index, random: &random).bytes
    }

    /// Its labels, as a mailbox that is lived in has them.
    public func labels(at index: Int) -> [String] {
        var random = random(index, stream: 2)
        switch random.below(100) {
        case 0..<3: return ["SPAM", "UNREAD"]
        case 3..<6: return ["TRASH"]
        case 6..<7: return ["DRAFT"]
        case 7..<20: return ["SENT"]
        default: return received(&random)
        }
    }

    /// Unix seconds; grows with the index.
    public func date(at index: Int) -> Int64 {
        let span = max(1, lastDate - firstDate)
        let step = span / Int64(max(1, count))
        var random = random(index, stream: 3)
        return firstDate + Int64(index) * span / Int64(max(1, count)) + Int64(random.below(Int(max(1, step))))
    }

    /// The index of the message this one answers.
    func parent(of index: Int) -> Int? {
        var random = random(index, stream: 4)
        guard index > 0, random.chance(0.4) else { return nil }
        return max(0, index - 1 - random.below(50))
    }

    func messageID(at index: Int) -> String {
        var random = random(index, stream: 5)
        return "<\(random.token(12)).\(index)@mail\(random.below(9)).example>"
    }

    func incoming(at index: Int) -> IncomingMail {
        IncomingMail(
            content: .generated(self, index: index), internalDate: date(at: index), labels: labels(at: index),
            messageID: IncomingMail.messageIDs(messageID(at: index)).first,
            references: parent(of: index).map { IncomingMail.messageIDs(messageID(at: $0)) } ?? [])
    }

    private func received(_ random: inout SeededRandom) -> [String] {
        var labels: [String] = []
        if random.chance(0.7) { labels.append("INBOX") }
        if random.chance(0.3) { labels.append("UNREAD") }
        if random.chance(0.2) { labels.append("IMPORTANT") }
        if random.chance(0.05) { labels.append("STARRED") }
        if random.chance(0.6) { labels.append(random.pick(Self.categories)) }
        if random.chance(0.25) { labels.append(random.pick(Self.userLabels).id) }
        return labels
    }

    private func random(_ index: Int, stream: UInt64) -> SeededRandom {
        SeededRandom(seed: seed &+ stream &* 0x1_0000_0001, stream: UInt64(bitPattern: Int64(index)))
    }

    private static let categories = [
        "CATEGORY_FORUMS", "CATEGORY_UPDATES", "CATEGORY_PERSONAL", "CATEGORY_PROMOTIONS", "CATEGORY_SOCIAL",
    ]

    /// The user labels a generated mailbox has.
    static let userLabels = [
        "Clients", "Clients/Acme", "Receipts", "Reisen", "Family", "Newsletters", "Projekte/Größe",
    ].enumerated().map { MailboxLabel(id: "Label_\($0.offset + 1)", name: $0.element, isSystem: false) }
}
