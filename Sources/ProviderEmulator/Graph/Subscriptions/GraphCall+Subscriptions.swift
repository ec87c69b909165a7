import Foundation
import MailModel

/// The calls on subscriptions
/// (https://learn.microsoft.com/graph/api/resources/subscription).
extension GraphCall {
    /// The members of a request that count.
    private struct Body: Decodable {
        var changeType: String?
        var notificationUrl: String?
        var lifecycleNotificationUrl: String?
        var resource: String?
        var expirationDateTime: String?
        var clientState: String?
    }

    private static let clientStateCharactersMax = 128

    /// Answers when both addresses have sent their tokens back.
    func subscribe() async throws(GraphError) -> EmulatorReply {
        let new = try subscription(try body())
        try subscriptions.check(new)
        for url in [new.truth.notificationURL, new.truth.lifecycleURL].compactMap({ $0 }) {
            try await subscriptions.checkAddress(url, mailbox: box.address)
        }
        try subscriptions.add(new)
        box.change { $0.isWatched = true }
        var reply = reply(new, showsClientState: true)
        reply.status = 201
        return reply
    }

    func listSubscriptions() throws(GraphError) -> EmulatorReply {
        let all = subscriptions.all(of: box.address)
        let showsClientState = subscriptions.rules.listsClientState
        return .graph(context: "\(root)/$metadata#subscriptions") { json in
            json.key("value")
            json.array(all) { json, subscription in
                json.object {
                    subscription.write(
                        &$0, client: configuration.microsoft.clientID, showsClientState: showsClientState)
                }
            }
        }
    }

    func getSubscription() throws(GraphError) -> EmulatorReply {
        reply(try known(), showsClientState: subscriptions.rules.listsClientState)
    }

    func renewSubscription() throws(GraphError) -> EmulatorReply {
        var known = try known()
        known.truth.expiresAt = try expiry(try body().expirationDateTime)
        known.truth.isPaused = false
        subscriptions.replace(known)
        return reply(known, showsClientState: true)
    }

    func reauthorizeSubscription() throws(GraphError) -> EmulatorReply {
        var known = try known()
        known.truth.isPaused = false
        subscriptions.replace(known)
        return .done
    }

    func endSubscription() throws(GraphError) -> EmulatorReply {
        subscriptions.remove(try known())
        return .done
    }

    private func known() throws(GraphError) -> GraphSubscription {
        try subscriptions.find(route.subscription, of: box.address)
    }

    private func reply(_ subscription: GraphSubscription, showsClientState: Bool) -> EmulatorReply {
        .graph(context: "\(root)/$metadata#subscriptions/$entity") { json in
            subscription.write(&json, client: configuration.microsoft.clientID, showsClientState: showsClientState)
        }
    }

    // MARK: What is asked for

    private func body() throws(GraphError) -> Body {
        do {
            return try JSONDecoder().decode(Body.self, from: Data(request.body))
        } catch {
            throw .badRequest("Unable to read JSON request payload.")
        }
    }

    private func subscription(_ body: Body) throws(GraphError) -> GraphSubscription {
        guard let changeType = body.changeType, let url = body.notificationUrl, let resource = body.resource else {
            throw .invalid("changeType, notificationUrl and resource are needed")
        }
        let names = changeType.lowercased().split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let changes = Set(names.compactMap { OutlookNews.Change(rawValue: $0) })
        guard changes.count == names.count, !changes.isEmpty else { throw .invalid("changeType \(changeType)") }
        if let state = body.clientState, state.count > Self.clientStateCharactersMax {
            throw .invalid("clientState is longer than \(Self.clientStateCharactersMax) characters")
        }
        return GraphSubscription(
            truth: GraphSubscriptionTruth(
                id: subscriptions.newID(), notificationURL: url, lifecycleURL: body.lifecycleNotificationUrl,
                resource: resource, changeType: changeType, clientState: body.clientState,
                expiresAt: try expiry(body.expirationDateTime), isPaused: false),
            address: box.address.lowercased(), folder: try folder(of: resource), changes: changes,
            usesImmutableIDs: preference.usesImmutableIDs)
    }

    private func expiry(_ text: String?) throws(GraphError) -> Int64 {
        guard let wanted = text.flatMap({ MailDate.parseTimestamp($0) }) else {
            throw .invalid("expirationDateTime is needed")
        }
        let now = configuration.time.now()
        let rules = subscriptions.rules
        guard wanted > now else { throw .invalid("expirationDateTime has passed") }
        guard wanted <= now + rules.lifetimeMinutesMax * 60 else {
            throw .subscriptionTooLong(minutes: rules.lifetimeMinutesMax)
        }
        return max(wanted, now + rules.lifetimeMinutesMin * 60)
    }

    /// The key of the folder whose messages are meant; nil for the whole mailbox.
    private func folder(of resource: String) throws(GraphError) -> Int? {
        let path = GraphRoute.segments(resource.split(separator: "/").map(String.init))
        let words = path.map { $0.lowercased() }
        let isOwn =
            words.first == "me"
            || words.first == "users"
                && [box.address, GraphUser(box.address).id].contains {
                    words.dropFirst().first == $0.lowercased()
                }
        guard isOwn else { throw .invalid("resource \(resource)") }
        let rest = Array(path.dropFirst(words[0] == "me" ? 1 : 2))
        if rest.map({ $0.lowercased() }) == ["messages"] { return nil }
        guard rest.count == 3, rest[0].lowercased() == "mailfolders", rest[2].lowercased() == "messages" else {
            throw .invalid("resource \(resource)")
        }
        guard let key = box.read({ $0.folder(rest[1])?.key }) else { throw .itemNotFound }
        return key
    }
}

extension GraphError {
    fileprivate static func invalid(_ reason: String) -> GraphError {
        GraphError(400, "InvalidRequest", "The subscription request is not valid: \(reason).")
    }
}
