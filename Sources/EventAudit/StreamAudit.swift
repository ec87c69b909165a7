import Foundation
import MailModel

/// Holds a user's part of the stream against the event log: every confirmed event is there once, with the bytes the log
/// renders. It keeps numbers, as ranges, and no events.
///
/// Events come in their order, but for those that the stream had lost and that were sent again: they are late, which
/// is counted and no difference.
public struct StreamAudit: Sendable {
    /// A message of the stream, and what the log has under its number.
    public struct Place: Sendable {
        public var streamSequence: UInt64
        public var message: StreamMessage
        /// The log's event with the number that the message has; nil when there is none.
        public var event: MailEvent?

        public init(streamSequence: UInt64, message: StreamMessage, event: MailEvent?) {
            self.streamSequence = streamSequence
            self.message = message
            self.event = event
        }
    }

    private var seen = SequenceSet()
    private var last: Int64 = 0
    /// Messages of the user in the stream.
    public private(set) var messages = 0
    /// Events that come after later ones.
    public private(set) var late = 0

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
            return [Difference(.streamForeign, "\(position), \(place.message.subject): the log has no such event")]
        }
        func difference(_ kind: DifferenceKind, _ detail: String) -> [Difference] {
            [Difference(kind, account: event.account, seq: event.seq, "\(position) \(detail)")]
        }
        guard seen.insert(event.seq) else {
            return difference(.streamRepeated, "is not the first one of this event")
        }
        if event.seq < last { late += 1 }
        last = max(last, event.seq)
        if place.message.id != event.id || place.message.subject != event.subject {
            return difference(.streamDiffers, "has another id or subject")
        }
        return place.message.payload == event.payload() ? [] : difference(.streamDiffers, "has other bytes")
    }

    /// What is not in the stream, of what it confirmed: too old for it, waiting to be sent again, or missing.
    ///
    /// - Parameter confirmed: up to which event the stream had confirmed when reading it began.
    public func absent(confirmed: Int64) -> [ClosedRange<Int64>] {
        confirmed > 0 ? seen.gaps(in: 1...confirmed) : []
    }
}
