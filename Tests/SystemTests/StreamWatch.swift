import EventAudit
import Foundation
import JetStream
import Logging
import MailModel
import MailStore
import MailTestSupport

/// One user's part of the stream, as a consumer on a connection of its own sees it; audited as it is read.
final class StreamWatch {
    private let consumer: EventConsumer
    private(set) var audit = EventAudit()
    /// Duplicates included.
    private(set) var messageCount = 0

    init(_ consumer: EventConsumer) { self.consumer = consumer }

    /// The next message; nil when none came in time.
    func next(within limit: Duration) async -> StreamMessage? {
        guard let event = await consumer.next(timeout: limit) else { return nil }
        let message = StreamMessage(subject: event.subject, id: event.messageID, payload: event.payload)
        audit.take(message)
        messageCount += 1
        return message
    }

    /// Reads what is there, up to a moment of quiet.
    func drain(quiet: Duration = .milliseconds(100)) async {
        while await next(within: quiet) != nil {}
    }

    /// Reads so many messages.
    func read(_ count: Int, within limit: Duration = .seconds(60)) async throws {
        let end = ContinuousClock.now + limit
        for number in 0..<count where await next(within: end - .now) == nil {
            throw NotInTime("\(count) more events: \(number) came within \(limit)")
        }
    }

    /// Reads until there was an event about each of these messages.
    func read(until messageIDs: [String], within limit: Duration = .seconds(60)) async throws {
        let end = ContinuousClock.now + limit
        var awaited = messageIDs.map { (id: $0, mark: Array("\"provider_message_id\":\"\($0)\"".utf8)) }
        while !awaited.isEmpty, let message = await next(within: end - .now) {
            awaited.removeAll { message.payload.firstRange(of: $0.mark) != nil }
        }
        guard awaited.isEmpty else {
            throw NotInTime("an event about messages \(awaited.map(\.id)): not within \(limit)")
        }
    }

    /// Reads until so many messages were seen, or none comes any more.
    func read(toTotal total: Int) async {
        while messageCount < total, await next(within: .seconds(5)) != nil {}
        await drain(quiet: .milliseconds(300))
    }

    func close() async { await consumer.close() }
}

/// A user's store as it lay on disk at one moment: read from a copy, so that looking changes nothing of what the next
/// start finds.
struct StoreSnapshot: Sendable {
    var accounts: [AccountSync]
    /// The first one.
    var account: AccountSync? { accounts.first }
    var unpublished: Int
    /// The whole event log.
    var events: [MailEvent]

    static func take(of user: UserID, in dataDirectory: String, logger: Logger) async throws -> StoreSnapshot {
        let copy = try TemporaryDirectory("snapshot")
        let (from, to) = ("\(dataDirectory)/users/\(user.encoded)", "\(copy.path)/\(user.encoded)")
        try FileManager.default.createDirectory(atPath: to, withIntermediateDirectories: true)
        for name in ["events.db", "events.db-wal"] where FileManager.default.fileExists(atPath: "\(from)/\(name)") {
            try FileManager.default.copyItem(atPath: "\(from)/\(name)", toPath: "\(to)/\(name)")
        }
        let stores = UserStores(directory: copy.path, time: SystemTime(), logger: logger)
        let found = try await stores.useExisting(user) { store in
            try await store.read { reader in
                StoreSnapshot(
                    accounts: try reader.accounts(), unpublished: try reader.dispatch().outboxDepth,
                    events: try reader.events(after: 0, limit: .max))
            }
        }
        await stores.close()
        return found ?? StoreSnapshot(accounts: [], unpublished: 0, events: [])
    }

    /// The event log as the audit takes it.
    var stored: [StoredEvent] { events.map { StoredEvent(id: $0.id, payload: $0.payload()) } }

    /// True when the log, read as a consumer would, says of every message what the provider says.
    func agrees(with provider: [ProviderMessage]) -> Bool {
        var audit = EventAudit()
        for event in events {
            audit.take(StreamMessage(subject: event.subject, id: event.id, payload: event.payload()))
        }
        return audit.report(provider: provider, stored: stored).agrees
    }
}
