import HTTPTransport
import MailModel
import ProviderClient

/// The calls about subscriptions to a mailbox's changes
/// (https://learn.microsoft.com/graph/api/resources/subscription).
extension OutlookAPI {
    private typealias SubscriptionPage = OutlookWire.Page<OutlookWire.Subscription>

    /// Asks for announcements of the whole mailbox; tried once, because it makes another subscription each time.
    func createSubscription(
        notifying notificationURL: String, clientState: Secret, until expiresAt: UnixSeconds
    ) async throws -> OutlookWire.Subscription {
        var json = JSONText()
        json.object { json in
            json.field("changeType", "created,updated,deleted")
            json.field("notificationUrl", notificationURL)
            // Cannot be given later.
            json.field("lifecycleNotificationUrl", notificationURL)
            json.field("resource", "me/messages")
            json.field("expirationDateTime", GraphTime.text(expiresAt))
            json.field("clientState", clientState.revealed)
        }
        return try await read(.subscribing, .post, "/subscriptions", json.bytes)
    }

    func renewSubscription(_ id: String, until expiresAt: UnixSeconds) async throws -> OutlookWire.Subscription {
        var json = JSONText()
        json.object { $0.field("expirationDateTime", GraphTime.text(expiresAt)) }
        return try await calls.patiently { try await read(.subscription, .patch, Self.path(id), json.bytes) }
    }

    /// A subscription that is not there is no failure.
    func deleteSubscription(_ id: String) async throws {
        do {
            _ = try await calls.patiently { try await answer(.subscription, .delete, Self.path(id), nil) }
        } catch let failure as SyncFailure where failure.code == OutlookFailure.Code.subscriptionGone {}
    }

    /// The application's subscriptions that the account's user has.
    func subscriptions() async throws -> [OutlookWire.Subscription] {
        var guardian = ListingGuard(provider: OutlookFailure.provider)
        var found: [OutlookWire.Subscription] = []
        var link: String?
        repeat {
            let path = link
            let page = try checked(
                try await calls.patiently {
                    try await read(.subscriptions, .get, path ?? "/subscriptions", nil) as SubscriptionPage
                })
            for case .content(_, let subscription) in page.items { found.append(subscription) }
            link = try guardian.next(page.nextLink, after: link, isEmpty: page.items.isEmpty)
        } while link != nil
        return found
    }

    private static func path(_ id: String) -> String { "/subscriptions/\(MailText.percentEncoded(id))" }

    private func read<Value: Decodable>(
        _ endpoint: OutlookFailure.Endpoint, _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8]?
    ) async throws -> Value {
        try calls.read(try await answer(endpoint, method, path, body), endpoint)
    }

    /// - Parameter path: below the API's address, or a link that Graph gave.
    private func answer(
        _ endpoint: OutlookFailure.Endpoint, _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8]?
    ) async throws -> HTTPResponse {
        let isCreating = endpoint == .subscribing
        return try await calls.answer(endpoint, units: 1) { token in
            var headers = [
                ("Authorization", "Bearer \(token.revealed)"), ("Accept", "application/json"),
                ("Prefer", Self.preferences(pageSize: nil)),
            ]
            if body != nil { headers.append(("Content-Type", "application/json")) }
            return HTTPRequest(
                method, path.hasPrefix("/") ? url(path) : path, headers: headers, body: body,
                timeout: isCreating ? configuration.subscribeTimeout : calls.policy.requestTimeout,
                responseBytesMax: configuration.answerBytesMax, onFreshConnection: isCreating)
        }
    }
}
