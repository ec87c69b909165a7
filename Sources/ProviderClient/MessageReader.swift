import MailModel
import Synchronization

/// How one provider's messages are read: the part of reading that differs between providers.
public protocol MessageSource: Sendable {
    /// Reads messages with as few requests as possible; tried once. Messages may be missing from the answer.
    ///
    /// - Throws: ``SyncFailure`` when there is no answer at all, `CancellationError`.
    func readTogether(_ ids: [String]) async throws -> [String: Result<MessageChange, SyncFailure>]
    /// Reads one message by a request of its own; tried once.
    ///
    /// - Throws: ``SyncFailure``, `CancellationError`.
    func readAlone(_ id: String) async throws -> MessageChange
    /// The cheapest request that shows that the mailbox answers.
    func proveMailbox() async throws
    /// What a message that is missing from an answer means.
    var missing: SyncFailure { get }
    /// Whether trying again soon makes sense.
    func isPassing(_ failure: SyncFailure) -> Bool
    /// The small back-off between tries.
    func pause(afterTry tries: Int) async throws
    /// Single requests in flight at once when messages are read alone.
    var concurrencyAlone: Int { get }
    /// How often each message is tried.
    var triesMax: Int { get }
}

/// Reads messages, and decides what a message that cannot be read means.
///
/// Each is tried up to three times, after the first time alone. One that still fails while reading works in general
/// (a witness, a message known to be readable, is read at the end) is a gap; when the witness fails too, the service
/// is at fault and the message is put off, so that an outage never fills the gap ledger. Limits on the rate of calls
/// say nothing about a message: it is put off. "Not found" is believed at the third time, because a message can
/// answer so for a moment after it arrived; or at once, when the provider has already said that it is gone.
public struct MessageReader<Source: MessageSource>: Sendable {
    public let source: Source
    private let parallelism: Parallelism
    private typealias Results = [String: Result<MessageChange, SyncFailure>]

    /// - Parameter parallelism: how many messages are asked for in one go; shared by readers of one mailbox.
    public init(source: Source, parallelism: Parallelism) {
        self.source = source
        self.parallelism = parallelism
    }

    /// - Parameters:
    ///   - known: where to find a message that was readable before; nil when the messages are gaps already.
    ///   - knownGone: messages of which "not found" is believed at once.
    /// - Throws: ``SyncFailure`` that concerns more than messages, or any when nothing was found out about any
    ///   message; `CancellationError`.
    public func read(
        _ ids: [String], known: (any KnownMessages)?, knownGone: Set<String> = []
    ) async throws -> ReadOutcome {
        var outcome = ReadOutcome()
        var failures: [String: SyncFailure] = [:]
        var pending = ids
        for attempt in 1...max(1, source.triesMax) where !pending.isEmpty {
            if attempt > 1 { try await source.pause(afterTry: attempt - 1) }
            let results =
                attempt == 1
                ? try await together(pending) : try await alone(pending, proven: !outcome.changes.isEmpty)
            for (id, result) in results {
                switch result {
                case .success(let change):
                    outcome.changes[id] = change
                    failures[id] = nil
                case .failure(let failure):
                    try rethrowUnlessOfMessage(failure)
                    failures[id] = failure
                }
            }
            pending = ids.filter { id in
                guard let failure = failures[id] else { return false }
                return isWorthAnotherTry(failure)
                    && !(failure.code == FailureCode.messageGone && knownGone.contains(id))
            }
        }
        try await settle(ids.filter { failures[$0] != nil }, failures, known, &outcome)
        if outcome.isEmpty, let failure = outcome.failure { throw Self.ofAll(failure) }
        return outcome
    }

    /// A failure that befell every message is none of the messages'.
    private static func ofAll(_ failure: SyncFailure) -> SyncFailure {
        guard failure.decision == .skip else { return failure }
        return SyncFailure(.retry(after: nil, scope: .account), code: failure.code, failure.message)
    }

    /// Failures that trying again cannot change and that other messages share end everything.
    private func rethrowUnlessOfMessage(_ failure: SyncFailure) throws {
        switch failure.decision {
        case .retry, .skip: break
        case .reauthenticate, .resync, .restartListing, .stop: throw failure
        }
    }

    private func isWorthAnotherTry(_ failure: SyncFailure) -> Bool {
        failure.decision == .skip || source.isPassing(failure)
    }

    private func settle(
        _ ids: [String], _ failures: [String: SyncFailure], _ known: (any KnownMessages)?,
        _ outcome: inout ReadOutcome
    ) async throws {
        var suspects: [(id: String, failure: SyncFailure)] = []
        for id in ids {
            guard let failure = failures[id] else { continue }
            if failure.code == FailureCode.messageGone {
                outcome.vanished.append(id)
            } else if failure.isThrottling || failure.code == FailureCode.unauthorized {
                outcome.putOff.append(id)
                outcome.failure = outcome.failure ?? failure
            } else {
                suspects.append((id, failure))
            }
        }
        guard let first = suspects.first else { return }
        var witness = outcome.changes.keys.min()
        if witness == nil, let known { witness = try await self.witness(known, besides: ids) }
        if try await readingWorks(witness, trustsMailbox: suspects.count == 1 || known == nil) {
            outcome.gaps = suspects.map { MessageGap(id: $0.id, reason: $0.failure.description) }
        } else {
            outcome.putOff += suspects.map(\.id)
            outcome.failure = outcome.failure ?? first.failure
        }
    }

