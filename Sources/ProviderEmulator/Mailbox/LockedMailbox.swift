import Synchronization

/// A mailbox under a lock.
final class LockedMailbox<Contents: Sendable>: Sendable {
    let address: String
    private let contents: Mutex<Contents>

    init(address: String, _ contents: Contents) {
        self.address = address
        self.contents = Mutex(contents)
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
    func change<Value: Sendable>(_ body: (inout Contents) -> Value) -> Value { contents.withLock { body(&$0) } }

    @discardableResult
    func changeOrThrow<Value: Sendable>(
        _ body: (inout Contents) throws(EmulatorError) -> Value
    ) throws(EmulatorError) -> Value {
        let result = contents.withLock { contents -> Result<Value, EmulatorError> in
            do throws(EmulatorError) { return .success(try body(&contents)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

typealias MailboxBox = LockedMailbox<Mailbox>
typealias OutlookMailboxBox = LockedMailbox<OutlookMailbox>
