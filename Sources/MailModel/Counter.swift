import Synchronization

/// A number that several threads may raise.
public final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    public init() {}
    /// The value after adding one.
    @discardableResult public func increment() -> Int { value.add(1, ordering: .relaxed).newValue }
    public var current: Int { value.load(ordering: .relaxed) }
}
