/// Who is told of a mailbox's changes, and what goes wrong with it.
extension MicrosoftEmulator {
    /// The subscriptions of a mailbox whose time is not over, by id.
    public func subscriptions(of address: String) throws(EmulatorError) -> [GraphSubscriptionTruth] {
        subscriptions.all(of: try box(address).address).map(\.truth)
    }

    /// Tells every subscription of a mailbox of this event, and does it: `subscriptionRemoved` ends them, after
    /// `reauthorizationRequired` they are told nothing until they are renewed.
    public func sendLifecycle(_ event: GraphLifecycleEvent, to address: String) throws(EmulatorError) {
        subscriptions.tell(event, of: try box(address).address)
    }

    /// Ends the subscriptions of a mailbox as time does: nobody is told.
    public func expireSubscriptions(of address: String) throws(EmulatorError) {
        subscriptions.expire(try box(address).address)
    }

    /// From now on notifications, of all mailboxes, wait for ``releaseNotifications()``.
    public func holdNotifications() { subscriptions.hold() }

    /// Posts what waits: several mailboxes and changes in one post, in any order.
    public func releaseNotifications() { subscriptions.release() }
}
