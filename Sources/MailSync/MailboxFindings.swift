import MailModel

/// What comparing an account's mailbox with its store showed.
public struct MailboxFindings: Sendable, Hashable {
    /// Messages that the mailbox lists, in and out of scope.
    public var listed = 0
    /// In scope at the provider, not in the store, and not on the way either.
    public var missing: [String] = []
    /// Present by the store, gone at the provider.
    public var gone: [String] = []
    /// Not in the store, and could not be read.
    public var unreadable: [String] = []
    /// Events of origin `repair` that were emitted; 0 when nothing was to be healed.
    public var emitted = 0
    /// There may be more: only so many are looked into at once.
    public var isCut = false

    public init() {}
}

/// Why a mailbox cannot be compared now; safe to print.
public struct CannotCompare: Error, Sendable, Hashable, CustomStringConvertible {
    public var reason: String
    public init(_ reason: String) { self.reason = reason }
    public var description: String { reason }
}

/// Somebody waits for the account's next pass to compare mailbox and store.
final class ComparisonRequest: Sendable {
    let heals: Bool
    private let answers: AsyncStream<Result<MailboxFindings, CannotCompare>>
    private let answer: AsyncStream<Result<MailboxFindings, CannotCompare>>.Continuation

    init(heals: Bool) {
        self.heals = heals
        (answers, answer) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    /// The first answer counts.
    func finish(_ result: Result<MailboxFindings, CannotCompare>) {
        answer.yield(result)
        answer.finish()
    }

    /// - Throws: ``CannotCompare``, `CancellationError`.
    func value() async throws -> MailboxFindings {
        for await result in answers { return try result.get() }
        throw CancellationError()
    }
}

/// Very many ids in little memory: sixteen bytes each. Two ids are taken for one with a chance of one in 2¹²⁸ a pair.
struct IDDigests: Sendable {
    private struct Digest: Comparable {
        let high: Int
        let low: Int
        static func < (a: Digest, b: Digest) -> Bool { (a.high, a.low) < (b.high, b.low) }
    }

    private var digests: [Digest] = []
    private var isSorted = true

    mutating func insert(_ id: String) {
        digests.append(Self.digest(id))
        isSorted = false
    }

    /// Call once after the last ``insert(_:)``.
    mutating func seal() {
        digests.sort()
        isSorted = true
    }

    func contains(_ id: String) -> Bool {
        precondition(isSorted, "seal() comes between inserting and asking")
        let wanted = Self.digest(id)
        var low = 0
        var high = digests.count
        while low < high {
            let middle = (low + high) / 2
            if digests[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low < digests.count && digests[low] == wanted
    }

    /// Hashing is seeded anew in each process, so that nobody can choose ids that collide.
    private static func digest(_ id: String) -> Digest {
        var high = Hasher()
        high.combine(0)
        high.combine(id)
        var low = Hasher()
        low.combine(1)
        low.combine(id)
        return Digest(high: high.finalize(), low: low.finalize())
    }
}
