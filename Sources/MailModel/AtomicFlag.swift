import Synchronization

/// A yes or no that tasks share without waiting for each other.
public final class AtomicFlag: Sendable {
    private let value = Atomic<Bool>(false)

    public init() {}

    /// Whether it is raised now.
    public var isRaised: Bool { value.load(ordering: .acquiring) }

    /// Raises or lowers it.
    public func set(_ raised: Bool) { value.store(raised, ordering: .releasing) }

    /// Raises it; for good, unless somebody lowers it.
    public func raise() { set(true) }

    /// Whether it was raised; lowers it.
    public func take() -> Bool { value.exchange(false, ordering: .acquiringAndReleasing) }
}
