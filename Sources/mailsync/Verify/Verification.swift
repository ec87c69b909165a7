import EventAudit
import MailModel

/// What is to be verified, and what is done about what is found.
struct VerificationOptions: Codable, Sendable, Hashable {
    /// Accounts are compared with their mailboxes as well.
    var againstProvider = false
    /// What can be healed is.
    var repairs = false
    /// Only these accounts are compared with their mailboxes; nil: all of the user's.
    var accounts: [AccountKey]?

    private enum CodingKeys: CodingKey { case againstProvider, repairs }
}

/// What verifying one user showed, in counts.
struct Verification: Codable, Sendable, Hashable {
    var user: String
    /// Events of the log.
    var events = 0
    /// Messages that were received.
    var messages = 0
    /// Messages of the user in the stream.
    var streamed = 0
    /// Confirmed events that are too old for the stream.
    var expired = 0
    /// Confirmed events on their way to the stream again.
    var resending = 0
    /// Events that come after later ones in the stream: it had lost them, and they were sent again.
    var late = 0
    /// Messages that mailboxes list.
    var listed = 0
    /// Messages that are retried, and messages that an operator gave up.
    var gaps = 0
    var givenUp = 0
    /// What was found, by kind; and what of it is left after healing.
    var found: [String: Int] = [:]
    var left: [String: Int] = [:]
    /// What could not be checked, with the reason; safe to print.
    var unchecked: [String] = []

    init(user: UserID) { self.user = user.raw }

    var foundCount: Int { found.values.reduce(0, +) }
    var leftCount: Int { left.values.reduce(0, +) }
    var healed: Int { max(0, foundCount - leftCount) }
    /// Everything was checked and nothing is left.
    var agrees: Bool { leftCount == 0 && unchecked.isEmpty }

    /// The counts in one line.
    var line: String {
        var parts = [
            "\(events) events", "\(messages) messages", "\(streamed) in the stream", "\(expired) expired",
        ]
        if listed > 0 { parts.append("\(listed) at the provider") }
        if late > 0 { parts.append("\(late) late") }
        if resending > 0 { parts.append("\(resending) being sent again") }
        parts.append("\(gaps) gaps")
        if givenUp > 0 { parts.append("\(givenUp) given up") }
        parts.append("\(foundCount) differences")
        if healed > 0 { parts.append("\(healed) healed") }
        return parts.joined(separator: ", ")
    }
}

/// The differences of one look, a bounded number of them kept.
struct FoundDifferences: Sendable {
    /// So many of one look are kept for healing; the next look finds the rest.
    static let keptMax = 20_000

    private(set) var kept: [Difference] = []
    private(set) var counts: [String: Int] = [:]

    mutating func add(_ differences: [Difference]) {
        for difference in differences { counts[difference.kind.rawValue, default: 0] += 1 }
        kept += differences.prefix(max(0, Self.keptMax - kept.count))
    }

    var damageLog: Bool { kept.contains { $0.kind.damagesLog } }
}
