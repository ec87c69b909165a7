import MailModel
import Synchronization

/// Reads messages, and decides what a message that cannot be read means.
///
/// Each is tried up to three times, after the first time alone. One that still fails while reading works in general
/// (a witness, a message known to be readable, is read at the end) is a gap; when the witness fails too, the service
/// is at fault and the message is put off, so that an outage never fills the gap ledger. Limits on the rate of calls
/// say nothing about a message: it is put off. "Not found" is believed at the third time, because a message can
/// answer so for a moment after it arrived.
struct GmailReader: Sendable {
    let api: GmailAPI
    let normalizer: GmailNormalizer
    private let parallelism: Parallelism

    init(api: GmailAPI, normalizer: GmailNormalizer) {
        self.api = api
        self.normalizer = normalizer
        switch api.configuration.reading {
        case .batch(let partsMax): parallelism = Parallelism(min(partsMax, 100))
        case .multiplexed(let concurrency): parallelism = Parallelism(concurrency)
        }
    }

    /// What became of the messages asked for.
    struct Outcome: Sendable {
        var changes: [String: MessageChange] = [:]
        var vanished: [String] = []
        var gaps: [MessageGap] = []
        /// To be read later, because of ``failure``.
        var putOff: [String] = []
        var failure: SyncFailure?

        /// Nothing was found out about any message.
        var isEmpty: Bool { changes.isEmpty && vanished.isEmpty && gaps.isEmpty }
    }

    /// Single requests in flight at once when messages are read alone.
    private static let concurrencyAlone = 5
    private typealias Results = [String: Result<MessageChange, SyncFailure>]

    /// - Parameters:
    ///   - known: where to find a message that was readable before; nil when the messages are gaps already.
    ///   - believesNotFound: "not found" needs no second try, because a listing did not have the message either.
    /// - Throws: ``SyncFailure`` that concerns more than messages, or any when nothing was found out about any
    ///   message; `CancellationError`.
    func read(
        _ ids: [String], known: (any KnownMessages)?, believesNotFound: Bool = false
    ) async throws -> Outcome {
        var outcome = Outcome()
        var failures: [String: SyncFailure] = [:]
        var pending = ids
        for attempt in 1...max(1, api.configuration.triesMax) where !pending.isEmpty {
            if attempt > 1 { try await api.pause(afterTry: attempt - 1) }
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
                if believesNotFound && failure.code == GmailFailure.Code.messageGone { return false }
                return isWorthAnotherTry(failure)
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
        failure.decision == .skip || api.isPassing(failure)
    }

    private func settle(
        _ ids: [String], _ failures: [String: SyncFailure], _ known: (any KnownMessages)?,
        _ outcome: inout Outcome
    ) async throws {
        var suspects: [(id: String, failure: SyncFailure)] = []
        for id in ids {
            guard let failure = failures[id] else { continue }
            if failure.code == GmailFailure.Code.messageGone {
                outcome.vanished.append(id)
            } else if GmailFailure.isThrottling(failure) || failure.code == GmailFailure.Code.unauthorized {
                outcome.putOff.append(id)
                outcome.failure = outcome.failure ?? failure
            } else {
                suspects.append((id, failure))
            }
        }
        guard let first = suspects.first else { return }
        var witness = outcome.changes.keys.min()
        if witness == nil, let known { witness = try await self.witness(known, besides: ids) }
        if try await readingWorks(witness, trustsProfile: suspects.count == 1 || known == nil) {
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
    private func readingWorks(_ witness: String?, trustsProfile: Bool) async throws -> Bool {
        do {
            if let witness {
                _ = try await api.message(witness, headers: normalizer.headerNames)
            } else if trustsProfile {
                _ = try await api.profile()
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

// MARK: - One round

extension GmailReader {
    private func together(_ ids: [String]) async throws -> Results {
        guard case .batch = api.configuration.reading else {
            return try await singly(ids, concurrency: parallelism.current)
        }
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
            let answers = try await api.batch(ids, headers: normalizer.headerNames)
            return Dictionary(
                uniqueKeysWithValues: Set(ids).map { id in
                    (id, answers[id].map { normalised($0, id) } ?? .failure(GmailFailure.unreadable(.batch)))
                })
        } catch let failure as SyncFailure {
            return Dictionary(uniqueKeysWithValues: Set(ids).map { ($0, .failure(failure)) })
        }
    }

    /// Reads each by a request of its own. While nothing proves that reading works, one goes ahead of the others, so
    /// that an outage costs one request and not one for each message.
    private func alone(_ ids: [String], proven: Bool) async throws -> Results {
        guard !proven, let scout = ids.first else { return try await singly(ids, concurrency: Self.concurrencyAlone) }
        let first = try await single(scout)
        if let failure = first.failure, failure.decision != .skip { return [scout: first] }
        var results = try await singly(Array(ids.dropFirst()), concurrency: Self.concurrencyAlone)
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
            return normalised(.success(try await api.message(id, headers: normalizer.headerNames)), id)
        } catch let failure as SyncFailure {
            return .failure(failure)
        }
    }

    private func normalised(
        _ answer: Result<GmailWire.Message, SyncFailure>, _ id: String
    ) -> Result<MessageChange, SyncFailure> {
        answer.flatMap { message in
            Result { () throws(SyncFailure) in try normalizer.change(message, id: id) }
        }
    }
}

/// How many messages are read at once: halved whenever Gmail finds it too many for one user. Parts of a batch count.
private final class Parallelism: Sendable {
    private static let least = 5
    private let limit: Mutex<Int>

    init(_ limit: Int) { self.limit = Mutex(max(1, limit)) }

    var current: Int { limit.withLock { $0 } }

    func note(_ failures: [SyncFailure]) {
        guard failures.contains(where: { $0.code == GmailFailure.Code.tooManyConcurrent }) else { return }
        limit.withLock { $0 = min($0, max(Self.least, $0 / 2)) }
    }
}

/// Asks the store; its errors become failures, because a session throws nothing else.
func fromStore<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let error as CancellationError {
        throw error
    } catch let failure as SyncFailure {
        throw failure
    } catch {
        throw SyncFailure(
            .retry(after: nil, scope: .account), code: "store_failed", "the account's store cannot be read: \(error)")
    }
}
