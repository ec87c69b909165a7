/// Where a user's file stands in this process. No slot: it is closed.
enum StoreSlot {
    /// It is being opened or closed; whoever wants it waits.
    case changing(waiting: [CheckedContinuation<Void, Never>])
    case open(OpenStore)
    /// It is damaged and stays closed until the program restarts.
    case quarantined(StoreFailure)

    var isQuarantined: Bool {
        if case .quarantined = self { true } else { false }
    }

    /// When the store was last used, if it is open and nobody uses it now.
    var idleSince: Int? {
        if case .open(let entry) = self, entry.pins == 0 { entry.lastUse } else { nil }
    }
}

/// An open file and who uses it.
struct OpenStore {
    let store: UserStore
    /// How many callers use it now.
    var pins = 0
    /// The value of the use counter when it was last asked for.
    var lastUse: Int
    /// Who waits until nobody uses it.
    var draining: [CheckedContinuation<Void, Never>] = []
}