    /// A stored message that is none of these.
    private func witness(_ known: any KnownMessages, besides ids: [String]) async throws -> String? {
        let stored = try await fromStore { try await known.present(after: nil, limit: ids.count + 1) }
        return stored.map(\.id).first { !ids.contains($0) }
    }

    /// Whether other messages can be read at this moment. Where no other message is known, a mailbox that answers
    /// at all is taken for proof against a single message, and against messages that are gaps already.
    private func readingWorks(_ witness: String?, trustsMailbox: Bool) async throws -> Bool {
        do {
            if let witness {
                _ = try await source.readAlone(witness)
            } else if trustsMailbox {
                try await source.proveMailbox()
            } else {
                return false
            }
            return true
        } catch let failure as SyncFailure {
            try rethrowUnlessOfMessage(failure)
            return false
        }
    }
}

/// What became of the messages asked for.
public struct ReadOutcome: Sendable {
    public var changes: [String: MessageChange] = [:]
    public var vanished: [String] = []
    public var gaps: [MessageGap] = []
    /// To be read later, because of ``failure``.
    public var putOff: [String] = []
    public var failure: SyncFailure?

    public init() {}

    /// Nothing was found out about any message.
    public var isEmpty: Bool { changes.isEmpty && vanished.isEmpty && gaps.isEmpty }
}

extension ChangeBatch {
    /// Adds what was read, in this order.
    public mutating func take(_ outcome: ReadOutcome, order: [String]) {
        changes += order.compactMap { outcome.changes[$0] }
        vanished += outcome.vanished
        gaps += outcome.gaps
    }
}

// MARK: - One round

extension MessageReader {
    private func together(_ ids: [String]) async throws -> Results {
        guard parallelism.inOneRequest else { return try await singly(ids, concurrency: parallelism.current) }
        var results: Results = [:]
        var rest = ids[...]
        while !rest.isEmpty {
            let group = Array(rest.prefix(parallelism.current))
            rest = rest.dropFirst(group.count)
            let read = try await batch(group)
            parallelism.note(read.values.compactMap(\.failure))
            results.merge(read) { $1 }
        }
        return results
    }

    private func batch(_ ids: [String]) async throws -> Results {
        do {
            let answers = try await source.readTogether(ids)
            return Dictionary(
                uniqueKeysWithValues: Set(ids).map { id in (id, answers[id] ?? .failure(source.missing)) })
        } catch let failure as SyncFailure {
            return Dictionary(uniqueKeysWithValues: Set(ids).map { ($0, .failure(failure)) })
        }
    }

    /// Reads each by a request of its own. While nothing proves that reading works, one goes ahead of the others, so
    /// that an outage costs one request and not one for each message.
    private func alone(_ ids: [String], proven: Bool) async throws -> Results {
        guard !proven, let scout = ids.first else { return try await singly(ids, concurrency: source.concurrencyAlone) }
        let first = try await single(scout)
        if let failure = first.failure, failure.decision != .skip { return [scout: first] }
        var results = try await singly(Array(ids.dropFirst()), concurrency: source.concurrencyAlone)
        results[scout] = first
        return results
    }

    private func singly(_ ids: [String], concurrency: Int) async throws -> Results {
        try await withThrowingTaskGroup(of: (String, Result<MessageChange, SyncFailure>).self) { group in
            var rest = ids[...]
            var results: Results = [:]
            for id in rest.prefix(max(1, concurrency)) {
                group.addTask { (id, try await single(id)) }
            }
            rest = rest.dropFirst(max(1, concurrency))
            while let (id, result) = try await group.next() {
                results[id] = result
                parallelism.note([result.failure].compactMap { $0 })
                if let id = rest.popFirst() { group.addTask { (id, try await single(id)) } }
            }
            return results
        }
    }

    private func single(_ id: String) async throws -> Result<MessageChange, SyncFailure> {
        do {
            return .success(try await source.readAlone(id))
        } catch let failure as SyncFailure {
            return .failure(failure)
        }
    }
}

/// How many messages are read at once: halved whenever the provider finds it too many for one mailbox. Parts of a batch
/// count.
public final class Parallelism: Sendable {
    /// The messages share one request; otherwise they are so many requests.
    let inOneRequest: Bool
    private let least: Int
    private let limit: Mutex<Int>

    /// - Parameter least: it is never less.
    public init(_ limit: Int, least: Int = 5, inOneRequest: Bool) {
        self.limit = Mutex(max(1, limit))
        self.least = least
        self.inOneRequest = inOneRequest
    }

    /// How many by now.
    public var current: Int { limit.withLock { $0 } }

    /// Makes them fewer when one of these failures says that they were too many.
    public func note(_ failures: [SyncFailure]) {
        guard failures.contains(where: { $0.code == FailureCode.tooManyConcurrent }) else { return }
        limit.withLock { $0 = min($0, max(least, $0 / 2)) }
    }
}
