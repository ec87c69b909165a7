/// Where an account stands with its provider after its events so far: a store that is rebuilt from the stream goes on
/// from the last one.
public struct AccountCheckpoint: Sendable, Hashable {
    /// So many ids of unread messages are named at most.
    public static let gapsMax = 500
    /// A longer cursor is not put into an event, in bytes: escaped it may be twice as long.
    public static let cursorBytesMax = 200 * 1024

    /// The provider's identity of the mailbox.
    public var mailbox: String
    public var phase: SyncPhase
    /// The resume point; nil when it was too long for an event.
    public var cursor: Cursor?
    /// The provider's count of messages, when known.
    public var estimatedTotal: Int64?
    /// Messages that were received.
    public var stored: Int64
    /// Messages that were listed but no longer existed when they were read.
    public var gone: Int64
    /// Messages that could not be read yet: ids, in the order of their bytes, ``gapsMax`` at most.
    public var gaps: [String]

    public init(
        mailbox: String, phase: SyncPhase, cursor: Cursor?, estimatedTotal: Int64? = nil, stored: Int64 = 0,
        gone: Int64 = 0, gaps: [String] = []
    ) {
        self.mailbox = mailbox
        self.phase = phase
        self.cursor = cursor
        self.estimatedTotal = estimatedTotal
        self.stored = stored
        self.gone = gone
        self.gaps = gaps
    }
}

/// Event numbers from `first` to `last`, both included.
public struct SequenceRange: Sendable, Hashable {
    public var first: Int64
    public var last: Int64

    public init(_ first: Int64, _ last: Int64) {
        self.first = first
        self.last = last
    }

    /// Numbers in ascending order, as ranges.
    public static func covering(_ numbers: some Sequence<Int64>) -> [SequenceRange] {
        var ranges: [SequenceRange] = []
        for number in numbers {
            if let last = ranges.last?.last, number == last + 1 {
                ranges[ranges.count - 1].last = number
            } else {
                ranges.append(SequenceRange(number, number))
            }
        }
        return ranges
    }
}

/// What an erase took away. One erase may need several events.
public struct AccountErasure: Sendable, Hashable {
    /// So many ranges are in one event at most: rendered they stay under the limit of a payload.
    public static let rangesMax = 10_000

    /// Part of the ids of all later events of the user; see ``EventID``.
    public var generation: Int64
    /// The numbers of the erased events, ascending.
    public var ranges: [SequenceRange]

    public init(generation: Int64, ranges: [SequenceRange]) {
        self.generation = generation
        self.ranges = ranges
    }
}
