import Foundation
import MailModel
import Synchronization

/// Gmail's watches, and the pushes that follow from them: Gmail publishes to a topic, whose push subscription posts to
/// its endpoint.
final class GmailWatches: Sendable {
    private struct State {
        /// By address in lower case.
        var watches: [String: GmailWatch] = [:]
        /// Milliseconds since 1970 of the last push, by address in lower case.
        var announcedAt: [String: Int64] = [:]
        var endpoint: GooglePushEndpoint?
        var announcements = GoogleAnnouncements()
        var messages: UInt64 = 0
    }

    let signer: PushTokenSigner
    private let configuration: GooglePushConfiguration
    private let time: any TimeSource
    let courier: PushCourier
    private let state = Mutex(State())

    init(_ configuration: GooglePushConfiguration, time: any TimeSource, courier: PushCourier) {
        self.configuration = configuration
        self.time = time
        self.courier = courier
        signer = PushTokenSigner(time: time)
    }

    var endpoint: GooglePushEndpoint? {
        get { state.withLock { $0.endpoint } }
        set { state.withLock { $0.endpoint = newValue } }
    }

    var announcements: GoogleAnnouncements { state.withLock { $0.announcements } }

    /// The watch in force.
    func watch(of address: String) -> GmailWatch? {
        let now = time.nowMilliseconds()
        return state.withLock { $0.watches[address.lowercased()].flatMap { now < $0.expiresAtMs ? $0 : nil } }
    }

    /// Begins a watch, or renews it.
    ///
    /// - Returns: its end, in milliseconds since 1970.
    func begin(_ address: String, topic: String, labels: Set<String>, excludes: Bool) throws(GmailError) -> Int64 {
        try check(topic)
        if let watch = watch(of: address), watch.topic != topic { throw .watchTaken }
        let end = time.nowMilliseconds() + configuration.watchLifetime.milliseconds
        let watch = GmailWatch(topic: topic, labels: labels, excludesLabels: excludes, expiresAtMs: end)
        state.withLock { $0.watches[address.lowercased()] = watch }
        return end
    }

    func end(_ address: String) { state.withLock { $0.watches[address.lowercased()] = nil } }

    private func check(_ topic: String) throws(GmailError) {
        let parts = topic.split(separator: "/", omittingEmptySubsequences: false)
        let isTopic =
            parts.count == 4 && parts[0] == "projects" && parts[2] == "topics" && !parts[1].isEmpty
            && !parts[3].isEmpty
        let project = configuration.project ?? parts.dropFirst().first.map(String.init) ?? ""
        guard isTopic, parts[1] == project else { throw .topicName(project: project) }
    }

    /// Announces that a mailbox changed, when it is watched, somebody is to be told, and it is not too early.
    ///
    /// - Parameter labels: of the messages that changed; nil is an announcement of none.
    func announce(_ address: String, historyID: UInt64, labels: [[String]]? = nil) {
        guard let watch = watch(of: address), labels.map({ watch.concerns($0) }) ?? true else { return }
        let now = time.nowMilliseconds()
        let due = state.withLock { state -> (GooglePushEndpoint, UInt64)? in
            guard let endpoint = state.endpoint else { return nil }
            let last = state.announcedAt[address.lowercased()] ?? .min
            guard last == .min || now - last >= configuration.perMailboxInterval.milliseconds else {
                state.announcements.overRate += 1
                return nil
            }
            state.announcedAt[address.lowercased()] = now
            state.announcements.sent += 1
            state.messages += 1
            return (endpoint, state.messages)
        }
        guard let (endpoint, number) = due else { return }
        courier.send(letter(to: endpoint, address, historyID, number: number, at: now))
    }

    private func letter(
        to endpoint: GooglePushEndpoint, _ address: String, _ historyID: UInt64, number: UInt64, at now: Int64
    ) -> PushLetter {
        let token = signer.token(audience: endpoint.audience, account: endpoint.serviceAccount)
        let data = Self.payload(address, historyID)
        let body = endpoint.isWrapped ? Self.wrapped(data, endpoint, number: number, at: now) : data
        return PushLetter(
            mailbox: address, url: endpoint.url,
            headers: [
                ("Authorization", "Bearer \(token)"), ("From", "noreply@google.com"),
                ("User-Agent", "CloudPubSub-Google"),
                ("Content-Type", endpoint.isWrapped ? "application/json" : "application/octet-stream"),
            ], body: body, policy: configuration.retry)
    }

    /// What Gmail publishes: recorded messages have the history id as a number.
    private static func payload(_ address: String, _ historyID: UInt64) -> [UInt8] {
        var json = JSONText(reserving: 128)
        json.object { json in
            json.field("emailAddress", address)
            json.field("historyId", Int64(clamping: historyID))
        }
        return json.bytes
    }

    /// Pub/Sub's envelope: both spellings of id and time.
    private static func wrapped(
        _ data: [UInt8], _ endpoint: GooglePushEndpoint, number: UInt64, at now: Int64
    ) -> [UInt8] {
        let id = String(2_070_443_601_311_000 + number)
        let published = MailDate.timestamp(milliseconds: now)
        var json = JSONText(reserving: 512)
        json.object { json in
            json.key("message")
            json.object { json in
                json.field("data", Data(data).base64EncodedString())
                json.field("messageId", id)
                json.field("message_id", id)
                json.field("publishTime", published)
                json.field("publish_time", published)
            }
            json.field("subscription", endpoint.subscription)
        }
        return json.bytes
    }
}

extension GmailWatch {
    /// Whether one of the messages that changed is to be announced, given their labels.
    func concerns(_ messages: [[String]]) -> Bool {
        labels.isEmpty || messages.contains { labels.isDisjoint(with: $0) == excludesLabels }
    }
}
