import MailModel
import ProviderClient

typealias GmailReader = MessageReader<GmailSource>

/// How Gmail's messages are read: through the batch endpoint, or by parallel requests.
struct GmailSource: MessageSource {
    let api: GmailAPI
    let normalizer: GmailNormalizer

    let concurrencyAlone = 5
    var triesMax: Int { api.calls.policy.triesMax }
    var missing: SyncFailure { GmailFailure.unreadable(.batch) }

    func readTogether(_ ids: [String]) async throws -> [String: Result<MessageChange, SyncFailure>] {
        let answers = try await api.batch(ids, headers: normalizer.headerNames)
        return Dictionary(
            uniqueKeysWithValues: answers.map { id, answer in
                (
                    id,
                    answer.flatMap { message in
                        Result { () throws(SyncFailure) in try normalizer.change(message, id: id) }
                    }
                )
            })
    }

    func readAlone(_ id: String) async throws -> MessageChange {
        try normalizer.change(try await api.message(id, headers: normalizer.headerNames), id: id)
    }

    func proveMailbox() async throws { _ = try await api.profile() }
    func isPassing(_ failure: SyncFailure) -> Bool { api.calls.isPassing(failure) }
    func pause(afterTry tries: Int) async throws { try await api.calls.pause(afterTry: tries) }
}

extension GmailReading {
    /// How many messages are asked for at once: Google accepts 100 in a batch.
    var parallelism: Parallelism {
        switch self {
        case .batch(let partsMax): Parallelism(min(partsMax, 100), inOneRequest: true)
        case .multiplexed(let concurrency): Parallelism(concurrency, inOneRequest: false)
        }
    }
}
