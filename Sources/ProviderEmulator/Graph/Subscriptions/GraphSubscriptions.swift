import MailModel
import Synchronization

/// Everybody who is told of changes in mailboxes, and the telling.
final class GraphSubscriptions: Sendable {
    private struct State {
        /// By address in lower case, then by id.
        var subscriptions: [String: [String: GraphSubscription]] = [:]
        /// Waiting for ``release()``; nil when nothing is held.
        var held: [GraphNotification]?
        var random: SeededRandom
    }
    private let configuration: EmulatorConfiguration
    private let courier: PushCourier
    private let state: Mutex<State>

    var rules: GraphSubscriptionRules { configuration.microsoft.subscriptions }

    init(_ configuration: EmulatorConfiguration, courier: PushCourier) {
        self.configuration = configuration
        self.courier = courier
        state = Mutex(State(random: SeededRandom(seed: configuration.seed, stream: 0x7375_6273)))
    }

    /// Those of a mailbox whose time is not over, by id.
    func all(of address: String) -> [GraphSubscription] {
        state.withLock { current(address, &$0) }
    }

    /// - Throws: 403, 409.
    func check(_ new: GraphSubscription) throws(GraphError) {
        let others = all(of: new.address)
        if rules.refusesEqual, others.contains(where: { $0.isEqual(to: new) }) { throw .subscriptionExists }
        if others.count >= rules.perMailboxMax { throw .subscriptionLimit }
    }

    func add(_ new: GraphSubscription) throws(GraphError) {
        try check(new)
        replace(new)
    }

    func newID() -> String { GraphUser.guid(state.withLock { $0.random.next() }) }

    /// - Throws: 404 also for another mailbox's.
    func find(_ id: String, of address: String) throws(GraphError) -> GraphSubscription {
        guard let found = all(of: address).first(where: { $0.truth.id == id.lowercased() }) else {
            throw .subscriptionNotFound
        }
        return found
    }

    func replace(_ subscription: GraphSubscription) {
        state.withLock { $0.subscriptions[subscription.address, default: [:]][subscription.truth.id] = subscription }
    }

    func remove(_ subscription: GraphSubscription) {
        state.withLock { $0.subscriptions[subscription.address]?[subscription.truth.id] = nil }
    }

    // MARK: Telling

    func announce(_ news: [OutlookNews], in address: String) {
        guard !news.isEmpty else { return }
        post { [self] state in
            let listeners = current(address, &state)
            return news.flatMap { news in
                listeners.filter { $0.wants(news) }.map { ($0, .change(news)) }
            }
        }
    }

    /// Tells every subscription of a mailbox what becomes of it, and does it.
    func tell(_ event: GraphLifecycleEvent, of address: String) {
        post { [self] state in
            let subscriptions = current(address, &state)
            switch event {
            case .missed: break
            case .subscriptionRemoved: state.subscriptions[address.lowercased()] = nil
            case .reauthorizationRequired:
                for subscription in subscriptions {
                    state.subscriptions[subscription.address]?[subscription.truth.id]?.truth.isPaused = true
                }
            }
            return subscriptions.map { ($0, .lifecycle(event)) }
        }
    }

    /// From now on notifications wait for ``release()``.
    func hold() { state.withLock { $0.held = $0.held ?? [] } }

    /// Posts what was held, together, in any order.
    func release() {
        let letters = state.withLock { state in
            defer { state.held = nil }
            return sorted(state.held ?? [], &state)
        }
        for letter in letters { courier.send(letter) }
    }

    private func post(_ entries: (inout State) -> [(GraphSubscription, GraphNotification.Subject)]) {
        let letters = state.withLock { state -> [PushLetter] in
            let notifications = entries(&state).map { subscription, subject in
                GraphNotification(subscription: subscription, subject: subject, variety: state.random.next())
            }
            guard let held = state.held else { return sorted(notifications, &state) }
            state.held = held + notifications
            return []
        }
        for letter in letters { courier.send(letter) }
    }

