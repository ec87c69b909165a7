import Foundation
import MailModel
import MailStore

extension UserRecovery {
    /// What the names of files begin with that a rebuild put aside, after the file's own name.
    static let setAsideMark = ".before-rebuild-"

    /// Moves the user's file aside. Its numbers are not used again, whatever the stream still holds.
    func setAside(_ user: UserID) async throws -> String? {
        do {
            let last = try await stores.useExisting(user) { try await $0.read { try $0.dispatch().lastSeq } }
            if let last { try await registry.raise(user, to: SequenceFloor(lastSeq: last, generation: 0)) }
        } catch let failure as StoreFailure {
            // A damaged file is a reason to rebuild it.
            logger.warning(
                "a store that is rebuilt cannot be read", metadata: ["user": "\(user)", "error": "\(failure)"])
        }
        let stamp = Date(timeIntervalSince1970: Double(time.now())).formatted(
            .iso8601.year().month().day().dateSeparator(.omitted).time(includingFractionalSeconds: false)
                .timeSeparator(.omitted))
        let path = try await stores.setAside(user, suffix: "\(Self.setAsideMark)\(stamp)Z")
        if let path { logger.notice("a store was moved aside", metadata: ["user": "\(user)", "path": "\(path)"]) }
        return path
    }

    /// Erases the account's rows, then its messages in the stream; the last step forgets that there was something to do.
    func eraseNow(_ key: AccountKey) async throws {
        if !scrubbed.contains(key) { try await eraseRows(of: key) }
        scrubbed.insert(key)
        let deleted = try await StreamEraser(archive: archive, time: time).run(key)
        try await registry.removeErasure(of: key)
        scrubbed.remove(key)
        logger.notice("an account was erased", metadata: ["account": "\(key)", "messages": "\(deleted)"])
    }

    private func eraseRows(of key: AccountKey) async throws {
        let now = time.now()
        let generation = try await stores.useExisting(key.user) { store in
            let generation = try await store.write { transaction in
                _ = try transaction.erase(key, at: now)
                return transaction.generation
            }
            try await store.scrub()
            return generation
        }
        if let generation { try await registry.raise(key.user, to: SequenceFloor(lastSeq: 0, generation: generation)) }
        // Older copies have what is being erased.
        for path in try await stores.removeSetAside(key.user, mark: Self.setAsideMark) {
            logger.notice("an older copy of a store was removed", metadata: ["path": "\(path)"])
        }
    }
}
