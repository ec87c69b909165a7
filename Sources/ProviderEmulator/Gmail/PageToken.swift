/// Page tokens: opaque digits that lead back to a place in a listing, as long as the mailbox honours them.
struct PageToken {
    /// The last id of the page before.
    let cursor: UInt64

    init(cursor: UInt64) { self.cursor = cursor }

    /// - Throws: 400 for a token that was made up, belongs to another listing or has expired.
    init(_ text: String, for method: GmailMethod, in mailbox: Mailbox) throws(GmailError) {
        let key = Self.key(method, mailbox)
        guard text.utf8.count == 30, let masked = UInt64(text.prefix(20)) else { throw Self.invalid }
        cursor = masked ^ key
        guard self.text(for: method, in: mailbox) == text else { throw Self.invalid }
    }

    func text(for method: GmailMethod, in mailbox: Mailbox) -> String {
        let key = Self.key(method, mailbox)
        let check = SeededRandom.mix(cursor &+ key) % 10_000_000_000
        return Self.padded(cursor ^ key, 20) + Self.padded(check, 10)
    }

    private static let invalid = GmailError.invalidArgument("Invalid pageToken")

    private static func key(_ method: GmailMethod, _ mailbox: Mailbox) -> UInt64 {
        let name = TextHash.of(mailbox.address.utf8) ^ TextHash.of(method.rawValue.utf8)
        return SeededRandom.mix(name &+ mailbox.pageTokenGeneration)
    }

    private static func padded(_ value: UInt64, _ digits: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
