import Crypto
import Foundation
import MailModel

/// A message as it stands in the stream, read by a consumer that shares no code with the publisher.
public struct StreamMessage: Sendable {
    public var subject: String
    /// The `Nats-Msg-Id` header.
    public var id: String?
    public var payload: [UInt8]

    public init(subject: String, id: String?, payload: [UInt8]) {
        self.subject = subject
        self.id = id
        self.payload = payload
    }
}

/// A message as the provider holds it, read past the adapter.
public struct ProviderMessage: Sendable, Hashable {
    /// `GOOGLE` …, and which of the user's mailboxes there.
    public var provider: String
    public var inbox: String
    public var id: String
    public var threadID: String
    /// Unix seconds.
    public var date: UnixSeconds
    /// Sorted.
    public var labels: [String]
    /// Received by the time it was looked at: in scope now. A message out of scope may or may not be known.
    public var inScope: Bool

    public init(
        provider: String = "GOOGLE", inbox: String = "primary", id: String, threadID: String, date: UnixSeconds,
        labels: [String], inScope: Bool
    ) {
        self.provider = provider
        self.inbox = inbox
        self.id = id
        self.threadID = threadID
        self.date = date
        self.labels = labels
        self.inScope = inScope
    }

    fileprivate var key: MailKey { MailKey(provider: provider, inbox: inbox, id: id) }
}

/// A message among all of a user's mailboxes.
private struct MailKey: Hashable {
    var provider: String
    var inbox: String
    var id: String
}

/// An event as a user's store holds it.
public struct StoredEvent: Sendable {
    public var id: String
    public var payload: [UInt8]

    public init(id: String, payload: [UInt8]) {
        self.id = id
        self.payload = payload
    }
}

/// Proves, for all mailboxes of one user, that provider, store and stream agree: by sets of ids and by content, not by counts.
///
/// Feed it every message of the user's part of the stream in stream order, then ask for the report.
public struct EventAudit: Sendable {
    private struct Mail {
        var threadID: String
        var date: UnixSeconds
        var labels: [String]
        var exists: Bool
    }

    private var lastSeq: Int64 = 0
    private var hashes: [String: SHA256Digest] = [:]
    private var mail: [MailKey: Mail] = [:]
    private var receivedTwice: [String] = []
    private var outOfOrder: [String] = []
    private var malformed: [String] = []

    /// Distinct events seen so far.
    public var eventCount: Int { hashes.count }
    /// Distinct messages received so far.
    public var messageCount: Int { mail.count }

    public init() {}

    /// Takes the next message of the stream.
    public mutating func take(_ message: StreamMessage) {
        guard let event = EventText(message.payload) else {
            malformed.append(message.id ?? message.subject)
            return
        }
        if event.eventID != message.id { malformed.append(message.id ?? message.subject) }
        let hash = SHA256.hash(data: message.payload)
        guard hashes.updateValue(hash, forKey: event.eventID) == nil else {
            receivedTwice.append(event.eventID)
            return
        }
        if event.seq != lastSeq + 1 { outOfOrder.append("seq \(event.seq) after \(lastSeq)") }
        lastSeq = max(lastSeq, event.seq)
        apply(event, of: message.subject)
    }

    private mutating func apply(_ event: EventText, of subject: String) {
        guard let key = event.mailKey else { return }
        if subject.hasSuffix(".email.received") {
            if mail[key] != nil { receivedTwice.append(key.id) }
            mail[key] = Mail(
                threadID: event.threadID ?? "", date: event.date ?? 0, labels: event.labels ?? [],
                exists: true)
        } else if subject.hasSuffix(".email.updated") {
            guard mail[key] != nil else { return malformed.append("\(event.eventID): update of an unknown message") }
            mail[key]?.labels = event.labels ?? []
            mail[key]?.exists = true
        } else if subject.hasSuffix(".email.deleted") {
            guard mail[key]?.exists == true else {
                return malformed.append("\(event.eventID): deletion of an unknown message")
            }
            mail[key]?.exists = false
        }
    }

