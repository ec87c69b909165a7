/// A value that is made when it is first asked for, once; whoever asks meanwhile waits for the same one.
actor OnDemand<Value: Sendable> {
    private let make: @Sendable () async throws -> Value
    /// Owned here: everybody who asks awaits it.
    private var making: Task<Value, any Error>?

    init(_ make: @escaping @Sendable () async throws -> Value) { self.make = make }

    /// One that was made before.
    init(_ value: Value) { make = { value } }

    func value() async throws -> Value {
        let making = making ?? Task { [make] in try await make() }
        self.making = making
        return try await making.value
    }

    /// Undoes what was made; nothing when nobody asked, or it could not be made.
    func close(_ close: @Sendable (Value) async -> Void) async {
        // Who asked for it had the error.
        guard let value = try? await making?.value else { return }
        await close(value)
    }
}
