import HTTPTransport
import Logging
import MailModel

/// A Gmail mailbox's announcements: Gmail publishes to one Pub/Sub topic for all mailboxes, and Pub/Sub posts them to us
/// (https://developers.google.com/workspace/gmail/api/guides/push). A watch lasts seven days at most.
///
/// There is one watch per mailbox and Google project. Where it belongs to another topic, which was configured before or
/// is another deployment's, ``subscribe(clientState:)`` ends it.
struct GmailPushes: MailboxPushes {
    let api: GmailAPI
    /// `projects/PROJECT/topics/TOPIC`
    let topic: String
    let logger: Logger

    /// - Parameter clientState: not used: Pub/Sub signs what it posts.
    func subscribe(clientState: Secret) async throws -> PushSubscription {
        guard let address = try await api.profile().emailAddress, !address.isEmpty else {
            throw GmailFailure.unreadable(.profile)
        }
        let id = address.lowercased()
        do {
            return PushSubscription(id: id, expiresAt: try await api.watch(topic))
        } catch let failure as SyncFailure where failure.code == GmailFailure.Code.watchTaken {
            logger.warning("a watch on another topic is ended", metadata: ["topic": "\(topic)"])
            try await api.stop()
            return PushSubscription(id: id, expiresAt: try await api.watch(topic))
        }
    }

    /// Watching again is how a watch is renewed. Nil when another topic has taken the watch.
    func renew(_ subscription: PushSubscription) async throws -> PushSubscription? {
        do {
            return PushSubscription(id: subscription.id, expiresAt: try await api.watch(topic))
        } catch let failure as SyncFailure where failure.code == GmailFailure.Code.watchTaken {
            return nil
        }
    }

    func unsubscribe(_ subscription: PushSubscription) async throws {
        do {
            try await api.stop()
        } catch let failure as SyncFailure where failure.code == GmailFailure.Code.watchGone {
            return
        }
    }
}

extension GmailAPI {
    /// `users.watch`, for all changes of the mailbox. The history id of the answer is not read: a cursor moves with what
    /// was stored, and with nothing else.
    ///
    /// - Returns: until when it lasts.
    func watch(_ topic: String) async throws -> UnixSeconds {
        let endpoint = GmailFailure.Endpoint.watch(topic: topic)
        var body = JSONText(reserving: 128)
        body.object { $0.field("topicName", topic) }
        let watch: GmailWire.Watch = try await calls.patiently {
            try calls.read(try await post(endpoint, "watch", body.bytes, units: configuration.costs.watch), endpoint)
        }
        guard let expiration = watch.expiration?.value, expiration > 0 else { throw GmailFailure.unreadable(endpoint) }
        return expiration / 1000
    }

    /// `users.stop`: no changes of the mailbox are announced any more, on whatever topic.
    func stop() async throws {
        _ = try await calls.patiently { try await post(.unwatch, "stop", [], units: configuration.costs.stop) }
    }

    private func post(
        _ endpoint: GmailFailure.Endpoint, _ path: String, _ body: [UInt8], units: Int
    ) async throws -> HTTPResponse {
        try await calls.answer(endpoint, units: units) { token in
            HTTPRequest(
                .post, "\(configuration.apiURL)/gmail/v1/users/me/\(path)?prettyPrint=false",
                headers: [("Authorization", "Bearer \(token.revealed)"), ("Content-Type", "application/json")],
                body: body, timeout: calls.policy.requestTimeout, responseBytesMax: configuration.answerBytesMax)
        }
    }
}