    /// Compares what the stream says with what the provider holds and with the store's event log.
    public func report(provider: [ProviderMessage], stored: [StoredEvent]) -> AuditReport {
        var report = AuditReport(
            received: mail.count, duplicates: receivedTwice, outOfOrder: outOfOrder, malformed: malformed)
        let truth = Dictionary(provider.map { ($0.key, $0) }) { first, _ in first }
        for message in provider where message.inScope && mail[message.key] == nil { report.missing.append(message.id) }
        for (key, mail) in mail {
            guard let message = truth[key] else {
                if mail.exists { report.different.append("\(key.id): exists in the stream, not at the provider") }
                continue
            }
            report.different += differences(key.id, mail, message)
        }
        compare(stored, &report)
        report.missing.sort()
        report.different.sort()
        return report
    }

    private func differences(_ id: String, _ mail: Mail, _ message: ProviderMessage) -> [String] {
        var found: [String] = []
        if !mail.exists { found.append("\(id): deleted in the stream, exists at the provider") }
        if mail.labels != message.labels {
            found.append("\(id): labels \(mail.labels) in the stream, \(message.labels) at the provider")
        }
        if mail.threadID != message.threadID { found.append("\(id): another thread") }
        if mail.date != message.date { found.append("\(id): another date") }
        return found
    }

    private func compare(_ stored: [StoredEvent], _ report: inout AuditReport) {
        var known: Set<String> = []
        for event in stored {
            known.insert(event.id)
            guard let hash = hashes[event.id] else {
                report.unpublished.append(event.id)
                continue
            }
            if hash != SHA256.hash(data: event.payload) {
                report.different.append("event \(event.id): other content in the stream")
            }
        }
        report.unexpected = hashes.keys.filter { !known.contains($0) }.sorted()
    }
}

/// What an audit found.
public struct AuditReport: Sendable, Hashable {
    /// Distinct messages received.
    public var received: Int
    /// Ids (of events or messages) that came more than once.
    public var duplicates: [String]
    /// In scope at the provider, not in the stream.
    public var missing: [String] = []
    /// Events in the store that are not in the stream.
    public var unpublished: [String] = []
    /// Events in the stream that are not in the store.
    public var unexpected: [String] = []
    public var outOfOrder: [String]
    public var malformed: [String]
    /// Same id, other content.
    public var different: [String] = []

    init(received: Int, duplicates: [String], outOfOrder: [String], malformed: [String]) {
        self.received = received
        self.duplicates = duplicates
        self.outOfOrder = outOfOrder
        self.malformed = malformed
    }

    /// Provider, store and stream agree in everything.
    public var agrees: Bool { findings.isEmpty }

    /// Every difference, one line each.
    public var findings: [String] {
        duplicates.map { "duplicate: \($0)" } + missing.map { "missing: \($0)" }
            + unpublished.map { "stored, not in the stream: event \($0)" }
            + unexpected.map { "in the stream, not stored: event \($0)" } + outOfOrder.map { "out of order: \($0)" }
            + malformed.map { "malformed: \($0)" } + different.map { "different: \($0)" }
    }
}

/// The fields of an event that the audit reads, decoded by Foundation: on purpose not by the code that wrote them.
private struct EventText: Decodable {
    let eventID: String
    let seq: Int64
    let mailKey: MailKey?
    let threadID: String?
    let date: Int64?
    let labels: [String]?

    init?(_ payload: [UInt8]) {
        // What does not decode is reported as malformed by the caller.
        guard let event = try? JSONDecoder().decode(EventText.self, from: Data(payload)) else { return nil }
        self = event
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        eventID = try fields.decode(String.self, forKey: .eventID)
        seq = try fields.decode(Int64.self, forKey: .seq)
        mailKey = try fields.decodeIfPresent(String.self, forKey: .messageID).map { id in
            MailKey(
                provider: try fields.decode(String.self, forKey: .provider),
                inbox: try fields.decode(String.self, forKey: .inbox), id: id)
        }
        threadID = try fields.decodeIfPresent(String.self, forKey: .threadID)
        date = try fields.decodeIfPresent(Int64.self, forKey: .date)
        // In account.labels the labels are objects, which the audit does not read.
        labels = mailKey == nil ? nil : try fields.decodeIfPresent([String].self, forKey: .labels)
    }

    private enum CodingKeys: String, CodingKey {
        case seq, labels, provider
        case inbox = "inbox_id"
        case eventID = "event_id"
        case messageID = "provider_message_id"
        case threadID = "provider_thread_id"
        case date = "msg_date"
    }
}
