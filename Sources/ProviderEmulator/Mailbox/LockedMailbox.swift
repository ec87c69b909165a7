import Synchronization

/// A mailbox under a lock, and somebody who looks at it after each change.
final class LockedMailbox<Contents: Sendable>: Sendable {
    let address: String
    private let contents: Mutex<Contents>
    /// Called under the lock; what it returns is done after it.
    private let afterChange: (@Sendable (inout Contents) -> (@Sendable () -> Void)?)?

    init(
        address: String, _ contents: Contents,
        afterChange: (@Sendable (inout Contents) -> (@Sendable () -> Void)?)? = nil
    ) {
        self.address = address
        self.contents = Mutex(contents)
        self.afterChange = afterChange
    }

    func read<Value: Sendable>(_ body: (Contents) -> Value) -> Value { contents.withLock { body($0) } }

    /// Reads under the lock; the error travels out typed.
    func readOrThrow<Value: Sendable, Failure: Error>(
        _ body: (Contents) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let result = contents.withLock { contents -> Result<Value, Failure> in
            do throws(Failure) { return .success(try body(contents)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    @discardableResult
    func change<Value: Sendable>(_ body: (inout Contents) -> Value) -> Value {
        let (value, followUp) = contents.withLock { contents in (body(&contents), afterChange?(&contents)) }
        followUp?()
        return value
    }

    @discardableResult
    func changeOrThrow<Value: Sendable>(
        _ body: (inout Contents) throws(EmulatorError) -> Value
    ) throws(EmulatorError) -> Value {
        let result = change { contents -> Result<Value, EmulatorError> in
            do throws(EmulatorError) { return .success(try body(&contents)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

typealias MailboxBox = LockedMailbox<Mailbox>
typealias OutlookMailboxBox = LockedMailbox<OutlookMailbox>
