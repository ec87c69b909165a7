import MailModel
import ProviderClient

/// A mailbox's announcements: a subscription to created, updated and deleted messages anywhere in it, with immutable ids,
/// and to what becomes of the subscription itself
/// (https://learn.microsoft.com/graph/change-notifications-overview).
struct OutlookPushes: MailboxPushes {
    let api: OutlookAPI
    let notificationURL: String

    /// How long subscriptions are asked for, the longest first, in minutes. Graph's limit for mail is 4,230; its clock
    /// and ours differ, and limits change.
    static let lifetimesMinutes: [Int64] = [4_225, 4_140, 1_440, 60]

    func subscribe(clientState: Secret) async throws -> PushSubscription {
        try await api.calls.patiently {
            do {
                return try await create(clientState)
            } catch let failure as SyncFailure where Self.mayHaveBeenMade(failure) {
                if let made = try await adopt(clientState) { return made }
                guard failure.code == OutlookFailure.Code.subscriptionExists else { throw failure }
                try await deleteOwn()
                return try await create(clientState)
            }
        }
    }

    func renew(_ subscription: PushSubscription) async throws -> PushSubscription? {
        do {
            return try await granted(atLeast: subscription.expiresAt) { expiresAt in
                let renewed = try await api.renewSubscription(subscription.id, until: expiresAt)
                guard renewed.notificationUrl ?? notificationURL == notificationURL else {
                    try await api.deleteSubscription(subscription.id)
                    throw OutlookFailure.elsewhere
                }
                return renewed
            }
        } catch let failure as SyncFailure where failure.code == OutlookFailure.Code.subscriptionGone {
            return nil
        }
    }

    func unsubscribe(_ subscription: PushSubscription) async throws {
        try await api.deleteSubscription(subscription.id)
    }

    // MARK: Asking

    private func create(_ clientState: Secret) async throws -> PushSubscription {
        try await granted { expiresAt in
            try await api.createSubscription(
                notifying: notificationURL, clientState: clientState, until: expiresAt)
        }
    }

    /// Asks for less until Graph grants it, never for less than there is.
    private func granted(
        atLeast least: UnixSeconds = 0, _ ask: (UnixSeconds) async throws -> OutlookWire.Subscription
    ) async throws -> PushSubscription {
        var wishes = Self.wishes(at: api.calls.time.now(), atLeast: least)[...]
        while let expiresAt = wishes.popFirst() {
            do {
                return try Self.subscription(try await ask(expiresAt))
            } catch let failure as SyncFailure
                where failure.code == OutlookFailure.Code.subscriptionTooLong && !wishes.isEmpty
            {}
        }
        throw OutlookFailure.unreadable(.subscription)
    }

    /// The ends to ask for, the latest first.
    static func wishes(at now: UnixSeconds, atLeast least: UnixSeconds) -> [UnixSeconds] {
        lifetimesMinutes.map { max(now + $0 * 60, least) }
            .reduce(into: []) { wishes, wish in if wishes.last != wish { wishes.append(wish) } }
    }

    /// Reads what was granted, which may be more or less than was asked for.
    private static func subscription(_ answer: OutlookWire.Subscription) throws(SyncFailure) -> PushSubscription {
        guard let id = answer.id, OutlookID.isValid(id),
            let expiresAt = answer.expirationDateTime.flatMap(GraphTime.parse)
        else { throw OutlookFailure.unreadable(.subscription) }
        return PushSubscription(id: id, expiresAt: expiresAt)
    }

    // MARK: Subscriptions that are there already

    /// Graph has it, or its answer may have been lost on the way.
    private static func mayHaveBeenMade(_ failure: SyncFailure) -> Bool {
        guard case .retry = failure.decision else { return false }
        return !failure.isThrottling
    }

    /// The subscription that was told this `clientState`, for as long as Graph grants it.
    private func adopt(_ clientState: Secret) async throws -> PushSubscription? {
        guard let known = try await own().first(where: { $0.clientState == clientState.revealed }),
            let subscription = try? Self.subscription(known)  // of one that cannot be read there is nothing to adopt
        else { return nil }
        return try await renew(subscription)
    }

    /// What Graph takes for the same subscription although it was told something else: its announcements would be
    /// refused here.
    private func deleteOwn() async throws {
        for subscription in try await own() {
            if let id = subscription.id { try await api.deleteSubscription(id) }
        }
    }

    /// Those that announce to us.
    private func own() async throws -> [OutlookWire.Subscription] {
        try await api.subscriptions().filter { $0.notificationUrl == notificationURL }
    }
}
