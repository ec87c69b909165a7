import MailModel

extension AccountReport {
    /// How well the account's changes are announced by its provider.
    public struct Pushes: Sendable, Hashable {
        public var health: PushHealth
        /// When what the provider granted ends.
        public var until: UnixSeconds?
        /// Why it does not announce; safe to show to the user.
        public var error: String?

        public init(health: PushHealth = .off, until: UnixSeconds? = nil, error: String? = nil) {
            self.health = health
            self.until = until
            self.error = error
        }
    }
}

extension ServiceReport {
    /// Accounts of one provider whose changes are announced equally well.
    public struct PushGroup: Sendable, Hashable {
        public var provider: ProviderKind
        public var health: PushHealth

        public init(provider: ProviderKind, health: PushHealth) {
            self.provider = provider
            self.health = health
        }

        /// Every one there can be, so that what falls to zero is said to be zero.
        static var all: [PushGroup] {
            ProviderKind.allCases.flatMap { provider in
                PushHealth.allCases.map { PushGroup(provider: provider, health: $0) }
            }
        }
    }
}

extension JSONText {
    mutating func pushes(_ pushes: AccountReport.Pushes) {
        field("pushes", pushes.health.rawValue)
        field("pushes_until", pushes.until)
        field("push_error", pushes.error)
    }

    /// How many accounts, of all providers, have each health.
    mutating func pushes(_ accounts: [ServiceReport.PushGroup: Int]) {
        key("pushes")
        object { json in
            for health in PushHealth.allCases {
                let counts = accounts.filter { $0.key.health == health }.values
                json.field(health.rawValue, counts.reduce(0, +))
            }
        }
    }
}
