import MailAPI
import MailModel

/// Which of a user's events are published again, under which subjects, how fast; checked.
struct ReplayPlan: Sendable, Equatable {
    var user: UserID
    /// nil: all of them.
    var inbox: InboxID?
    /// nil: all of them.
    var provider: ProviderKind?
    /// The first event wanted; nil: from the beginning.
    var from: ReplayBound?
    /// The last one; nil: the last that there is when the replay begins.
    var to: ReplayBound?
    var prefix: ReplayPrefix
    var perSecond: Int

    /// True when the event is one of those wanted.
    func wants(_ event: MailEvent) -> Bool {
        let ofAccount =
            (inbox == nil || event.account.inbox == inbox) && (provider == nil || event.account.provider == provider)
        guard ofAccount else { return false }
        if case .time(let time) = from, event.recordedAt < time { return false }
        if case .time(let time) = to, event.recordedAt > time { return false }
        return true
    }

    /// The number after which events are read.
    var firstAfter: Int64 { if case .seq(let seq) = from { max(0, seq - 1) } else { 0 } }

    /// The number of the last event read, of a log that ends with `lastSeq`.
    func last(ofLogEndingWith lastSeq: Int64) -> Int64 {
        if case .seq(let seq) = to { min(seq, lastSeq) } else { lastSeq }
    }
}

/// An end of a range of events.
enum ReplayBound: Sendable, Equatable {
    /// The user's event number.
    case seq(Int64)
    /// When the event was recorded (`ts`).
    case time(UnixSeconds)

    /// Whole numbers from here on are times: 2001-09-09. No user has so many events.
    static let firstTime: Int64 = 1_000_000_000

    static let accepted =
        "an event number below \(firstTime), a time in Unix seconds from there on, or an ISO 8601 "
        + "date or time such as 2026-03-01 or 2026-03-01T12:00:00Z"

    /// nil for what is neither.
    init?(_ text: String) {
        if !text.isEmpty, text.utf8.count <= 18,
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        {
            guard let number = Int64(text) else { return nil }
            self = number < Self.firstTime ? .seq(number) : .time(number)
        } else if let time = SinceDate.parse(text) {
            self = .time(time)
        } else {
            return nil
        }
    }
}

/// What takes the place of `user` in the subjects of what is replayed: `user.ada.email.received` becomes
/// `PREFIX.ada.email.received`.
struct ReplayPrefix: Sendable, Equatable, CustomStringConvertible {
    /// Leaves room for user and type in what servers accept as a subject.
    static let bytesMax = 200

    let text: String

    var description: String { text }

    /// - Throws: ``ControlProblem`` for what no subject can begin with, or none of ours should.
    init(_ text: String) throws(ControlProblem) {
        let tokens = text.split(separator: ".", omittingEmptySubsequences: false)
        guard tokens.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isAllowed) }) else {
            throw Self.refused("holds an empty part, a wildcard, a space or a character that is not ASCII")
        }
        guard text.utf8.count <= Self.bytesMax else { throw Self.refused("is longer than \(Self.bytesMax) bytes") }
        guard tokens[0] != "user" else { throw Self.refused("is that of the live stream") }
        guard !"$_".contains(text.first ?? "$") else { throw Self.refused("is reserved by NATS") }
        self.text = text
    }

    /// The subject of the event's copy.
    func subject(of event: MailEvent) -> String { "\(text).\(event.account.user.encoded).\(event.type)" }

    /// Never that of the event itself, also where one stream captures both.
    func messageID(of event: MailEvent) -> String { "\(text):\(event.id)" }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "*") && byte != UInt8(ascii: ">")
    }

    private static func refused(_ reason: String) -> ControlProblem {
        ControlProblem(message: "the prefix \(reason): choose one such as replay.today")
    }
}

/// Spreads messages over time: never more than the rate, but for the little that a sleep takes too long.
struct ReplayPace: Sendable {
    /// How much lateness may be made up for.
    private static let slackMs = 20.0

    private let intervalMs: Double
    private var nextMs = 0.0

    init(perSecond: Int) { intervalMs = 1000 / Double(max(1, perSecond)) }

    /// How long to wait before the next message.
    mutating func wait(atMs now: Int64) -> Duration {
        nextMs = max(nextMs, Double(now) - Self.slackMs)
        defer { nextMs += intervalMs }
        return .milliseconds(Int64(max(0, nextMs - Double(now)).rounded()))
    }
}
