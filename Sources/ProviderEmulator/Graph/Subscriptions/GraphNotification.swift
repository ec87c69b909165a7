import MailModel

/// One entry of a post (graph.changeNotification of the schema).
struct GraphNotification: Sendable {
    enum Subject: Sendable {
        case change(OutlookNews)
        case lifecycle(GraphLifecycleEvent)
    }
    let subscription: GraphSubscription
    let subject: Subject
    /// Decides what Graph writes now one way, now the other.
    let variety: UInt64

    var url: String? {
        switch subject {
        case .change: subscription.truth.notificationURL
        case .lifecycle: subscription.truth.lifecycleURL
        }
    }

    /// The body of a post.
    ///
    /// - Parameter isForged: with a `clientState` that is not the subscription's.
    static func body(_ entries: [GraphNotification], isForged: Bool = false) -> [UInt8] {
        var json = JSONText(reserving: 512 * entries.count)
        json.object { json in
            json.key("value")
            json.array(entries) { json, entry in
                json.object { entry.write(&$0, isForged: isForged) }
            }
        }
        return json.bytes
    }

    private func write(_ json: inout JSONText, isForged: Bool) {
        let truth = subscription.truth
        let fraction = variety & 1 == 0 ? ".0000000Z" : "Z"
        let user = GraphUser(subscription.address)
        json.field("subscriptionId", truth.id)
        json.field("subscriptionExpirationDateTime", MailDate.second(truth.expiresAt).dropLast() + fraction)
        json.field("tenantId", user.tenant)
        json.optional("clientState", isForged ? "forged-\(variety)" : truth.clientState)
        switch subject {
        case .lifecycle(let event): json.field("lifecycleEvent", event.rawValue)
        case .change(let news): write(&json, news, user)
        }
    }

    private func write(_ json: inout JSONText, _ news: OutlookNews, _ user: GraphUser) {
        let id = subscription.usesImmutableIDs ? news.immutableID : news.mutableID
        let isUpper = variety & 2 == 0
        let path = "/\(user.id)@\(user.tenant)/"
        json.field("changeType", news.change.rawValue)
        json.field("resource", (isUpper ? "Users" : "users") + path + (isUpper ? "Messages/" : "messages/") + id)
        json.key("resourceData")
        json.object { json in
            json.field("@odata.type", variety & 4 == 0 ? "#Microsoft.Graph.Message" : "#microsoft.graph.message")
            json.field("@odata.id", "Users" + path + "Messages/" + id)
            json.field("@odata.etag", "W/\"\(news.changeKey)\"")
            json.field("id", id)
        }
    }
}

extension JSONText {
    fileprivate mutating func field(_ name: String, _ value: some StringProtocol) { field(name, String(value)) }
}
