import Synchronization

/// A yes or no that tasks share without waiting for each other.
public final class AtomicFlag: Sendable {
    private let value = Atomic<Bool>(false)

    public init() {}

    public var isRaised: Bool { value.load(ordering: .acquiring) }

    public func set(_ raised: Bool) { value.store(raised, ordering: .releasing) }

    public func raise() { set(true) }

    /// Whether it was raised; lowers it.
    public func take() -> Bool { value.exchange(false, ordering: .acquiringAndReleasing) }
}
