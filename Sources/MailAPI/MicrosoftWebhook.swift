import Foundation
import Hummingbird
import MailModel
import MailPush

/// `POST /webhooks/microsoft`: what Graph announces, and its check that the address is ours
/// (https://learn.microsoft.com/graph/change-notifications-delivery-webhooks). Nothing is asked of anybody before the
/// answer: Graph waits ten seconds, and also calls while it is being asked for a subscription.
struct MicrosoftWebhook: Sendable {
    static let path = "/webhooks/microsoft"
    /// Graph's are of some hundred characters.
    static let tokenBytesMax = 2048

    let pushes: PushWebhooks?
    let counts: PushCounts

    var route: Route {
        Route(method: .post, path: Self.path, access: .anyone, handle: receive)
    }

    @Sendable private func receive(_ call: Route.Call) async throws -> Response {
        guard let pushes else { throw Self.notConfigured }
        if let token = try Self.validationToken(in: call.rawQuery) { return Self.echo(token) }
        let entries: [MicrosoftNotification]
        do throws(APIProblem) {
            entries = try call.decode(MicrosoftNotifications.self).entries
        } catch {
            counts.count(.malformed)
            throw error
        }
        return try answer(to: Set(entries.uniqued().map { take($0, pushes.receiver) }))
    }

    // MARK: Announcements

    private func take(_ entry: MicrosoftNotification, _ receiver: any PushReceiver) -> PushOutcome {
        let outcome = outcome(of: entry, receiver)
        counts.count(outcome)
        return outcome
    }

    private func outcome(of entry: MicrosoftNotification, _ receiver: any PushReceiver) -> PushOutcome {
        guard let subscription = entry.subscription else { return .malformed }
        guard let clientState = entry.clientState else { return .unsigned }
        let announcement = PushAnnouncement(
            provider: .microsoft, subscription: subscription, clientState: clientState, notice: entry.notice)
        return PushOutcome(receiver.receive(announcement))
    }

    /// One good entry makes a good post: Graph would repeat all of it for the others.
    private func answer(to outcomes: Set<PushOutcome>) throws(APIProblem) -> Response {
        if !outcomes.isDisjoint(with: [.accepted, .unknown]) {
            return .json(status: .accepted) { $0.field("message", "taken") }
        }
        if outcomes.isDisjoint(with: [.forged, .unsigned]) {
            throw .field("value", "has no entry that names its subscription")
        }
        var problem = APIProblem(
            .unauthorized, "forged-push", "The notification is not the provider's",
            "its clientState is missing, or is not what the subscription was told")
        problem.headers = [.wwwAuthenticate: #"ClientState realm="mailsync""#]
        throw problem
    }

    private static let notConfigured = APIProblem.unavailable(
        "pushes-not-configured", "pushes from Microsoft need PUBLIC_URL", retryAfterSeconds: nil)

    // MARK: The handshake

    /// The token to be sent back, decoded once the way forms are: a `+` is a space.
    private static func validationToken(in query: String) throws(APIProblem) -> [UInt8]? {
        let values = query.split(separator: "&").compactMap { pair -> Substring? in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return parts[0] == "validationToken" ? parts.dropFirst().first ?? "" : nil
        }
        guard let value = values.first else { return nil }
        guard values.count == 1 else { throw .field("validationToken", "is given more than once") }
        let token = formDecoded(value)
        guard (1...tokenBytesMax).contains(token.count) else {
            throw .field("validationToken", "must have 1 to \(tokenBytesMax) bytes")
        }
        return token
    }

    /// What is no encoded byte stays as it is.
    private static func formDecoded(_ text: Substring) -> [UInt8] {
        var rest = Array(text.utf8)[...]
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2, digits.allSatisfy({ isHexDigit($0) }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return bytes
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool { Character(Unicode.Scalar(byte)).isHexDigit }

    /// As text and nothing else: it is whatever the caller sent. Every answer has `nosniff`.
    private static func echo(_ token: [UInt8]) -> Response {
        Response(status: .ok, headers: [.contentType: "text/plain"], body: .init(byteBuffer: ByteBuffer(bytes: token)))
    }
}

extension [MicrosoftNotification] {
    /// Each once: Graph tells of one new message twice, and of many in one post.
    fileprivate func uniqued() -> [MicrosoftNotification] {
        var seen: Set<MicrosoftNotification> = []
        return filter { seen.insert($0).inserted }
    }
}

/// The body of a notification: `{"value":[…]}`, of several subscriptions and tenants.
struct MicrosoftNotifications: Decodable {
    let entries: [MicrosoftNotification]

    private enum CodingKeys: String, CodingKey { case value }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guard container.contains(.value) else { throw APIProblem.field("value", "is missing") }
        do {
            entries = try container.decode([MicrosoftNotification].self, forKey: .value)
        } catch {
            throw APIProblem.field("value", "must be an array")
        }
        if entries.isEmpty { throw APIProblem.field("value", "is empty") }
    }
}

/// An entry, as far as it is used: what changed is for a pass to find out.
struct MicrosoftNotification: Decodable, Hashable {
    /// Nil when it cannot be read.
    let subscription: String?
    let clientState: Secret?
    let notice: PushAnnouncement.Notice

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// An entry that cannot be read spoils no other.
    init(from decoder: any Decoder) throws {
        let container = try? decoder.container(keyedBy: Key.self)  // throws when it is no object
        func text(_ name: String) -> String? {
            guard let key = container?.allKeys.first(where: { $0.stringValue.lowercased() == name }),
                let text = try? container?.decode(String.self, forKey: key)  // throws when it is no text
            else { return nil }
            return text.isEmpty ? nil : text
        }
        subscription = text("subscriptionid")
        clientState = text("clientstate").map { Secret($0) }
        notice = Self.notice(text("lifecycleevent"))
    }

    /// What is new is a reason to look.
    private static func notice(_ lifecycleEvent: String?) -> PushAnnouncement.Notice {
        switch lifecycleEvent?.lowercased() {
        case "missed": .missed
        case "subscriptionremoved": .removed
        case "reauthorizationrequired": .reauthorize
        default: .changed
        }
    }
}
