import EventAudit
import Foundation
import JetStream
import MailModel
import Synchronization

/// The demo's consumer: reads the stream on a connection of its own, shows the first events and audits all of them.
final class DemoConsumer: Sendable {
    /// So many events are shown when they arrive first.
    static let shownMax = 6

    private struct State {
        var audit = EventAudit()
        var shown = 0
        var recent: [DemoEvent] = []
    }

    private let display: DemoDisplay
    private let state = Mutex(State())

    init(display: DemoDisplay) { self.display = display }

    /// Reads until the task is cancelled.
    func run(_ consumer: EventConsumer) async {
        for await message in consumer.events {
            take(StreamMessage(subject: message.subject, id: message.messageID, payload: message.payload))
        }
    }

    private func take(_ message: StreamMessage) {
        let event = DemoEvent(message)
        let shows = state.withLock { state -> Bool in
            state.audit.take(message)
            if let event { state.recent = state.recent.suffix(199) + [event] }
            state.shown += 1
            return state.shown <= Self.shownMax
        }
        if shows, let event { display.line("  " + event.line) }
    }

    var audit: EventAudit { state.withLock { $0.audit } }
    var eventCount: Int { state.withLock { $0.audit.eventCount } }

    /// The newest event of this type about this message, among the last 200.
    func newest(_ type: String, of message: String) -> DemoEvent? {
        state.withLock { $0.recent.last { $0.type == type && $0.messageID == message } }
    }
}

/// What the demo shows of an event.
struct DemoEvent: Sendable, Decodable {
    var type = ""
    var seq: Int64
    var messageID: String?
    var subject: String?
    var sender: String?
    var added: [String]?
    var removed: [String]?
    var date: Int64?
    /// Why the event exists.
    var origin: String?

    private enum CodingKeys: String, CodingKey {
        case seq, subject, sender, origin
        case messageID = "provider_message_id"
        case added = "labels_added"
        case removed = "labels_removed"
        case date = "msg_date"
    }

    init?(_ message: StreamMessage) {
        // What does not decode is counted as malformed by the audit.
        guard let event = try? JSONDecoder().decode(DemoEvent.self, from: Data(message.payload)) else { return nil }
        self = event
        type = message.subject.split(separator: ".").dropFirst(2).joined(separator: ".")
    }

    var line: String {
        var text = "seq \(seq)  \(type)"
        if let date {
            text += "  " + Date(timeIntervalSince1970: TimeInterval(date)).formatted(.iso8601.year().month().day())
        }
        if let sender, !sender.isEmpty { text += "  \(sender)" }
        if let subject { text += "  “\(subject.prefix(60))”" }
        let changes = (added ?? []).map { "+\($0)" } + (removed ?? []).map { "−\($0)" }
        if !changes.isEmpty { text += "  " + changes.joined(separator: " ") }
        return text
    }
}
