/// Life in a mailbox: each step is one change that a user or a sender might make, chosen by seed. The caller says
/// when; nothing happens by itself.
public struct MailboxActivity: Sendable {
    /// One change made.
    public enum Change: Sendable, Hashable, CustomStringConvertible {
        case delivered(String)
        case labelled(String, added: [String], removed: [String])
        /// To another folder, which Outlook has.
        case moved(String, folder: String)
        /// What became of a folder, which Outlook has.
        case folder(String, String)
        case trashed(String)
        case deleted(String)

        public var description: String {
            switch self {
            case .delivered(let id): "new \(id)"
            case .labelled(let id, let added, let removed):
                "label \(id)" + added.map { " +\($0)" }.joined() + removed.map { " -\($0)" }.joined()
            case .moved(let id, let folder): "move \(id) to \(folder)"
            case .folder(let what, let folder): "folder \(folder) \(what)"
            case .trashed(let id): "trash \(id)"
            case .deleted(let id): "delete \(id)"
            }
        }
    }

    let address: String
    private let mail: MailboxGenerator
    var random: SeededRandom
    private var delivered = 0

    public init(address: String, seed: UInt64) {
        self.address = address
        mail = MailboxGenerator(seed: seed ^ 0xac71, address: address, count: 1_000_000)
        random = SeededRandom(seed: seed, stream: 0xac71)
    }

    /// Makes one change: four in ten are new mail, the others change labels, move to the trash or delete.
    public mutating func step(_ google: GoogleEmulator) throws(EmulatorError) -> Change {
        let choice = random.below(10)
        guard choice >= 4, let id = try google.randomMessage(of: address, &random) else { return try deliver(google) }
        switch choice {
        case 4...7: return try label(id, google)
        case 8:
            try google.trash(id, in: address)
            return .trashed(id)
        default:
            try google.delete(id, in: address)
            return .deleted(id)
        }
    }

    private mutating func deliver(_ google: GoogleEmulator) throws(EmulatorError) -> Change {
        let (mail, isSent) = nextMail(now: google.configuration.time.now())
        return .delivered(try google.deliver(mail, to: address, labels: isSent ? ["SENT"] : ["INBOX", "UNREAD"]))
    }

    /// The next message, and whether the user sent it: one in ten.
    mutating func nextMail(now: Int64) -> (raw: [UInt8], isSent: Bool) {
        delivered += 1
        return (RawMessage(mail.bytes(at: delivered)).redated(now), random.chance(0.1))
    }

    private mutating func label(_ id: String, _ google: GoogleEmulator) throws(EmulatorError) -> Change {
        let label = random.pick(["UNREAD", "STARRED", "INBOX", "IMPORTANT"])
        let has = try google.labels(ofMessage: id, in: address).contains(label)
        try google.modify(id, in: address, add: has ? [] : [label], remove: has ? [label] : [])
        return .labelled(id, added: has ? [] : [label], removed: has ? [label] : [])
    }
}

extension RawMessage {
    /// The message with its `Date` replaced.
    fileprivate func redated(_ seconds: Int64) -> [UInt8] {
        let text = String(decoding: header, as: UTF8.self)
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix("Date: ") ? "Date: \(MailDate.text(seconds))" : String(line)
        }
        return Array(lines.joined(separator: "\r\n").utf8) + body
    }
}

extension GoogleEmulator {
    /// The labels of one message, sorted.
    public func labels(ofMessage id: String, in address: String) throws(EmulatorError) -> [String] {
        guard let number = HexID.parse(id), let message = try box(address).read({ $0.messages[number] }) else {
            throw .noMessage(id)
        }
        return message.labels
    }

    fileprivate func randomMessage(of address: String, _ random: inout SeededRandom) throws(EmulatorError) -> String? {
        let place = random.next()
        return try box(address).read { mailbox in
            guard !mailbox.order.isEmpty else { return nil }
            return HexID.text(mailbox.order[Int(place % UInt64(mailbox.order.count))])
        }
    }
}
