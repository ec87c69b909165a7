import Foundation
import MailModel

/// What a test waited for did not happen in time.
public struct NotInTime: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Asks again and again until the answer is yes: for facts outside this process, which nothing announces. Prefer a
/// signal where there is one.
///
/// - Parameters:
///   - what: named in the error.
///   - limit: generous, because it is only used up by a failure.
/// - Throws: ``NotInTime``, or what `holds` throws.
public func eventually(
    _ what: String, within limit: Duration = .seconds(30), every pause: Duration = .milliseconds(10),
    isolation: isolated (any Actor)? = #isolation, _ holds: () async throws -> Bool
) async throws {
    let time = SystemTime()
    let end = ContinuousClock.now + limit
    while try await !holds() {
        guard ContinuousClock.now < end else { throw NotInTime("\(what): not within \(limit)") }
        try await time.sleep(for: pause)
    }
}

/// Lets time pass, where its passing is what is tested (a window of the stream that must be over). Never to wait for
/// something to happen.
public func outlast(_ window: Duration) async throws {
    try await SystemTime().sleep(for: window)
}
