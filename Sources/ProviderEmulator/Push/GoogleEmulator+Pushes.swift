/// Gmail's pushes.
extension GoogleEmulator {
    /// Where pushes go. Nil, as at the start: nowhere, and what happens meanwhile is never announced.
    public var pushEndpoint: GooglePushEndpoint? {
        get { watches.endpoint }
        set { watches.endpoint = newValue }
    }

    /// The watch on a mailbox, when one is in force.
    public func watch(of address: String) -> GmailWatch? { watches.watch(of: address) }

    /// Ends a watch without a word to anybody, as happens at the provider.
    public func endWatch(of address: String) { watches.end(address) }

    /// What strikes pushes, of either provider.
    public var pushFaults: FaultRegistry { watches.courier.faults }

    /// Adds a fault where it can strike; returns its number there.
    func arm(_ fault: Fault) -> Int { (fault.endpoint == .push ? pushFaults : faults).add(fault) }

    /// What became of announcements so far.
    public var announcements: GoogleAnnouncements { watches.announcements }

    /// A token as pushes carry it.
    ///
    /// - Parameter overrides: claims to add or replace; they go in as given, however wrong, so that a verifier can be
    ///   tried.
    public func pushToken(
        audience: String, serviceAccount: String = GooglePushEndpoint.standardServiceAccount, expiresIn: Int64 = 3600,
        overrides: [String: ClaimValue] = [:]
    ) -> String {
        watches.signer.sign(
            audience: audience, account: serviceAccount, expiresIn: expiresIn, overrides: overrides)
    }

    /// What to do after a change of a mailbox, while it is locked: tell its watch, once the lock is gone.
    func changes(of address: String) -> @Sendable (inout Mailbox) -> (@Sendable () -> Void)? {
        { [watches] mailbox in
            let records = mailbox.takeUnannounced()
            guard !records.isEmpty, watches.endpoint != nil else { return nil }
            let historyID = mailbox.historyID
            return { watches.announce(address, historyID: historyID, labels: records.map(\.labels)) }
        }
    }
}
