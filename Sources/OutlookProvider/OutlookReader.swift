import MailModel
import ProviderClient

typealias OutlookReader = MessageReader<OutlookSource>

/// How Outlook's messages are read: through `$batch`.
struct OutlookSource: MessageSource {
    let api: OutlookAPI
    let normalizer: OutlookNormalizer
    let tree: FolderTree
    let version: UInt64

    var concurrencyAlone: Int { api.configuration.concurrency }
    var triesMax: Int { api.calls.policy.triesMax }
    var missing: SyncFailure { OutlookFailure.unreadable(.batch) }

    func readTogether(_ ids: [String]) async throws -> [String: Result<MessageChange, SyncFailure>] {
        try await api.messages(ids).reduce(into: [:]) { results, answer in
            results[answer.key] = answer.value.flatMap { message in
                Result { () throws(SyncFailure) in try change(message, id: answer.key) }
            }
        }
    }

    func readAlone(_ id: String) async throws -> MessageChange { try change(try await api.message(id), id: id) }

    /// A message that lies in no folder of the tree has left its folder: for where, somebody has to look.
    private func change(_ message: OutlookWire.Message, id: String) throws(SyncFailure) -> MessageChange {
        guard let folder = message.parentFolderId, !folder.isEmpty else {
            throw SyncFailure(.skip, code: "unplaced_message", "Graph does not say in which folder the message lies")
        }
        guard let place = tree.place(folder) else { return .removed(id: id, fromFolder: folder) }
        return try normalizer.change(message, id: id, at: place, version: version)
    }

    func proveMailbox() async throws { _ = try await api.profile() }
    func isPassing(_ failure: SyncFailure) -> Bool { api.calls.isPassing(failure) }
    func pause(afterTry tries: Int) async throws { try await api.calls.pause(afterTry: tries) }
}
