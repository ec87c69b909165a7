import MailModel
import MailStore

/// Holds a user's event log against itself and against current state. Feed it the pages of the store, in order.
public struct LogAudit: Sendable {
    /// Event ids of generations up to this one may be in the log.
    private let generation: Int64
    /// Numbers that need not be in the log.
    private let excused: SequenceSet
    private var last: Int64 = 0
    private var accountEvents: [AccountKey: Int64] = [:]
    private var erasures: [AccountKey: Int64] = [:]
    /// The first event of the log; later than 1 when the store was rebuilt from a stream that no longer held more, or
    /// the first ones were erased.
    public private(set) var first: Int64?
    /// Events seen.
    public private(set) var events = 0
    /// Messages seen.
    public private(set) var messages = 0

    /// - Parameters:
    ///   - generation: the store's.
    ///   - erased: numbers that an erase took out of the log.
    public init(generation: Int64, erased: [ClosedRange<Int64>]) {
        self.generation = generation
        excused = SequenceSet(erased)
    }

    /// True when events from before the log's beginning are missing, and with them what they count.
    public var isCutOff: Bool { first.map { $0 > 1 } ?? false }

    /// Takes the next events of the log.
    public mutating func take(_ stamps: [EventStamp]) -> [Difference] {
        var found: [Difference] = []
        for stamp in stamps {
            if stamp.seq <= last {
                found.append(
                    Difference(
                        .sequenceRepeated, account: stamp.account, seq: stamp.seq, "two rows have this number"))
                continue
            }
            if first != nil, stamp.seq > last + 1 { found += holes(last + 1...stamp.seq - 1) }
            first = first ?? stamp.seq
            last = stamp.seq
            events += 1
        }
        return found
    }

    /// The log ends here.
    ///
    /// - Parameter lastSeq: the last number that was assigned.
    public func end(lastSeq: Int64) -> [Difference] { lastSeq > last ? holes(last + 1...lastSeq) : [] }

    private func holes(_ range: ClosedRange<Int64>) -> [Difference] {
        excused.gaps(in: range).map { hole in
            let count = hole.upperBound - hole.lowerBound + 1
            return Difference(
                .sequenceHole, seq: hole.lowerBound,
                count == 1 ? "not in the log" : "\(count) events up to \(hole.upperBound) are not in the log")
        }
    }

    /// Takes the next messages of the log.
    public mutating func take(_ records: [MessageRecord]) -> [Difference] {
        messages += records.count
        return records.flatMap { identities($0) + Self.state($0) }
    }

    /// Takes the next account events of the log. Those of a log that is cut off are not numbered from its beginning.
    public mutating func take(_ records: [AccountEventRecord]) -> [Difference] {
        isCutOff ? [] : records.compactMap { check($0) }
    }

    private mutating func check(_ record: AccountEventRecord) -> Difference? {
        guard record.type != "account.erased" else {
            // The parts of one erase are numbered from 0, and others may have come before.
            let earlier = erasures[record.account, default: 0]
            erasures[record.account] = earlier + 1
            return identity(record.eventID, record.seq, record.account, message: "", record.type, 0...earlier)
        }
        let revision = accountEvents[record.account, default: 0]
        accountEvents[record.account] = revision + 1
        return identity(record.eventID, record.seq, record.account, message: "", record.type, revision...revision)
    }

    private func identities(_ record: MessageRecord) -> [Difference] {
        var found: [Difference] = []
        func check(_ eventID: String, _ seq: Int64, _ type: String, _ revision: Int64) {
            let difference = identity(eventID, seq, record.account, message: record.id, type, revision...revision)
            if let difference { found.append(difference) }
        }
        check(record.eventID, record.seq, "email.received", 0)
        for (index, change) in record.changes.enumerated() {
            check(change.eventID, change.seq, change.type, Int64(index) + 1)
        }
        return found
    }

    private func identity(
        _ eventID: String, _ seq: Int64, _ account: AccountKey, message: String, _ type: String,
        _ revisions: ClosedRange<Int64>
    ) -> Difference? {
        // The newest generation first: nearly always there was no other.
        for generation in stride(from: generation, through: 0, by: -1) {
            for revision in revisions {
                let made = EventID.make(
                    generation: generation, account: account, message: message, type: type, revision: revision)
                if made == eventID { return nil }
            }
        }
        return Difference(
            .eventID, account: account, message: message.isEmpty ? nil : message, seq: seq,
            "\(eventID) is not the id of this event")
    }

    /// What current state says and the log does not.
    public static func state(_ record: MessageRecord) -> [Difference] {
        guard let state = record.state else {
            return [Difference(.stateMissing, account: record.account, message: record.id, seq: record.seq)]
        }
        let derived = record.derivedState
        guard state != derived else { return [] }
        var parts: [String] = []
        if state.labels != derived.labels { parts.append("labels \(state.labels), by the log \(derived.labels)") }
        if state.isPresent != derived.isPresent {
            parts.append(state.isPresent ? "present, by the log deleted" : "deleted, by the log present")
        }
        if state.revision != derived.revision {
            parts.append("revision \(state.revision), by the log \(derived.revision)")
        }
        return [
            Difference(
                .stateDiffers, account: record.account, message: record.id, seq: record.seq,
                parts.joined(separator: "; "))
        ]
    }

    /// Counters that are not what counting gives.
    public static func counters(
        of account: AccountKey, kept: AccountCounters, counted: AccountCounters
    ) -> [Difference] {
        [
            ("stored", kept.stored, counted.stored), ("gone", kept.gone, counted.gone),
            ("gaps", kept.gaps, counted.gaps), ("given up", kept.givenUp, counted.givenUp),
            ("events", kept.events, counted.events), ("account events", kept.accountEvents, counted.accountEvents),
            ("outbox", kept.outboxDepth, counted.outboxDepth),
        ].filter { $0.1 != $0.2 }.map { name, kept, counted in
            Difference(.counter, account: account, "\(name) is \(kept), counted \(counted)")
        }
    }
}