    /// Shares notifications out among posts, those for one address together or not.
    private func sorted(_ notifications: [GraphNotification], _ state: inout State) -> [PushLetter] {
        var letters: [PushLetter] = []
        var rest = notifications.shuffled(using: &state.random)[...]
        while let first = rest.first {
            let size = 1 + state.random.below(rules.entriesPerPostMax)
            let together = rest.prefix(size).prefix { $0.url == first.url }
            rest = rest.dropFirst(together.count)
            if let url = first.url { letters.append(letter(Array(together), to: url)) }
        }
        return letters
    }

    private func letter(_ entries: [GraphNotification], to url: String) -> PushLetter {
        var letter = PushLetter(
            mailbox: entries[0].subscription.address, url: url,
            headers: [("content-type", "application/json; charset=utf-8")], body: GraphNotification.body(entries),
            policy: rules.delivery)
        letter.forge = { $0.body = GraphNotification.body(entries, isForged: true) }
        let mailboxes = Set(entries.filter(\.isChange).map(\.subscription.address))
        letter.whenLost = { [weak self] in
            for address in mailboxes { self?.tell(.missed, of: address) }
        }
        return letter
    }

    /// Ends every subscription of a mailbox as time does: nobody is told.
    func expire(_ address: String) {
        state.withLock { $0.subscriptions[address.lowercased()] = nil }
    }

    /// Those of a mailbox, by id, without those whose time is over.
    private func current(_ address: String, _ state: inout State) -> [GraphSubscription] {
        let now = configuration.time.now()
        let current = state.subscriptions[address.lowercased()]?.filter { $0.value.truth.expiresAt > now } ?? [:]
        state.subscriptions[address.lowercased()] = current.isEmpty ? nil : current
        return current.values.sorted { $0.truth.id < $1.truth.id }
    }

    // MARK: The check of an address

    /// Posts a token to an address, which must send it back.
    ///
    /// - Throws: 400 in the recorded forms.
    func checkAddress(_ url: String, mailbox: String) async throws(GraphError) {
        let token = "Validation: Testing client application reachability for subscription Request-Id: \(newID())"
        let separator = url.contains("?") ? "&" : "?"
        var policy = rules.delivery
        policy.timeout = rules.handshakeTimeout
        let letter = PushLetter(
            mailbox: mailbox, url: "\(url)\(separator)validationToken=\(PercentCoding.formEncoded(token))",
            headers: [("content-type", "text/plain; charset=utf-8")], body: [], policy: policy)
        let answer: (status: Int, type: String, body: [UInt8])
        do {
            let response = try await courier.exchange(letter)
            answer = (response.status, response.header("content-type") ?? "", response.body)
        } catch {
            throw .validationTimedOut
        }
        guard answer.status == 200, answer.type.lowercased().hasPrefix("text/plain") else { throw .validationFailed }
        guard answer.body == Array(token.utf8) else { throw .validationMismatch }
    }
}

extension GraphNotification {
    var isChange: Bool {
        if case .change = subject { true } else { false }
    }
}

extension PercentCoding {
    /// As .NET encodes forms: spaces as `+`, digits in lower case.
    static func formEncoded(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".", "!", "*", "(", ")": out.unicodeScalars.append(scalar)
            case " ": out += "+"
            default: out += "%" + HexID.text([byte])
            }
        }
        return out
    }
}

extension GraphError {
    static let subscriptionNotFound = GraphError(404, "ResourceNotFound", "The object was not found.")
    public static let subscriptionExists = GraphError(
        409, "Conflict", "Operation: Create; Exception: [Status Code: Conflict; Reason: The subscription exists.]")
    public static let subscriptionLimit = GraphError(
        403, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: Subscription limit.]")
    static func subscriptionTooLong(minutes: Int64) -> GraphError {
        GraphError(400, "ExtensionError", "Subscription expiration can only be \(minutes) minutes in the future.")
    }
    public static let subscriptionTooLong = subscriptionTooLong(minutes: 4230)
    public static let validationFailed = GraphError(
        400, "ValidationError",
        "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request.")
    static let validationMismatch = GraphError(
        400, "ValidationError",
        "Subscription validation request failed. Response must exactly match validationToken query parameter.")
    static let validationTimedOut = GraphError(400, "ValidationError", "Subscription validation request timed out.")
}
