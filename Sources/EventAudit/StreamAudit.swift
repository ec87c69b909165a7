import Foundation
import MailModel

/// Holds a user's part of the stream against the event log: every confirmed event is there once, in order, with the
/// bytes the log renders. It keeps numbers, as ranges, and no events.
public struct StreamAudit: Sendable {
    /// A message of the stream, and what the log has under its number.
    public struct Place: Sendable {
        public var streamSequence: UInt64
        public var message: StreamMessage
        /// The log's event with the number that the message has; nil when there is none.
        public var event: MailEvent?
        /// True when the dispatcher has put it there out of its order.
        public var isResent: Bool

        public init(streamSequence: UInt64, message: StreamMessage, event: MailEvent?, isResent: Bool = false) {
            self.streamSequence = streamSequence
            self.message = message
            self.event = event
            self.isResent = isResent
        }
    }

    private var seen = SequenceSet()
    private var last: Int64 = 0
    /// The first event that the stream has in its order: those before it have grown too old, or were lost.
    private var first: Int64?
    /// Messages of the user in the stream.
    public private(set) var messages = 0

    public init() {}

    /// The event number that a message says it has, read by Foundation and not by the code that wrote it; nil when it
    /// is not one of our events.
    public static func sequence(of message: StreamMessage) -> Int64? {
        // What cannot be decoded is foreign.
        try? JSONDecoder().decode(Numbered.self, from: Data(message.payload)).seq
    }

    private struct Numbered: Decodable { let seq: Int64 }

    /// Takes the next message of the stream.
    public mutating func take(_ place: Place) -> [Difference] {
        messages += 1
        let position = "message \(place.streamSequence) of the stream"
        guard let event = place.event else {
            return [
                Difference(.streamForeign, "\(position), \(place.message.subject): the log has no such event")
            ]
        }
        var found: [Difference] = []
        func note(_ kind: DifferenceKind, _ detail: String) {
            found.append(Difference(kind, account: event.account, seq: event.seq, "\(position)\(detail)"))
        }
        guard seen.insert(event.seq) else {
            note(.streamRepeated, " is not the first one of this event")
            return found
        }
        if !place.isResent {
            if event.seq < last { note(.streamOutOfOrder, " comes after event \(last)") }
            first = min(first ?? event.seq, event.seq)
            last = max(last, event.seq)
        }
        if place.message.id != event.id || place.message.subject != event.subject {
            note(.streamDiffers, " has another id or subject")
        } else if place.message.payload != event.payload() {
            note(.streamDiffers, " has other bytes")
        }
        return found
    }

    /// What is not in the stream, of what it confirmed.
    ///
    /// - Parameter confirmed: up to which event the stream had confirmed when reading it began.
    public func absent(confirmed: Int64) -> [ClosedRange<Int64>] {
        confirmed > 0 ? seen.gaps(in: 1...confirmed) : []
    }

    /// True when an event that is not in the stream has merely grown too old for it.
    ///
    /// The stream drops the oldest first, by the time at which it stored them, which is not before they were recorded.
    ///
    /// - Parameter oldest: what was recorded up to then may be too old.
    public func isExpired(_ event: MailEvent, oldest: UnixSeconds) -> Bool {
        event.recordedAt <= oldest && event.seq < first ?? .max
    }
}
