/// The small part of Gmail's search language that is emulated: `after:`, `before:`, `newer_than:`, `older_than:`,
/// `in:`, `is:`, `label:`, each also with `-` in front, all of them ANDed. Anything else is refused rather than
/// answered wrongly.
struct SearchQuery: Sendable {
    private enum Term: Sendable {
        case after(Int64)
        case before(Int64)
        case label(String)
        case read
        case anywhere
    }
    private var terms: [(isNegated: Bool, term: Term)] = []
    /// The query names the trash, spam or everything, and so reaches what a listing leaves out.
    private(set) var reachesHidden = false

    /// - Throws: 400 naming the operator that is not emulated.
    init(_ text: String, now: Int64) throws(GmailError) {
        for word in text.split(separator: " ") {
            let isNegated = word.hasPrefix("-")
            let parts = word.dropFirst(isNegated ? 1 : 0).split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let term = Self.term(String(parts[0]).lowercased(), String(parts[1]), now) else {
                throw .invalidArgument("The emulator does not know the search term '\(word)'")
            }
            terms.append((isNegated, term))
            if !isNegated { reachesHidden = reachesHidden || Self.reachesHidden(term) }
        }
    }

    func matches(_ message: StoredMessage, _ mailbox: Mailbox) -> Bool {
        terms.allSatisfy { term in Self.matches(term.term, message, mailbox) != term.isNegated }
    }

    private static func matches(_ term: Term, _ message: StoredMessage, _ mailbox: Mailbox) -> Bool {
        switch term {
        case .after(let date): message.internalDate >= date
        case .before(let date): message.internalDate < date
        case .read: !message.labels.contains("UNREAD")
        case .anywhere: true
        case .label(let name):
            message.labels.contains { id in
                id == name.uppercased()
                    || mailbox.labels.contains { $0.id == id && $0.name.lowercased() == name.lowercased() }
            }
        }
    }

    private static func reachesHidden(_ term: Term) -> Bool {
        switch term {
        case .anywhere: true
        case .label(let name): ["TRASH", "SPAM", "CHAT"].contains(name.uppercased())
        default: false
        }
    }

    private static func term(_ name: String, _ value: String, _ now: Int64) -> Term? {
        switch name {
        case "after", "newer": date(value).map(Term.after)
        case "before", "older": date(value).map(Term.before)
        case "newer_than": span(value).map { .after(now - $0) }
        case "older_than": span(value).map { .before(now - $0) }
        case "label": .label(value)
        case "in": value == "anywhere" ? .anywhere : .label(value)
        case "is":
            switch value {
            case "read": .read
            case "unread", "starred", "important": .label(value)
            default: nil
            }
        default: nil
        }
    }

    /// Unix seconds, or a day as `yyyy/mm/dd` (midnight UTC).
    private static func date(_ value: String) -> Int64? {
        let parts = value.split(whereSeparator: { $0 == "/" || $0 == "-" }).map { Int64($0) }
        if parts.count == 1 { return parts[0] }
        guard parts.count == 3, let year = parts[0], let month = parts[1], let day = parts[2],
            (1...12).contains(month), (1...31).contains(day), (1970...2200).contains(year)
        else { return nil }
        return MailDate.midnight(year: year, month: month, day: day)
    }

    private static func span(_ value: String) -> Int64? {
        guard let number = Int64(value.dropLast()), (0...100_000).contains(number) else { return nil }
        switch value.last {
        case "h": return number * 3600
        case "d": return number * 86_400
        case "m": return number * 30 * 86_400
        case "y": return number * 365 * 86_400
        default: return nil
        }
    }
}
