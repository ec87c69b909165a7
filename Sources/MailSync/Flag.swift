import Synchronization

/// A yes or no that tasks share without waiting for each other.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isRaised: Bool { value.load(ordering: .acquiring) }

    func set(_ raised: Bool) { value.store(raised, ordering: .releasing) }

    func raise() { set(true) }

    /// Whether it was raised; lowers it.
    func take() -> Bool { value.exchange(false, ordering: .acquiringAndReleasing) }
}
